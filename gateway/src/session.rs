//! The sessions that are running, and how to end one from outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::mpsc;

use crate::packet::BackendKey;
use crate::startup::Startup;

/// How a session is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// An orderly end without a word: TLS `close_notify`, then FIN.
    Fin,
    /// A TCP reset.
    Reset,
    /// The TCP connection ends without TLS's goodbye.
    Cut,
    /// Nothing is moved any more, while the TCP connection stays open until the client or another kill ends it: a dead link.
    HalfOpen,
}

/// A running session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Unique in this gateway.
    pub id: u64,
    /// Where it goes.
    pub place: String,
    /// Who logged in.
    pub user: String,
    /// The database that it asked for.
    pub database: String,
    /// As given at its start.
    pub application_name: String,
    /// Process id of its backend, as Postgres knows it.
    pub backend_pid: i32,
    /// When it logged in, by the system's clock.
    pub since: SystemTime,
}

/// All running sessions of one gateway; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sessions(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    running: BTreeMap<u64, (Session, mpsc::UnboundedSender<Kill>)>,
}

impl Sessions {
    /// The running sessions, oldest first.
    pub fn list(&self) -> Vec<Session> {
        self.with(|inner| {
            inner
                .running
                .values()
                .map(|(session, _)| session.clone())
                .collect()
        })
    }

    /// Ends a session; `false` when there is none of this id any more.
    pub fn kill(&self, id: u64, how: Kill) -> bool {
        self.with(|inner| {
            inner
                .running
                .get(&id)
                .is_some_and(|(_, switch)| switch.send(how).is_ok())
        })
    }

    pub(crate) fn enter(&self, place: &str, startup: &Startup, real: BackendKey) -> Entered {
        let (switch, kills) = mpsc::unbounded_channel();
        let id = self.with(|inner| {
            inner.next += 1;
            let session = Session {
                id: inner.next,
                place: place.to_owned(),
                user: startup.user().to_owned(),
                database: startup.database().to_owned(),
                application_name: startup
                    .get("application_name")
                    .unwrap_or_default()
                    .to_owned(),
                backend_pid: real.process_id,
                since: SystemTime::now(),
            };
            inner.running.insert(inner.next, (session, switch));
            inner.next
        });
        Entered {
            sessions: self.clone(),
            id,
            kills,
        }
    }

    fn with<T>(&self, read: impl FnOnce(&mut Inner) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A session's own place in the list; it leaves the list when dropped.
pub(crate) struct Entered {
    sessions: Sessions,
    id: u64,
    pub(crate) kills: mpsc::UnboundedReceiver<Kill>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.sessions.with(|inner| inner.running.remove(&self.id));
    }
}
