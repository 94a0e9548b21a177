//! Who mints, when several processes want to.
//!
//! Before a mint the file is looked at: another process may have minted already. Then there is one lock per credential,
//! which the system takes from a process that dies. Nobody waits long for it: its holder may be stopped, and a second mint
//! is better than a login that fails. Nobody waits on an async thread for a disk either.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::directory::{Directory, Found, Locked, boot};
use super::option::{SharedCredentials, place};
use super::record::{Kept, Reader};
use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::config::Environment;
use crate::credential::policy::LONGEST_LIFETIME;
use crate::credential::store::SlotKey;
use crate::error::{Error, Result};

/// How long another process may take to mint before this one does so too; shorter than the first attempt of a mint, so
/// that a caller with the default budget of ten seconds has time for both.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(15);
/// How long a file may take that only saves a question to the workspace.
const FACT_PATIENCE: Duration = Duration::from_secs(1);
/// Digits of the hash in a file's name.
const DIGITS: usize = 64;
const CREDENTIAL: &str = "credential";
const KINDS: [&str; 4] = [CREDENTIAL, "endpoint", "target", "user"];

/// The files of one client's directory.
#[derive(Debug)]
pub(crate) struct Exchange {
    directory: Result<Directory>,
    required: bool,
    boot: String,
    clock: Arc<dyn Clock>,
}

/// What became of a wish for a credential.
pub(crate) enum Turn {
    /// Another process has minted it.
    Take(Kept),
    /// It is to be minted here, and others wait until the lock is dropped.
    Mint(Locked),
    /// It is to be minted here, whatever others do: one of them takes long, or the directory cannot be used.
    Alone(Option<Error>),
}

/// One look at a credential's file.
enum Look {
    Take(Kept),
    Mine(Locked),
    Busy,
}

/// Whether a file in the directory is one of these.
pub(super) fn is_ours(name: &str) -> bool {
    let Some((kind, rest)) = name.split_once('-') else {
        return false;
    };
    KINDS.contains(&kind)
        && rest.len() >= DIGITS
        && rest
            .bytes()
            .take(DIGITS)
            .all(|byte| byte.is_ascii_hexdigit())
}

impl Exchange {
    /// What the program says, else the environment. `None` where nothing is shared.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] for a variable that cannot be understood. A directory that cannot be used is found out
    /// when it is needed.
    pub(crate) fn new(
        option: Option<&SharedCredentials>,
        environment: &Environment,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Arc<Exchange>>> {
        let option = match option {
            Some(option) => option.clone(),
            None => SharedCredentials::of(environment)?,
        };
        let SharedCredentials::On {
            directory,
            required,
        } = option
        else {
            return Ok(None);
        };
        let directory = place(directory, environment)
            .map(|(path, private_parent)| Directory::new(path, private_parent));
        Ok(Some(Arc::new(Exchange {
            directory,
            required,
            boot: boot(),
            clock: Arc::clone(clock),
        })))
    }

    /// Waits for another process's credential that `fits`, or for the right to mint. A file with a token for which
    /// `refused` holds is removed, so that nobody else tries it.
    ///
    /// # Errors
    /// [`Code::SharedDirectory`] if the directory cannot be used and the program requires it.
    pub(crate) async fn turn<F, R>(
        self: &Arc<Self>,
        key: &SlotKey,
        fits: F,
        refused: R,
    ) -> Result<Turn>
    where
        F: Fn(&Kept) -> bool + Clone + Send + 'static,
        R: Fn(&Kept) -> bool + Clone + Send + 'static,
    {
        let until = Deadline::after(&*self.clock, PATIENCE);
        let name = credential_file(key);
        loop {
            let (this, name) = (Arc::clone(self), name.clone());
            let (fits, refused) = (fits.clone(), refused.clone());
            let look = off(move || this.look(&name, fits, refused));
            let look = until.limit(&*self.clock, look).await;
            match look {
                Some(Ok(Look::Take(kept))) => return Ok(Turn::Take(kept)),
                Some(Ok(Look::Mine(locked))) => return Ok(Turn::Mint(locked)),
                Some(Ok(Look::Busy)) if !until.left(&*self.clock).is_zero() => {
                    self.clock.sleep(LOOK_AGAIN).await;
                }
                Some(Ok(Look::Busy)) => return Ok(Turn::Alone(None)),
                Some(Err(error)) => return self.trouble(error),
                None => return self.trouble(slow()),
            }
        }
    }

    /// Lets the other processes have a credential that was minted here.
    pub(crate) async fn offer(self: &Arc<Self>, key: &SlotKey, kept: Kept, locked: Option<Locked>) {
        let (this, name) = (Arc::clone(self), credential_file(key));
        let write = off(move || {
            let directory = this.directory()?;
            let written = this.reader(&name).write_credential(&kept);
            directory.replace(&name, &written.ok_or_else(unwritable)?)?;
            drop(locked);
            directory.sweep(2 * LONGEST_LIFETIME, &name)
        });
        let written = Deadline::after(&*self.clock, FACT_PATIENCE)
            .limit(&*self.clock, write)
            .await;
        if let Err(error) = written.unwrap_or_else(|| Err(slow())) {
            // Whoever requires it was told when it was read; here is a credential that works.
            let _ = self.trouble(error);
        }
    }

    /// A fact that another process learnt, and the boot time at which it did.
    pub(crate) async fn recall<T>(self: &Arc<Self>, kind: &str, parts: &[&str]) -> Option<(T, u64)>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let (this, name) = (Arc::clone(self), file(kind, parts));
        let read = off(move || match this.directory()?.read(&name)? {
            Found::Text(text) => Ok(this.reader(&name).fact(&text)),
            Found::Nothing | Found::Foreign(_) => Ok(None),
        });
        Deadline::after(&*self.clock, FACT_PATIENCE)
            .limit(&*self.clock, read)
            .await?
            .ok()?
    }

