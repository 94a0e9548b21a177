//! Settling on one identity.
//!
//! Often one look at the configuration tells who we are. Where several types have all they need, they are tried in order
//! and the first that gets a token is kept for good: a credential must not change hands because a service was away for
//! a moment. So only a refusal moves on to the next type; trouble of the network, or a tool that hangs, decides nothing.

use std::sync::Arc;

use tokio::sync::OnceCell;
use url::Url;

use crate::auth::{Candidates, Chosen, Tokens, Tried, all_failed, reason_of};
use crate::clock::{Clock, Deadline};
use crate::code::Code;
use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::http::Retry;

/// Who we are, and where.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) chosen: Arc<Chosen>,
    /// The workspace's origin, without a final slash.
    pub(crate) host: String,
    pub(crate) origin: Url,
    /// Types that were refused before this one.
    pub(crate) refused: Vec<Tried>,
}

/// The candidates, and the one that was settled on.
#[derive(Debug)]
pub(crate) struct Identity {
    candidates: Candidates,
    settled: OnceCell<Settled>,
}

impl Identity {
    pub(crate) fn new(candidates: Candidates, resolved: &Resolved) -> Result<Identity> {
        let only = match &candidates.usable[..] {
            [first, ..] if matches!(first.tokens, Tokens::Fixed(_)) => Some(first),
            [only] => Some(only),
            _ => None,
        };
        let settled = match (only, resolved.host()) {
            (Some(chosen), Some(host)) => Some(settled(chosen, host, Vec::new())?),
            _ => None,
        };
        Ok(Identity {
            candidates,
            settled: OnceCell::new_with(settled),
        })
    }

    /// The identity, if it is settled.
    pub(crate) fn current(&self) -> Option<&Settled> {
        self.settled.get()
    }

    /// What is tried, in order: the names.
    pub(crate) fn usable(&self) -> impl Iterator<Item = &'static str> {
        self.candidates.usable.iter().map(|chosen| chosen.auth_type)
    }

    /// What lacks something, and what was refused.
    pub(crate) fn tried(&self) -> Vec<Tried> {
        let refused = self.current().map(|settled| settled.refused.clone());
        let mut all = self.candidates.tried.clone();
        all.extend(refused.unwrap_or_default());
        all
    }

    pub(crate) async fn settle(
        &self,
        resolved: &Resolved,
        deadline: Deadline,
        retry: Retry,
        clock: &dyn Clock,
    ) -> Result<&Settled> {
        self.settled
            .get_or_try_init(|| self.decide(resolved, deadline, retry, clock))
            .await
    }

    async fn decide(
        &self,
        resolved: &Resolved,
        deadline: Deadline,
        retry: Retry,
        clock: &dyn Clock,
    ) -> Result<Settled> {
        let mut failed: Vec<(Tried, Error)> = Vec::new();
        for chosen in &self.candidates.usable {
            let attempt = async {
                chosen.authorization(deadline, retry, clock).await?;
                match resolved.host() {
                    Some(host) => Ok(host.to_owned()),
                    None => chosen.host(deadline, retry).await,
                }
            };
            match attempt.await {
                Ok(host) => {
                    let refused: Vec<Tried> = failed.into_iter().map(|(tried, _)| tried).collect();
                    for tried in &refused {
                        tracing::warn!("{tried} did not work, so {} is used", chosen.auth_type);
                    }
                    return settled(chosen, &host, refused);
                }
                Err(error) => {
                    let tried = Tried {
                        auth_type: chosen.auth_type,
                        reason: reason_of(chosen.auth_type, &error),
                    };
                    let decides = !error.is_retryable() && !is_network(error.code());
                    failed.push((tried, error));
                    if !decides {
                        break;
                    }
                }
            }
        }
        Err(all_failed(resolved, &failed, &self.candidates.tried))
    }

    /// Takes over who the parent turned out to be, and its token.
    pub(crate) fn inherit(&self, parent: &Identity) {
        let Some(theirs) = parent.current() else {
            return;
        };
        let same = |chosen: &&Arc<Chosen>| chosen.principal == theirs.chosen.principal;
        let Some(own) = self.candidates.usable.iter().find(same) else {
            return;
        };
        // It fails when this one is settled already, which then is by the same configuration.
        let _ = self.settled.set(Settled {
            chosen: Arc::clone(own),
            ..theirs.clone()
        });
        own.inherit(&theirs.chosen);
    }
}

fn settled(chosen: &Arc<Chosen>, host: &str, refused: Vec<Tried>) -> Result<Settled> {
    let origin = Url::parse(host).map_err(|cause| {
        Error::new(Code::Internal, "a normalised host is no address").with_source(cause)
    })?;
    Ok(Settled {
        chosen: Arc::clone(chosen),
        host: host.to_owned(),
        origin,
        refused,
    })
}

fn is_network(code: Code) -> bool {
    (Code::HttpConnect.number()..=Code::HttpProtocol.number()).contains(&code.number())
}
