//! `wait_synced_table`: a table's create ends before its rows are there, and only its status says when they are.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Own, at, text};
use crate::code::Code;
use crate::error::{Error, Result};
use crate::management::Object;
use crate::management::polling::interval;

impl Own<'_> {
    pub(super) async fn wait_synced_table(&self, given: &Object) -> Result<Value> {
        let name = text(given, "name")?.unwrap_or_default();
        let name = match name.strip_prefix("synced_tables/") {
            Some(_) => name,
            None => format!("synced_tables/{name}"),
        };
        let clock = self.postgres.client().clock();
        let began = clock.now().boot_ms;
        loop {
            let table = self.ask("get_synced_table", json!({"name": name})).await?;
            let state = at(&table, "/status/detailed_state").to_owned();
            if state.starts_with("SYNCED_TABLE_ONLINE") && !state.ends_with("FAILED") {
                return Ok(table);
            }
            if state.ends_with("FAILED") {
                let why = at(&table, "/status/message");
                return Err(Error::new(
                    Code::OperationFailed,
                    format!("the synced table {name} has failed ({state}): {why}"),
                )
                .with_hint("Look at its pipeline in the workspace"));
            }
            let age = Duration::from_millis(clock.now().boot_ms.saturating_sub(began));
            let pause = interval(age);
            if pause >= self.left() {
                return Err(Error::new(
                    Code::Timeout,
                    format!("the synced table {name} has no rows yet (state {state})"),
                )
                .with_hint("It goes on in the service: wait for it again, or allow more time"));
            }
            clock.sleep(pause).await;
        }
    }
}
