//! The table of configuration attributes, as data: adding an attribute is adding a row.
//!
//! Names, variables and groups are those of Databricks unified authentication, so that whatever a command line tool
//! or an SDK was configured with works here. The order is that of messages. Without the rows of authentication types
//! that this version cannot use yet, a conflict between two of them would go unnoticed and one would win silently.

/// What an attribute's text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `1 t T TRUE true True 0 f F FALSE false False`.
    Bool,
    /// A whole number, not negative.
    Number,
}

/// One attribute.
#[derive(Debug)]
pub struct Attribute {
    /// The name, as in a profile and as an explicit setting.
    pub name: &'static str,
    /// Other names that tools give it.
    pub aliases: &'static [&'static str],
    /// Variables, the first set one wins.
    pub env: &'static [&'static str],
    /// The authentication group it belongs to: two groups at once are a conflict.
    pub group: Option<&'static str>,
    /// Whether its value is masked wherever it is shown.
    pub secret: bool,
    /// Whether messages leave it out of the list of what is set.
    pub internal: bool,
    /// What its text means.
    pub kind: Kind,
}

const fn plain(name: &'static str, env: &'static [&'static str]) -> Attribute {
    Attribute {
        name,
        aliases: &[],
        env,
        group: None,
        secret: false,
        internal: false,
        kind: Kind::Text,
    }
}

impl Attribute {
    const fn group(mut self, group: &'static str) -> Attribute {
        self.group = Some(group);
        self
    }

    const fn secret(mut self) -> Attribute {
        self.secret = true;
        self
    }

    const fn internal(mut self) -> Attribute {
        self.internal = true;
        self
    }

    const fn kind(mut self, kind: Kind) -> Attribute {
        self.kind = kind;
        self
    }

    const fn aliases(mut self, aliases: &'static [&'static str]) -> Attribute {
        self.aliases = aliases;
        self
    }
}

/// Every attribute, in the order in which messages show them.
pub static ATTRIBUTES: &[Attribute] = &[
    plain("host", &["DATABRICKS_HOST"]),
    plain("metadata_service_url", &["DATABRICKS_METADATA_SERVICE_URL"])
        .group("metadata-service")
        .secret(),
    plain("account_id", &["DATABRICKS_ACCOUNT_ID"]),
    plain("workspace_id", &["DATABRICKS_WORKSPACE_ID"]),
    plain("token", &["DATABRICKS_TOKEN"]).group("pat").secret(),
    plain("username", &["DATABRICKS_USERNAME"]).group("basic"),
    plain("password", &["DATABRICKS_PASSWORD"])
        .group("basic")
        .secret(),
    plain("profile", &["DATABRICKS_CONFIG_PROFILE"]),
    plain("config_file", &["DATABRICKS_CONFIG_FILE"]),
    plain(
        "google_service_account",
        &["DATABRICKS_GOOGLE_SERVICE_ACCOUNT"],
    )
    .group("google"),
    plain("google_credentials", &["GOOGLE_CREDENTIALS"])
        .group("google")
        .secret(),
    plain(
        "azure_workspace_resource_id",
        &["DATABRICKS_AZURE_RESOURCE_ID"],
    )
    .group("azure"),
    plain("azure_use_msi", &["ARM_USE_MSI"])
        .group("azure")
        .kind(Kind::Bool),
    plain("azure_client_secret", &["ARM_CLIENT_SECRET"])
        .group("azure")
        .secret(),
    plain("azure_client_id", &["ARM_CLIENT_ID"]).group("azure"),
    plain("azure_tenant_id", &["ARM_TENANT_ID"]).group("azure"),
    plain(
        "actions_id_token_request_url",
        &["ACTIONS_ID_TOKEN_REQUEST_URL"],
    )
    .internal(),
    plain(
        "actions_id_token_request_token",
        &["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
    )
    .secret()
    .internal(),
    plain("azure_environment", &["ARM_ENVIRONMENT"]),
    plain("azure_login_app_id", &["DATABRICKS_AZURE_LOGIN_APP_ID"]).group("azure"),
    plain("client_id", &["DATABRICKS_CLIENT_ID"]).group("oauth"),
    plain("client_secret", &["DATABRICKS_CLIENT_SECRET"])
        .group("oauth")
        .secret(),
    plain("oidc_token_env", &["DATABRICKS_OIDC_TOKEN_ENV"]).group("env-oidc"),
    plain(
        "oidc_token_filepath",
        &[
            "DATABRICKS_OIDC_TOKEN_FILEPATH",
            "DATABRICKS_OIDC_TOKEN_FILE",
        ],
    )
    .aliases(&["databricks_id_token_filepath"])
    .group("file-oidc"),
    plain("databricks_cli_path", &["DATABRICKS_CLI_PATH"]),
    plain("auth_type", &["DATABRICKS_AUTH_TYPE"]).internal(),
    plain("scopes", &[]),
    plain("authorization_details", &[]),
    plain("group_id", &["DATABRICKS_GROUP_ID"]),
    plain(
        "token_audience",
        &["DATABRICKS_TOKEN_AUDIENCE", "TOKEN_AUDIENCE"],
    )
    .aliases(&["audience"]),
    plain("discovery_url", &["DATABRICKS_DISCOVERY_URL"]),
    plain("cloud", &["DATABRICKS_CLOUD"]),
    plain("ca_file", &[]),
    plain("skip_verify", &[]).kind(Kind::Bool).internal(),
    plain("http_timeout_seconds", &[])
        .kind(Kind::Number)
        .internal(),
    plain("retry_timeout_seconds", &[])
        .kind(Kind::Number)
        .internal(),
];

/// The attribute of that name or alias.
pub(crate) fn find(name: &str) -> Option<&'static Attribute> {
    ATTRIBUTES
        .iter()
        .find(|row| row.name == name || row.aliases.contains(&name))
}

