//! The credential slot's state machine under loom: every interleaving of the threads in these tests is tried.
//!
//! The machine's own source is compiled here, with loom's synchronisation in place of the standard library's, so what is
//! proven is the code that ships.
#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, unreachable_pub, reason = "the tests use a part of it")]
#[path = "../../../core/src/credential/machine.rs"]
mod machine;
mod sync;

use loom::thread;

use machine::{Begin, Machine, Next, Patience, Purpose, Ticket};
use sync::Arc;

type Slot = Machine<u32, (), &'static str>;

const PATIENCE: Patience = Patience {
    refresh: 4_000,
    demand: 60_000,
};

/// In these tests a refresh wants any value but 9, and a demand wants one only where there is none.
fn begin(slot: &Slot, purpose: Purpose, now: u64) -> Begin<(), &'static str> {
    let wanted = |current: Option<&u32>| match purpose {
        Purpose::Demand => current.is_none(),
        Purpose::Refresh => current != Some(&9),
    };
    slot.begin(purpose, now, PATIENCE, wanted, || ())
}

fn lead(slot: &Slot, purpose: Purpose, now: u64) -> Option<Ticket> {
    match begin(slot, purpose, now) {
        Begin::Lead(ticket, ..) => Some(ticket),
        _ => None,
    }
}

fn soon(_failures: u32) -> Next {
    Next {
        refresh: 100,
        demand: 10,
    }
}

#[test]
fn of_three_who_need_a_value_exactly_one_ever_leads() {
    fn need(slot: &Slot) -> u32 {
        if slot.current().is_some() {
            return 0;
        }
        let Some(ticket) = lead(slot, Purpose::Demand, 1) else {
            return 0;
        };
        slot.land(ticket, Arc::new(7));
        1
    }
    loom::model(|| {
        let slot = Arc::new(Slot::new(None));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let slot = Arc::clone(&slot);
                thread::spawn(move || need(&slot))
            })
            .collect();
        let own = need(&slot);
        let led: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(own + led, 1);
        assert_eq!(slot.current().as_deref(), Some(&7));
        assert!(slot.wants_refresh(2), "no flight is left behind");
    });
}

#[test]
fn of_two_who_see_a_stale_value_exactly_one_refreshes_it() {
    fn refresh(slot: &Slot) -> u32 {
        let Some(ticket) = lead(slot, Purpose::Refresh, 1) else {
            return 0;
        };
        slot.land(ticket, Arc::new(9));
        1
    }
    loom::model(|| {
        let slot = Arc::new(Slot::new(Some(Arc::new(1))));
        let other = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || refresh(&slot))
        };
        assert_eq!(refresh(&slot) + other.join().unwrap(), 1);
    });
}

#[test]
fn a_crowd_beside_a_flight_follows_it() {
    loom::model(|| {
        let slot = Arc::new(Slot::new(None));
        let ticket = lead(&slot, Purpose::Demand, 1).unwrap();
        let crowd: Vec<_> = (0..2)
            .map(|_| {
                let slot = Arc::clone(&slot);
                thread::spawn(move || matches!(begin(&slot, Purpose::Demand, 2), Begin::Follow(())))
            })
            .collect();
        for member in crowd {
            assert!(member.join().unwrap());
        }
        slot.land(ticket, Arc::new(1));
    });
}

#[test]
fn clearing_a_rejected_value_never_takes_its_successor() {
    loom::model(|| {
        let slot = Arc::new(Slot::new(Some(Arc::new(1))));
        let ticket = lead(&slot, Purpose::Refresh, 1).unwrap();
        let rejecters: Vec<_> = (0..2)
            .map(|_| {
                let slot = Arc::clone(&slot);
                thread::spawn(move || slot.clear_if(|value| *value == 1))
            })
            .collect();
        slot.land(ticket, Arc::new(2));
        let cleared = rejecters
            .into_iter()
            .map(|rejecter| rejecter.join().unwrap())
            .filter(|hit| *hit)
            .count();
        assert!(cleared <= 1, "one rejection counts");
        assert_eq!(slot.current().as_deref(), Some(&2));
    });
}

#[test]
fn a_replaced_flight_does_not_overwrite_its_successor() {
    loom::model(|| {
        let slot = Arc::new(Slot::new(None));
        let hung = lead(&slot, Purpose::Refresh, 1).unwrap();
        let late = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.land(hung, Arc::new(1)))
        };
        // Callers with nothing replace a refresh that hangs, unless it has landed by now.
        if let Some(ticket) = lead(&slot, Purpose::Demand, 10_000) {
            slot.land(ticket, Arc::new(2));
            late.join().unwrap();
            assert_eq!(slot.current().as_deref(), Some(&2));
        } else {
            late.join().unwrap();
        }
        assert!(slot.wants_refresh(10_000));
    });
}

#[test]
fn a_dropped_flight_frees_the_slot() {
    loom::model(|| {
        let slot = Arc::new(Slot::new(None));
        let ticket = lead(&slot, Purpose::Demand, 1).unwrap();
        let dropped = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                slot.note(ticket, "no answer", 2, false, soon);
                slot.abandon(ticket);
            })
        };
        let early = lead(&slot, Purpose::Demand, 3);
        dropped.join().unwrap();
        let next = early
            .or_else(|| lead(&slot, Purpose::Demand, 3))
            .expect("somebody may lead");
        slot.land(next, Arc::new(3));
        assert!(slot.failure().is_none(), "a success ends the failure");
    });
}

#[test]
fn a_reader_never_sees_a_refresh_that_nobody_will_start() {
    loom::model(|| {
        let slot = Arc::new(Slot::new(Some(Arc::new(1))));
        let refresher = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                if let Some(ticket) = lead(&slot, Purpose::Refresh, 1) {
                    slot.note(ticket, "down", 2, false, soon);
                    slot.abandon(ticket);
                }
            })
        };
        let wanted = slot.wants_refresh(1);
        refresher.join().unwrap();
        assert!(
            wanted || !slot.wants_refresh(99),
            "quiet only while it is under way or backing off"
        );
        assert!(slot.wants_refresh(100), "and due again after the back-off");
    });
}

#[test]
fn what_a_replaced_flight_says_after_its_successor_is_not_kept() {
    loom::model(|| {
        let slot = Arc::new(Slot::new(None));
        let hung = lead(&slot, Purpose::Refresh, 1).unwrap();
        let next = lead(&slot, Purpose::Demand, 10_000).unwrap();
        let late = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || {
                slot.note(hung, "too late", 10_001, true, soon);
                slot.abandon(hung);
            })
        };
        slot.land(next, Arc::new(2));
        late.join().unwrap();
        assert!(slot.failure().is_none());
    });
}
