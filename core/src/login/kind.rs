//! The kinds of trouble with a login, and what each of them is worth.
//!
//! Whether to try again is decided here and nowhere else: a retry loop that guesses turns a missing role into a hang of
//! minutes, or gives up on a database that would have been awake a second later.

use std::time::Duration;

use crate::code::Code;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $budget:ident, $invalidate:literal;)*) => {
        /// What kind of trouble a login had.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The stable name, the same in every language: `role_missing`.
            pub const fn slug(self) -> &'static str {
                match self { $(Kind::$name => $slug,)* }
            }

            /// How long another try may be worth its wait.
            pub const fn budget(self) -> Budget {
                match self { $(Kind::$name => Budget::$budget,)* }
            }

            /// Whether the cached token has to go before the next try.
            pub const fn invalidates(self) -> bool {
                match self { $(Kind::$name => $invalidate,)* }
            }
        }
    };
}

kinds! {
    /// The password is no database credential: a personal access token, a native password, a token on a pooled host.
    WrongTokenKind = "wrong_token_kind", Never, false;
    /// The token was refused: it has ended, or was revoked. Postgres says the same of a missing role.
    StaleToken = "stale_token", Once, true;
    /// The token is of somebody else than the role that was asked for.
    WrongUser = "wrong_user", Never, false;
    /// There is no such role on the branch.
    RoleMissing = "role_missing", Never, false;
    /// There is no such database on the branch.
    DatabaseMissing = "database_missing", Never, false;
    /// The role may not connect to the database, or may not log in.
    NotPermitted = "not_permitted", Never, false;
    /// The compute sleeps, starts or restarts.
    EndpointWaking = "endpoint_waking", Wake, false;
    /// The endpoint is disabled, and no connection wakes it.
    EndpointDisabled = "endpoint_disabled", Never, false;
    /// The branch is so new that not every part of the service knows it yet.
    NotPropagated = "not_propagated", Branch, false;
    /// The workspace's IP access list does not have this machine's address.
    IpBlocked = "ip_blocked", Never, false;
    /// Every connection slot is taken.
    TooManyConnections = "too_many_connections", Connect, false;
    /// TLS is missing, or the server's certificate was not accepted.
    Tls = "tls", Never, false;
    /// This machine's clock is so wrong that it is the reason.
    ClockSkew = "clock_skew", Never, false;
    /// The host name has no address.
    Dns = "dns", Short, false;
    /// Nobody answers at the address.
    Tcp = "tcp", Short, false;
    /// The server went away while the login was under way.
    ServerGone = "server_gone", Wake, false;
    /// None of these.
    Unknown = "unknown", Never, false;
}

/// For how long a kind of trouble is worth another try, from the begin of the connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Another try fails the same way.
    Never,
    /// One more try, with another token.
    Once,
    /// A third of the connect's budget: then it is a wrong name, a firewall or an outage.
    Short,
    /// Two thirds of the connect's budget.
    Wake,
    /// All of the connect's budget.
    Connect,
    /// As long as a new branch may take, beyond the connect's budget unless the caller set one.
    Branch,
}

/// The budget of a connect that names none.
pub const CONNECT: Duration = Duration::from_secs(30);
/// How long after its creation an endpoint may be unknown to parts of the service: a minute has been seen.
pub const PROPAGATION: Duration = Duration::from_secs(75);

impl Kind {
    /// Whether another try may succeed.
    pub const fn is_retryable(self) -> bool {
        !matches!(self.budget(), Budget::Never)
    }

    /// The kind of a failure that lakekey itself reported, if it is about the way to the database.
    pub const fn of_code(code: Code) -> Option<Kind> {
        Some(match code {
            Code::EndpointDisabled => Kind::EndpointDisabled,
            Code::EndpointNotReady => Kind::NotPropagated,
            Code::ResolveFailed | Code::ResolveTimeout => Kind::Dns,
            Code::PoolerRefused => Kind::WrongTokenKind,
            _ => return None,
        })
    }

    /// Whether the trouble is that of one address, so that the next one may do.
    pub(crate) const fn is_of_address(self) -> bool {
        matches!(self, Kind::Tcp | Kind::Tls | Kind::ServerGone)
    }
}

impl Budget {
    /// The stable name, the same in every language.
    pub const fn slug(self) -> &'static str {
        match self {
            Budget::Never => "never",
            Budget::Once => "once",
            Budget::Short => "short",
            Budget::Wake => "wake",
            Budget::Connect => "connect",
            Budget::Branch => "branch",
        }
    }

    /// How long that is in a connect with a budget of `connect`.
    pub fn of(self, connect: Duration) -> Duration {
        match self {
            Budget::Never | Budget::Once => Duration::ZERO,
            Budget::Short => connect / 3,
            Budget::Wake => connect / 3 * 2,
            Budget::Connect => connect,
            Budget::Branch => connect.max(PROPAGATION),
        }
    }
}
