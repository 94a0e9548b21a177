//! What to do about a refused login: one fix for each kind, the likeliest first.

use super::{Kind, Report};

/// A skew below this explains nothing.
pub(super) const NOTABLE_SKEW_MS: u64 = 60_000;

/// The fix.
pub(super) fn of(kind: Kind, report: &Report<'_>) -> Option<String> {
    let user = report.user.unwrap_or("<role>");
    Some(match kind {
        Kind::WrongTokenKind => wrong_kind(report.text),
        Kind::StaleToken if report.fresh == Some(true) => format!(
            "The server refuses a token that was minted for this very login. Either the branch has no role for this identity ({}), or the token is of another workspace or endpoint; on a branch that was made a moment ago it may also be too early",
            create_role(user)
        ),
        Kind::StaleToken => format!(
            "A fresh token may be accepted. If one is refused as well, the branch may have no such role: {}",
            create_role(user)
        ),
        Kind::WrongUser => {
            let subject = report.subject.unwrap_or("the identity of the token");
            format!(
                "The token is of {subject} and the user is {user}: if {user} is a group role, {subject} must be a member of that group; else log in as {subject}"
            )
        }
        Kind::RoleMissing => {
            let other = report.subject.filter(|subject| *subject != user);
            let other = other.map_or_else(String::new, |subject| {
                format!(". Or log in as {subject}, whose token it is")
            });
            format!("The branch has no such role: {}{other}", create_role(user))
        }
        Kind::DatabaseMissing => {
            "The branch has no such database. Check the name, which counts its capitals, or make it: CREATE DATABASE ...; a new project has databricks_postgres".to_owned()
        }
        Kind::NotPermitted => format!(
            "The role exists and may not connect. The database's owner runs GRANT CONNECT ON DATABASE ... TO {}; and a role that cannot log in needs ALTER ROLE ... LOGIN",
            quoted(user)
        ),
        Kind::EndpointWaking => {
            "The compute is asleep or starting, which takes up to some ten seconds; connect again. If it goes on, look at the endpoint's state in the workspace".to_owned()
        }
        Kind::EndpointDisabled => {
            "The endpoint is disabled, and a connection does not wake it: enable it in the workspace or through the API (spec.disabled = false)".to_owned()
        }
        Kind::NotPropagated => {
            "A new branch can be logged in to a minute after it was made; connect again".to_owned()
        }
        Kind::IpBlocked => blocked(report.text),
        Kind::TooManyConnections => {
            "Every connection slot is taken: let pools be smaller, close what is idle, or give the endpoint a larger compute".to_owned()
        }
        Kind::Tls => tls(report.text),
        Kind::ClockSkew => format!(
            "This machine's clock is {}: set it, for example by its time synchronisation (NTP)",
            skew(report.skew_ms.unwrap_or_default())
        ),
        Kind::Dns => {
            "Check the host name and that this network's DNS knows it; with private link, the name must resolve inside of your network".to_owned()
        }
        Kind::Tcp => {
            "Check that this network lets TCP port 5432 out to the database (clusters with shared access do not), and that private link for it is set up if the workspace asks for it".to_owned()
        }
        Kind::ServerGone => {
            "The server went away, as when its compute is suspended, restarted or moved; connect again. A query that was under way may or may not have been carried out".to_owned()
        }
        Kind::Unknown => return None,
    })
}

/// The SQL that makes the role, for whoever owns the database.
fn create_role(user: &str) -> String {
    format!(
        "its owner runs CREATE EXTENSION IF NOT EXISTS databricks_auth; SELECT databricks_create_role('{}', 'USER'); (or 'SERVICE_PRINCIPAL', 'GROUP')",
        user.replace('\'', "''")
    )
}

fn quoted(user: &str) -> String {
    format!("\"{}\"", user.replace('"', "\"\""))
}

fn wrong_kind(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    if text.contains("sasl authentication failed") {
        "The host is a pooled one, which takes native passwords only: use the endpoint's direct host, without -pooler"
            .to_owned()
    } else if text.contains("password") && !text.contains("jwt") {
        "No password reached the server: let lakekey give it, and take an empty one out of the connection string, PGPASSWORD and the password file".to_owned()
    } else if text.contains("channel binding") || text.contains("requirement") {
        "Lakebase asks for the token in clear text, inside TLS: take channel_binding and require_auth out of the connection string".to_owned()
    } else {
        "The password is no database credential, such as a workspace token or a native password; let lakekey give the password".to_owned()
    }
}

fn tls(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    let any = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if any(&["sni", "endpoint id is not specified"]) {
        "The server is found by the name that TLS carries: connect by host name, with the address beside it (hostaddr), and with a driver that sends it".to_owned()
    } else if any(&["protocol version", "using ssl", "insecure", "unencrypted"]) {
        "Lakebase takes TLS only: set sslmode=verify-full, and gssencmode=disable where Kerberos is in use".to_owned()
    } else if any(super::OF_DATES) {
        "Compare this machine's clock with the right time; if it is right, the server's certificate is not".to_owned()
    } else if any(&[
        "host name",
        "altnames",
        "hostname",
        "could not be verified",
        "not valid for name",
    ]) {
        "The certificate is of another name: connect by the endpoint's own host name, and look for a proxy that answers in its place".to_owned()
    } else {
        let unsaid = if any(&["certificate verify failed"]) {
            // All that libpq says, whatever the reason.
            ". Or it has ended, or this machine's clock is wrong"
        } else {
            ""
        };
        format!(
            "The certificate's authority is not known here: use the system's roots (sslrootcert=system), or the file of your company's authority if a proxy reads the traffic{unsaid}"
        )
    }
}

/// The address and the workspace are in the text; they are what an administrator asks for.
fn blocked(text: &str) -> String {
    let between = |before: &str, after: &str| {
        let (_, rest) = text.split_once(before)?;
        let end = rest.find(after).unwrap_or(rest.len());
        let found = rest[..end].trim().trim_end_matches('.');
        (!found.is_empty() && found.len() <= 64).then(|| found.to_owned())
    };
    let address = between("Source IP address:", " is blocked")
        .unwrap_or_else(|| "this machine's address".into());
    let workspace = between("for workspace:", "\n").map_or_else(String::new, |id| format!(" {id}"));
    format!(
        "An administrator of the workspace{workspace} adds {address} to its IP access list, or you connect through private link"
    )
}

/// How wrong the local clock is, in words.
pub(super) fn skew(ms: i64) -> String {
    let seconds = ms.unsigned_abs() / 1000;
    let span = match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    format!(
        "{span} {} the workspace's",
        if ms > 0 { "behind" } else { "ahead of" }
    )
}
