//! What an emulator can be asked to be.

use std::path::PathBuf;
use std::time::Duration;

/// How foreign clients find an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostMode {
    /// By a host name below `localhost`, as in the cloud: strict about SNI. Where such names do not resolve, clients
    /// also need `hostaddr`.
    #[default]
    Name,
    /// By a loopback address for each endpoint, for clients that can only be given a host. Without a port of its own
    /// choice it listens there on 5432, or on a free port when some program holds 5432 on all addresses.
    Ip,
    /// By a port for each endpoint on `localhost`, where the machine has no further loopback addresses.
    Port,
    /// By a host name that only the emulator's own name server knows, as in a network whose DNS is a client's problem.
    Dns,
}

/// When idle computes are suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SuspendAfter {
    /// As each endpoint says, a day unless it was changed.
    #[default]
    AsConfigured,
    /// After this time of the virtual clock, to the second.
    Idle(Duration),
    /// Never.
    Never,
}

/// How to start an emulator; [`Options::default`] takes free ports, keeps nothing and runs Postgres 17.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Port of the control plane; 0: a free one.
    pub port: u16,
    /// Port of Postgres; 0: a free one, or 5432 with [`HostMode::Ip`].
    pub pg_port: u16,
    /// Port of the admin API; 0: a free one.
    pub admin_port: u16,
    /// Where state is kept; none: a temporary directory that is removed at the end.
    pub state_dir: Option<PathBuf>,
    /// Major version of Postgres of the projects: 16 or 17.
    pub pg_version: u32,
    /// Where `postgres` and `initdb` are; none: they are searched for.
    pub pg_bin_dir: Option<PathBuf>,
    /// How foreign clients find an endpoint.
    pub host_mode: HostMode,
    /// Projects besides `emulator`.
    pub projects: Vec<String>,
    /// Lifetime of database credentials in seconds, instead of an hour; lifts the limits on what may be asked for.
    pub token_ttl_s: Option<i64>,
    /// When idle computes are suspended.
    pub suspend_after: SuspendAfter,
    /// How much longer a compute takes to wake than its Postgres takes to start.
    pub wake_latency: Duration,
    /// How long operations of the control plane take at least, on the virtual clock.
    pub operation_delay: Duration,
    /// Whether Postgres runs behind the endpoints; without it there is the control plane alone.
    pub postgres: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            pg_port: 0,
            admin_port: 0,
            state_dir: None,
            pg_version: 17,
            pg_bin_dir: None,
            host_mode: HostMode::Name,
            projects: Vec::new(),
            token_ttl_s: None,
            suspend_after: SuspendAfter::AsConfigured,
            wake_latency: Duration::ZERO,
            operation_delay: Duration::ZERO,
            postgres: true,
        }
    }
}

impl Options {
    /// The control plane without Postgres: for tests of API clients, which it serves in milliseconds.
    pub fn control_plane_only() -> Self {
        Self {
            postgres: false,
            ..Self::default()
        }
    }
}
