//! `find_endpoint`: from what people write to the endpoint's record.

use serde_json::{Value, json};

use super::{Own, text};
use crate::endpoint;
use crate::error::Result;
use crate::management::Object;

impl Own<'_> {
    pub(super) async fn find_endpoint(&self, given: &Object) -> Result<Value> {
        let client = self.postgres.client();
        let chosen = client.choose(text(given, "target")?.as_deref())?;
        let api = &client.door()?.api;
        let name = endpoint::find(api, &chosen.target, self.deadline).await?;
        self.ask("get_endpoint", json!({"name": name})).await
    }
}
