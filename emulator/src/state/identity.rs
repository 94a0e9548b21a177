//! Who there is in the workspace: users, a service principal, groups, and the fixed secrets that prove who one is.
//!
//! The secrets are well known on purpose: they open a Lakebase that listens on this machine only, and a fixed one can
//! stand in a `.env` file or a CI variable without anybody guarding it.

use serde_json::Map;

use super::Lakebase;
use crate::Error;

const ID_TOKEN_TTL_S: i64 = 300;

/// The workspace's id.
pub const WORKSPACE_ID: &str = "1000000000000042";
/// The account's id.
pub const ACCOUNT_ID: &str = "00000000-0000-4000-8000-0000000000ac";
/// The default user, whose personal access token is [`TOKEN`].
pub const USER: &str = "user@emulator.test";
/// The default user's personal access token.
pub const TOKEN: &str = "dapi-emulator";
/// A user who may use the API and has no role in any database; token [`STRANGER_TOKEN`].
pub const STRANGER: &str = "stranger@emulator.test";
/// The personal access token of [`STRANGER`].
pub const STRANGER_TOKEN: &str = "dapi-emulator-stranger";
/// The application id of the service principal, for `oauth-m2m`.
pub const CLIENT_ID: &str = "00000000-0000-4000-8000-000000000001";
/// Its secret.
pub const CLIENT_SECRET: &str = "emulator-secret";
/// The refresh token of [`USER`]'s login, for stand-ins of the Databricks CLI; any other has ended.
pub(crate) const REFRESH_TOKEN: &str = "emulator-refresh";
/// What a CI job shows to its issuer for an ID token.
pub(crate) const ISSUER_TOKEN: &str = "emulator-job";
/// The Entra tenant.
pub(crate) const TENANT: &str = "00000000-0000-4000-8000-00000000007e";
/// A token for the management of Azure.
pub(crate) const MANAGEMENT_TOKEN: &str = "emulator-management";
/// A group of which [`USER`] and the service principal are members, with a role of its own.
pub const GROUP: &str = "data engineers";

/// A user or a service principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    /// Number that SCIM knows it by.
    pub(crate) id: &'static str,
    /// E-mail address or application id: what its tokens say as `sub`.
    pub(crate) user_name: &'static str,
    pub(crate) display_name: &'static str,
    pub(crate) service: bool,
    pub(crate) groups: &'static [&'static str],
}

impl Principal {
    /// Whether it runs the workspace, and so may do everything in it: everybody here but [`STRANGER`].
    pub(crate) fn is_admin(&self) -> bool {
        self.user_name != STRANGER
    }
}

const PRINCIPALS: [Principal; 3] = [
    Principal {
        id: "1000000000000101",
        user_name: USER,
        display_name: "Emulator User",
        service: false,
        groups: &[GROUP],
    },
    Principal {
        id: "1000000000000102",
        user_name: CLIENT_ID,
        display_name: "emulator-app",
        service: true,
        groups: &[GROUP],
    },
    Principal {
        id: "1000000000000103",
        user_name: STRANGER,
        display_name: "A Stranger",
        service: false,
        groups: &[],
    },
];

/// SCIM's number of a group.
pub(crate) fn group_id(group: &str) -> &'static str {
    if group == GROUP {
        "1000000000000201"
    } else {
        "1000000000000200"
    }
}

/// Who has this user name.
pub(crate) fn by_user_name(user_name: &str) -> Option<&'static Principal> {
    static ALL: [Principal; 3] = PRINCIPALS;
    ALL.iter()
        .find(|principal| principal.user_name == user_name)
}

/// Whose personal access token this is.
pub(crate) fn by_access_token(token: &str) -> Option<&'static Principal> {
    match token {
        TOKEN => by_user_name(USER),
        STRANGER_TOKEN => by_user_name(STRANGER),
        _ => None,
    }
}

/// Whose client id and secret these are.
pub(crate) fn by_client_secret(id: &str, secret: &str) -> Option<&'static Principal> {
    (id == CLIENT_ID && secret == CLIENT_SECRET)
        .then(|| by_user_name(CLIENT_ID))
        .flatten()
}

impl Lakebase {
    /// An ID token of the workspace's own issuer: it opens nothing by itself.
    pub(crate) fn id_token(&self, subject: &str, audience: &str) -> Result<String, Error> {
        let claims = self.claims(subject, audience, ID_TOKEN_TTL_S, 0, Map::new());
        self.tokens.sign(claims, 0)
    }

    /// Whether the text is such a token, for one of these audiences.
    pub(crate) fn is_id_token(&self, token: &str, audiences: &[&str]) -> bool {
        self.tokens
            .verify(token, self.clock.now())
            .is_ok_and(|claims| audiences.contains(&claims.aud.as_str()))
    }
}
