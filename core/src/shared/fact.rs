//! What a login needs besides the credential: the endpoint that is meant, its host, the login name. Without these a good
//! credential would be worth nothing while the workspace is away.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exchange::Exchange;
use crate::http::Api;
use crate::once::Remembered;

/// Which fact: its kind, of which workspace for whom, and about what.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    kind: &'static str,
    parts: [String; 3],
}

impl Fact {
    pub(crate) fn new(kind: &'static str, api: &Api, about: &str) -> Fact {
        Fact {
            kind,
            parts: [api.host(), api.principal(), about].map(str::to_owned),
        }
    }

    /// Fills an empty place with what another process learnt.
    pub(crate) async fn recall<T>(&self, exchange: Option<&Arc<Exchange>>, place: &Remembered<T>)
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        if let Some(exchange) = exchange.filter(|_| self.is_known() && place.current().is_none())
            && let Some((fact, at)) = exchange.recall(self.kind, &self.parts()).await
        {
            place.adopt_fetched(fact, at);
        }
    }

    /// Lets the other processes know.
    pub(crate) async fn remember<T: Serialize>(&self, exchange: Option<&Arc<Exchange>>, fact: &T) {
        if let Some(exchange) = exchange.filter(|_| self.is_known()) {
            exchange.remember(self.kind, &self.parts(), fact).await;
        }
    }

    /// Takes it back.
    pub(crate) fn forget(&self, exchange: &Exchange) {
        exchange.forget(self.kind, &self.parts());
    }

    /// Whether it was known for whom, when this was made: what one identity may see, another may not.
    fn is_known(&self) -> bool {
        self.parts[..2].iter().all(|part| !part.is_empty())
    }

    fn parts(&self) -> [&str; 3] {
        self.parts.each_ref().map(String::as_str)
    }
}