    /// Lets the other processes know a fact.
    pub(crate) async fn remember<T>(self: &Arc<Self>, kind: &str, parts: &[&str], fact: &T)
    where
        T: Serialize,
    {
        let name = file(kind, parts);
        let Some(text) = self.reader(&name).write_fact(fact) else {
            return;
        };
        let this = Arc::clone(self);
        let write = off(move || this.directory()?.replace(&name, &text));
        // Another process asks itself then.
        let _ = Deadline::after(&*self.clock, FACT_PATIENCE)
            .limit(&*self.clock, write)
            .await;
    }

    /// Takes a fact back that turned out to be wrong.
    pub(crate) fn forget(&self, kind: &str, parts: &[&str]) {
        if let Ok(directory) = self.directory() {
            let _ = directory.remove(&file(kind, parts));
        }
    }

    fn look(
        &self,
        name: &str,
        fits: impl Fn(&Kept) -> bool,
        refused: impl Fn(&Kept) -> bool,
    ) -> Result<Look> {
        let directory = self.directory()?;
        let read = || match directory.read(name)? {
            Found::Text(text) => Ok(self.reader(name).credential(&text)),
            Found::Nothing => Ok(None),
            Found::Foreign(why) => {
                tracing::warn!(
                    reason = why.message(),
                    "ignoring a file of shared credentials"
                );
                Ok(None)
            }
        };
        if let Some(kept) = read()?.filter(|kept| !refused(kept) && fits(kept)) {
            return Ok(Look::Take(kept));
        }
        let Some(locked) = directory.try_lock(name)? else {
            return Ok(Look::Busy);
        };
        // Another process may have minted between the look and the lock.
        match read()? {
            Some(kept) if refused(&kept) => directory.remove(name)?,
            Some(kept) if fits(&kept) => return Ok(Look::Take(kept)),
            _ => {}
        }
        Ok(Look::Mine(locked))
    }

    fn reader<'a>(&'a self, name: &'a str) -> Reader<'a> {
        Reader {
            key: name,
            boot: &self.boot,
            now: self.clock.now(),
        }
    }

    fn directory(&self) -> Result<&Directory> {
        self.directory.as_ref().map_err(Error::clone)
    }

    /// An error for those who require the directory, a warning for all others.
    fn trouble(&self, error: Error) -> Result<Turn> {
        if self.required {
            return Err(error);
        }
        tracing::warn!(
            code = error.code().slug(),
            reason = error.message(),
            "this process mints its own credentials"
        );
        Ok(Turn::Alone(Some(error)))
    }
}

/// Runs work on files where it keeps no async thread from other work. A runtime with one thread has no better place for it.
async fn off<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(unwritable()))
}

fn slow() -> Error {
    Error::new(
        Code::SharedDirectory,
        "credentials cannot be shared: the file system does not answer",
    )
    .with_hint("Use a directory on this machine, such as one on tmpfs")
}

fn unwritable() -> Error {
    Error::new(
        Code::SharedDirectory,
        "a credential could not be kept in a file",
    )
}

fn credential_file(key: &SlotKey) -> String {
    let SlotKey {
        host,
        principal,
        endpoint,
        claims,
        ttl,
    } = key;
    let ttl = ttl.map_or_else(String::new, |ttl| ttl.as_millis().to_string());
    let claims = claims.as_deref();
    let asked = if claims.is_some() { "claims" } else { "" };
    let parts = [
        host,
        principal,
        endpoint,
        asked,
        claims.unwrap_or_default(),
        &ttl,
    ];
    file(CREDENTIAL, &parts)
}

/// The name of a file: what it is about cannot be told from it.
fn file(kind: &str, parts: &[&str]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in [kind].iter().chain(parts) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut name = format!("{kind}-");
    for byte in context.finish().as_ref() {
        let _ = write!(name, "{byte:02x}");
    }
    name
}
