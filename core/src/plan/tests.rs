//! The rules of a connect, played through on a clock that only the rules move.

use std::time::Duration;

use super::machine::{Event, Limits, Machine, Question, Step};
use crate::clock::millis;
use crate::login::{CONNECT, Kind};

/// A server for the machine to meet: what became of the dial of an address at a time.
struct World<'a> {
    now: u64,
    unit: f64,
    addresses: usize,
    cached: bool,
    dial: &'a mut dyn FnMut(u64, usize, bool) -> Outcome,
    ask: Kind,
    log: Vec<Step>,
}

enum Outcome {
    In,
    Fails(Kind, u64),
    Hangs(Kind),
}

impl World<'_> {
    /// Runs a connect to its end: the time it took, and whether it is in.
    fn run(&mut self, limits: Limits) -> (u64, Result<(), (Kind, bool)>) {
        let began = self.now;
        let mut machine = Machine::new(limits, began);
        let mut event = Event::Begin;
        let mut renewed = false;
        for _ in 0..100_000 {
            let step = machine.next(event, self.now, self.unit);
            self.log.push(step);
            event = match step {
                Step::Prepare | Step::Renew => {
                    renewed |= step == Step::Renew;
                    Event::Ready {
                        addresses: self.addresses,
                        cached: self.cached,
                    }
                }
                Step::Dial { address, timeout } => {
                    match (self.dial)(self.now - began, address, renewed) {
                        Outcome::In => return (self.now - began, Ok(())),
                        Outcome::Fails(kind, after) => {
                            self.now += after.min(millis(timeout));
                            Event::Failed(kind)
                        }
                        Outcome::Hangs(kind) => {
                            self.now += millis(timeout);
                            Event::Failed(kind)
                        }
                    }
                }
                Step::Wait(wait) => {
                    assert!(!wait.is_zero(), "a wait of nothing spins");
                    self.now += millis(wait);
                    Event::Waited
                }
                Step::Ask(_) => Event::Found(self.ask),
                Step::GiveUp { kind, late } => return (self.now - began, Err((kind, late))),
            };
        }
        panic!("it never ends");
    }

    fn count(&self, wanted: fn(&Step) -> bool) -> usize {
        self.log.iter().filter(|step| wanted(step)).count()
    }
}

fn world(dial: &mut dyn FnMut(u64, usize, bool) -> Outcome) -> World<'_> {
    World {
        now: 3_600_000,
        unit: 0.5,
        addresses: 1,
        cached: true,
        dial,
        ask: Kind::EndpointWaking,
        log: Vec::new(),
    }
}

const USUAL: Limits = Limits {
    connect: CONNECT,
    firm: false,
};

fn firm(seconds: u64) -> Limits {
    Limits {
        connect: Duration::from_secs(seconds),
        firm: true,
    }
}

fn dials(step: &Step) -> bool {
    matches!(step, Step::Dial { .. })
}

#[test]
fn a_refused_token_from_the_cache_earns_exactly_one_fresh_one() {
    let mut accepts_fresh = |_, _, renewed| {
        if renewed {
            Outcome::In
        } else {
            Outcome::Fails(Kind::StaleToken, 5)
        }
    };
    let mut one = world(&mut accepts_fresh);
    assert_eq!(one.run(USUAL), (5, Ok(())));
    assert_eq!(
        (one.count(dials), one.count(|step| *step == Step::Renew)),
        (2, 1)
    );

    let mut never = |_, _, _| Outcome::Fails(Kind::StaleToken, 5);
    for (cached, wanted) in [(true, 2), (false, 1)] {
        let mut one = world(&mut never);
        (one.cached, one.ask) = (cached, Kind::StaleToken);
        assert_eq!(one.run(USUAL).1, Err((Kind::StaleToken, false)));
        assert_eq!(one.count(dials), wanted);
        assert!(one.log.contains(&Step::Ask(Question::Role)));
    }
}

#[test]
fn what_no_try_mends_is_told_at_once() {
    for kind in Kind::ALL {
        if kind.is_retryable() || kind.is_of_address() || *kind == Kind::WrongUser {
            continue;
        }
        let mut refuses = |_, _, _| Outcome::Fails(*kind, 5);
        let mut one = world(&mut refuses);
        assert_eq!(one.run(USUAL), (5, Err((*kind, false))), "{kind:?}");
        assert_eq!(one.count(dials), 1);
    }
}

#[test]
fn the_workspace_tells_a_disabled_endpoint_and_a_missing_role_from_what_passes() {
    for (said, ask) in [
        (Kind::EndpointWaking, Kind::EndpointDisabled),
        (Kind::StaleToken, Kind::RoleMissing),
        (Kind::WrongUser, Kind::WrongUser),
    ] {
        let mut refuses = |_, _, _| Outcome::Fails(said, 5);
        let mut one = world(&mut refuses);
        (one.ask, one.cached) = (ask, false);
        assert_eq!(one.run(USUAL), (5, Err((ask, false))));
        assert_eq!(one.count(|step| matches!(step, Step::Wait(_))), 0);
    }
}

