//! A local Lakebase for one test, and programs that are pointed at it and at nothing else.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use lakekey_emulator::{Emulator, Options};
use tokio::runtime::Runtime;

use crate::build::library_path;

/// One emulator. It ends with this value.
pub(crate) struct World {
    pub(crate) emulator: Option<Emulator>,
    runtime: Runtime,
    home: tempfile::TempDir,
    /// Takes connections and never answers.
    silent: TcpListener,
}

impl World {
    /// With or without a Postgres behind the endpoints.
    pub(crate) fn start(postgres: bool, token_ttl_s: Option<i64>) -> World {
        let runtime = Runtime::new().unwrap();
        let mut options = Options::default();
        options.postgres = postgres;
        options.token_ttl_s = token_ttl_s;
        let emulator = runtime
            .block_on(Emulator::start(options))
            .expect("the emulator starts; run `cargo xtask postgres` first");
        World {
            emulator: Some(emulator),
            runtime,
            home: crate::build::scratch(),
            silent: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    pub(crate) fn emulator(&self) -> &Emulator {
        self.emulator.as_ref().unwrap()
    }

    /// Tells the admin API something.
    pub(crate) fn admin(&self, path: &str, body: &serde_json::Value) {
        let emulator = self.emulator();
        let url = format!("{}/_emulator{path}", emulator.urls().admin);
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        agent
            .post(url)
            .header(
                "authorization",
                format!("Bearer {}", emulator.admin_token()),
            )
            .send_json(body)
            .unwrap();
    }

    /// A program with an environment of its own.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let silent = self.silent.local_addr().unwrap();
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("LD_LIBRARY_PATH", library_path())
            .env("LAKEKEY_TEST_SILENT_HOST", format!("http://{silent}"))
            .env("LAKEKEY_TEST_TOKEN", "dapi-emulator")
            .envs(self.emulator().environment());
        command
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(emulator) = self.emulator.take() {
            self.runtime.block_on(emulator.shutdown());
        }
    }
}
