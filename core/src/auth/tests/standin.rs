//! Stand-in programs: small shell scripts under the names of the real tools, which write down how they were called.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use crate::auth::{AzureEndpoints, Outside};
use crate::clock::{Deadline, SystemClock};
use crate::config::{Environment, Settings, resolve};
use crate::error::Result;
use crate::http::scripted::Scripted;
use crate::http::{Answer, Api, Call, Retry};
use crate::jitter::FixedDice;

/// The smallest size of a real CLI.
const MEGABYTE: usize = 1024 * 1024;

/// A folder of programs, which alone is the `PATH`.
pub(super) struct Programs(TempDir);

impl Programs {
    pub(super) fn new() -> Programs {
        Programs(tempfile::tempdir().unwrap())
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A script of that name. `$calls` is where calls are written down; it is padded to the size of a real tool.
    pub(super) fn with(self, name: &str, script: &str) -> Programs {
        self.add(name, script, MEGABYTE)
    }

    pub(super) fn with_small(self, name: &str, script: &str) -> Programs {
        self.add(name, script, 0)
    }

    fn add(self, name: &str, script: &str, size: usize) -> Programs {
        let calls = self.file("calls");
        let mut text = format!(
            "#!/bin/sh\ncalls='{}'\necho \"$(/usr/bin/basename $0) $*\" >> \"$calls\"\n{script}\nexit 0\n",
            calls.display()
        );
        text.push_str(&"#".repeat(size));
        let file = self.file(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    pub(super) fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.file("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(super) fn path(&self) -> String {
        self.0.path().display().to_string()
    }

    /// An API on the system's clock that finds these programs and nothing else.
    pub(super) fn api(
        &self,
        settings: &[(&str, &str)],
        env: &[(&str, &str)],
        wire: &Arc<Scripted>,
    ) -> Result<Api> {
        let path = self.path();
        let env = [("PATH", path.as_str())]
            .into_iter()
            .chain(env.iter().copied());
        let settings: Settings = settings.iter().copied().collect();
        Api::new(
            Arc::new(resolve(&settings, &Arc::new(Environment::from_pairs(env)))?),
            &Outside {
                azure: Some(look_alikes()),
                ..Outside::default()
            },
            Arc::clone(wire) as _,
            Arc::new(SystemClock),
            Arc::new(FixedDice(0.0)),
            None,
            None,
        )
    }
}

pub(super) fn look_alikes() -> AzureEndpoints {
    AzureEndpoints {
        entra: "http://127.0.0.1:1/entra/".to_owned(),
        resource_manager: "http://127.0.0.1:1/arm/".to_owned(),
        service_management: "https://management".to_owned(),
        instance_metadata: "http://127.0.0.1:1/".to_owned(),
    }
}

/// Calls `/me` and gives the answer.
pub(super) async fn ask_within(api: &Api, ms: u64) -> Result<Answer> {
    api.call(Call {
        method: http::Method::GET,
        path: "/me",
        query: &[],
        body: None,
        deadline: Deadline::after(&SystemClock, std::time::Duration::from_millis(ms)),
        retry: Retry::WithinDeadline,
    })
    .await
}