#[test]
fn a_wake_of_ten_seconds_is_waited_out_and_one_without_end_is_given_up_after_twenty() {
    for unit in [0.0, 0.3, 1.0] {
        let mut wakes = |at, _, _| {
            if at < 10_000 {
                Outcome::Fails(Kind::EndpointWaking, 5)
            } else {
                Outcome::In
            }
        };
        let mut one = world(&mut wakes);
        one.unit = unit;
        let (took, outcome) = one.run(USUAL);
        assert!(
            outcome.is_ok() && (10_000..12_100).contains(&took),
            "{took} ms at {unit}"
        );

        let mut never = |_, _, _| Outcome::Fails(Kind::EndpointWaking, 5);
        let mut one = world(&mut never);
        one.unit = unit;
        let (took, outcome) = one.run(USUAL);
        assert_eq!(outcome, Err((Kind::EndpointWaking, true)));
        assert!((19_900..=20_000).contains(&took), "{took} ms at {unit}");
    }
}

#[test]
fn a_new_branch_may_take_a_minute_unless_the_caller_has_less_time() {
    let race = |at, _, _| {
        if at < 60_000 {
            Outcome::Fails(Kind::EndpointWaking, 20)
        } else {
            Outcome::In
        }
    };
    let mut dial = race;
    let mut one = world(&mut dial);
    one.ask = Kind::NotPropagated;
    let (took, outcome) = one.run(USUAL);
    assert!(outcome.is_ok() && took < 62_500, "{took} ms");
    let asked = one.count(|step| matches!(step, Step::Ask(_)));
    assert!((20..=31).contains(&asked), "{asked}: every two seconds");

    let mut dial = race;
    let mut one = world(&mut dial);
    one.ask = Kind::NotPropagated;
    let (took, outcome) = one.run(firm(10));
    assert_eq!(outcome, Err((Kind::NotPropagated, true)));
    assert!((9_900..=10_000).contains(&took), "{took} ms");
}

#[test]
fn every_address_is_tried_before_any_wait_and_one_that_hangs_leaves_time_for_the_others() {
    let mut second = |_, address, _| {
        if address == 1 {
            Outcome::In
        } else {
            Outcome::Hangs(Kind::Tcp)
        }
    };
    let mut one = world(&mut second);
    one.addresses = 3;
    let (took, outcome) = one.run(USUAL);
    assert!(outcome.is_ok() && took == 5_000, "{took} ms");
    assert_eq!(one.count(|step| matches!(step, Step::Wait(_))), 0);

    let mut hangs = |_, _, _| Outcome::Hangs(Kind::Tcp);
    let mut one = world(&mut hangs);
    one.addresses = 3;
    let (took, outcome) = one.run(USUAL);
    assert_eq!(outcome, Err((Kind::Tcp, true)));
    assert!(took <= 30_000 && one.count(dials) == 3, "{took} ms");

    let mut refused = |_, _, _| Outcome::Fails(Kind::Tcp, 1);
    let mut one = world(&mut refused);
    let (took, outcome) = one.run(USUAL);
    assert_eq!(outcome, Err((Kind::Tcp, true)));
    assert!(
        (9_900..=10_000).contains(&took),
        "{took} ms: soon diagnosed"
    );
}

#[test]
fn what_a_server_said_is_not_hidden_by_a_last_try_without_time() {
    let mut full = |at, _, _| {
        if at < 2_900 {
            Outcome::Fails(Kind::TooManyConnections, 5)
        } else {
            Outcome::Hangs(Kind::Tcp)
        }
    };
    let mut one = world(&mut full);
    assert_eq!(one.run(firm(3)).1, Err((Kind::TooManyConnections, true)));
}

#[test]
fn a_bad_certificate_is_not_hidden_by_another_address_that_is_dead() {
    for bad in [0, 1] {
        let mut dial =
            |_, address, _| Outcome::Fails(if address == bad { Kind::Tls } else { Kind::Tcp }, 1);
        let mut one = world(&mut dial);
        one.addresses = 2;
        assert_eq!(one.run(USUAL), (2, Err((Kind::Tls, false))));
    }
}

#[test]
fn no_connect_outlives_its_budget_whatever_happens() {
    for kind in Kind::ALL {
        for seconds in [1, 5, 30, 200] {
            for (unit, cost) in [(0.0, 0), (0.7, 40), (1.0, 3_000)] {
                let mut fails = |_, _, _| Outcome::Fails(*kind, cost);
                let mut one = world(&mut fails);
                (one.unit, one.addresses, one.ask) = (unit, 2, Kind::NotPropagated);
                let (took, outcome) = one.run(firm(seconds));
                assert!(outcome.is_err());
                // A server that answers can be told at any moment; two addresses may still be under way.
                assert!(
                    took <= seconds * 1000 + 2 * cost,
                    "{kind:?}: {took} ms of {seconds} s"
                );
            }
        }
    }
}

#[test]
fn the_waits_grow_and_are_jittered_over_their_whole_length() {
    let waits = |unit| {
        let mut fails = |_, _, _| Outcome::Fails(Kind::TooManyConnections, 0);
        let mut one = world(&mut fails);
        one.unit = unit;
        let _ = one.run(USUAL);
        let wait = |step: &Step| match step {
            Step::Wait(wait) => Some(millis(*wait)),
            _ => None,
        };
        one.log
            .iter()
            .filter_map(wait)
            .take(7)
            .collect::<Vec<u64>>()
    };
    assert_eq!(waits(1.0), [100, 200, 400, 800, 1600, 2000, 2000]);
    assert_eq!(waits(0.0), [20; 7]);
}