/// The known name that looks most like `name`, if any is close enough to be meant.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let wanted = name.to_ascii_lowercase().replace('-', "_");
    let wanted = wanted.strip_prefix("databricks_").unwrap_or(&wanted);
    ATTRIBUTES
        .iter()
        .flat_map(|row| std::iter::once(&row.name).chain(row.aliases))
        .map(|known| (distance(wanted, known), *known))
        .min()
        .filter(|(apart, known)| *apart <= 1 + known.len() / 4)
        .map(|(_, known)| known)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Reads a truth value; `None` for junk.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::{ATTRIBUTES, find, nearest};

    #[test]
    fn names_and_variables_are_unique() {
        let mut seen = HashSet::new();
        for row in ATTRIBUTES {
            let names = std::iter::once(&row.name).chain(row.aliases).chain(row.env);
            for name in names {
                assert!(seen.insert(*name), "{name} twice");
            }
        }
    }

    /// Names, variables, groups and what is masked, as the SDKs have them.
    const SHARED: &str = "\
host DATABRICKS_HOST - -
account_id DATABRICKS_ACCOUNT_ID - -
workspace_id DATABRICKS_WORKSPACE_ID - -
token DATABRICKS_TOKEN pat *
username DATABRICKS_USERNAME basic -
password DATABRICKS_PASSWORD basic *
client_id DATABRICKS_CLIENT_ID oauth -
client_secret DATABRICKS_CLIENT_SECRET oauth *
scopes - - -
authorization_details - - -
group_id DATABRICKS_GROUP_ID - -
audience DATABRICKS_TOKEN_AUDIENCE - -
token_audience TOKEN_AUDIENCE - -
oidc_token_env DATABRICKS_OIDC_TOKEN_ENV env-oidc -
databricks_id_token_filepath DATABRICKS_OIDC_TOKEN_FILEPATH file-oidc -
oidc_token_filepath DATABRICKS_OIDC_TOKEN_FILE file-oidc -
actions_id_token_request_url ACTIONS_ID_TOKEN_REQUEST_URL - -
actions_id_token_request_token ACTIONS_ID_TOKEN_REQUEST_TOKEN - *
discovery_url DATABRICKS_DISCOVERY_URL - -
cloud DATABRICKS_CLOUD - -
metadata_service_url DATABRICKS_METADATA_SERVICE_URL metadata-service *
azure_workspace_resource_id DATABRICKS_AZURE_RESOURCE_ID azure -
azure_use_msi ARM_USE_MSI azure -
azure_client_id ARM_CLIENT_ID azure -
azure_client_secret ARM_CLIENT_SECRET azure *
azure_tenant_id ARM_TENANT_ID azure -
azure_environment ARM_ENVIRONMENT - -
azure_login_app_id DATABRICKS_AZURE_LOGIN_APP_ID azure -
google_credentials GOOGLE_CREDENTIALS google *
google_service_account DATABRICKS_GOOGLE_SERVICE_ACCOUNT google -
profile DATABRICKS_CONFIG_PROFILE - -
config_file DATABRICKS_CONFIG_FILE - -
auth_type DATABRICKS_AUTH_TYPE - -
databricks_cli_path DATABRICKS_CLI_PATH - -
";

    #[test]
    fn attributes_are_those_that_the_sdks_share() {
        for line in SHARED.lines() {
            let words: Vec<Option<&str>> = line
                .split(' ')
                .map(|word| Some(word).filter(|word| *word != "-"))
                .collect();
            let row = find(words[0].unwrap()).unwrap();
            assert!(
                words[1].is_none_or(|variable| row.env.contains(&variable)),
                "{line}"
            );
            assert_eq!(row.group, words[2], "{line}");
            assert_eq!(row.secret, words[3].is_some(), "{line}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_finds_the_name_that_was_meant() {
        assert_eq!(nearest("client-secret"), Some("client_secret"));
        assert_eq!(nearest("databricks_host"), Some("host"));
        assert_eq!(nearest("tokn"), Some("token"));
        assert_eq!(nearest("flavour_of_the_day"), None);
    }
}
