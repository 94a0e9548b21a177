//! What the front door and the Postgres clusters need to know of the control plane, and nothing more.
//!
//! The control plane's state implements [`Directory`]. Without this seam the Postgres side would reach into HTTP
//! resources, and a change to a JSON field could change who may log in.

use std::sync::Arc;

use jiff::Timestamp;
use lakekey_gateway::{Disturbance, Moment};
use serde::Serialize;

/// One endpoint as the front door sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Unique id, the first label of its host name, such as `ep-calm-river-d1a2b3c4`.
    pub uid: String,
    /// Resource name, `projects/{p}/branches/{b}/endpoints/{e}`.
    pub name: String,
    /// Unique id of the branch, such as `br-still-moon-e5f6a7b8`: one Postgres cluster each.
    pub branch_uid: String,
    /// Major version of Postgres of its project: 16 or 17.
    pub pg_version: u32,
    /// Disabled endpoints refuse connections, and a connection does not wake them.
    pub disabled: bool,
    /// Read-only endpoints have a Postgres of their own, which follows that of the branch.
    pub read_only: bool,
    /// Whether the host that was asked for is the pooled one (`-pooler`), which takes no tokens.
    pub pooled: bool,
    /// Idle time in milliseconds of the virtual clock after which the compute is suspended; `None`: never.
    pub suspend_after_ms: Option<u64>,
}

/// A login role of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The name in Postgres: an e-mail address, an application id (UUID), a group's name or a native name.
    pub name: String,
    /// Whether it logs in by token or by a native password.
    pub login: RoleLogin,
    /// Member of `databricks_superuser`.
    pub superuser: bool,
}

/// A role that somebody made in SQL for a Databricks identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeRole {
    /// The name in Postgres, which is the identity's.
    pub name: String,
    /// `USER`, `SERVICE_PRINCIPAL` or `GROUP`.
    pub identity_type: String,
}

/// How a role proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleLogin {
    /// By a database credential whose `sub` is the role's name, or a member of the group of that name.
    Token,
    /// By a native Postgres password.
    Password,
    /// It does not log in.
    None,
}

/// Why a presented password was not accepted. The texts and SQLSTATEs of each stand in `data/login_errors.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// The password is no JWT at all: a personal access token, a native password, something cut off.
    NotAJwt,
    /// A valid OAuth token of the workspace, which is no database credential.
    WorkspaceToken,
    /// A JWT that this Lakebase did not sign, or of another workspace.
    Untrusted,
    /// A database credential that has expired, by the virtual clock.
    Expired,
    /// A good database credential of somebody who is neither the role nor a member of it.
    WrongIdentity,
    /// The branch has no such role.
    RoleMissing,
    /// The native password is wrong, or the role has none.
    WrongPassword,
    /// Native passwords are switched off in the project: the connection ends without a message.
    NativeLoginOff,
    /// A token on a pooled host.
    TokenOnPooler,
}

/// What a token that was accepted says of itself, for the journal: whoever reads there can tell that nobody came in with
/// an expired one or with somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Presented {
    /// Whose it is.
    pub subject: String,
    /// When it ends, by the virtual clock.
    pub expires: Timestamp,
    /// When it was looked at; a login that wakes a compute is in only later.
    pub checked: Timestamp,
}

/// The state of the control plane, as far as logging in needs it. Every call answers at once, without I/O.
pub trait Directory: Send + Sync + 'static {
    /// The endpoint whose direct, read-only or pooled host has this name (lower case), if any.
    fn endpoint_by_host(&self, host: &str) -> Option<Endpoint>;
    /// The endpoint with this uid.
    fn endpoint_by_uid(&self, uid: &str) -> Option<Endpoint>;
    /// An added fault or a branch's youth may make the authorization step refuse: the optional reason to append.
    fn external_refusal(&self, endpoint: &Endpoint) -> Option<Option<String>>;
    /// What goes wrong on purpose with a login that has come so far.
    fn disturbance(&self, _moment: Moment) -> Option<Disturbance> {
        None
    }
    /// Whether `role` may log in to `endpoint` with `password`, and what the token that it is says of itself.
    fn check_login(
        &self,
        endpoint: &Endpoint,
        role: &str,
        password: &str,
    ) -> Result<Option<Presented>, LoginRefusal>;
    /// Whether `role` logs in to `endpoint` by the password that Postgres has of it.
    fn logs_in_by_password(&self, _endpoint: &Endpoint, _role: &str) -> bool {
        false
    }
    /// How many sessions the endpoint's compute takes; `None`: as many as Postgres takes.
    fn connection_limit(&self, _endpoint: &Endpoint) -> Option<usize> {
        None
    }
    /// The roles that must exist in Postgres when the branch's cluster first starts.
    fn roles(&self, branch_uid: &str) -> Vec<Role>;
    /// Takes over roles that were made in SQL, with `databricks_create_role`; those it knows stay as they are.
    fn adopt_roles(&self, branch_uid: &str, made: &[MadeRole]);
    /// The databases that must exist, each with its owner.
    fn databases(&self, branch_uid: &str) -> Vec<(String, String)>;
    /// A compute changed its state; the control plane shows it as `current_state`.
    fn compute_changed(&self, endpoint_uid: &str, state: ComputeState);
    /// A login was accepted, with a token or without, or refused with this SQLSTATE and text: for the journal and the
    /// counters.
    fn login_seen(
        &self,
        endpoint_uid: Option<&str>,
        role: &str,
        end: Result<Option<&Presented>, (&str, &str)>,
    );
}

/// The life of a compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComputeState {
    /// No Postgres is running.
    Suspended,
    /// Postgres has been started and is not ready yet.
    Starting,
    /// Postgres answers.
    Ready,
    /// Postgres is being stopped.
    Stopping,
}

/// A shared [`Directory`].
pub type SharedDirectory = Arc<dyn Directory>;
