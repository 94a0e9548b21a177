//! Every connection keyword that libpq 18 knows, in libpq's order.
//!
//! Parsers, renderers and checks all ask this table, so that a keyword cannot be known to one of them and unknown to
//! another. The oracle test compares it with libpq's own list.

macro_rules! keywords {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $env:expr, $secret:literal;)*) => {
        /// A connection keyword of libpq.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Keyword { $($(#[$doc])* $name,)* }

        impl Keyword {
            /// Every keyword, in libpq's order.
            pub const ALL: &'static [Keyword] = &[$(Keyword::$name,)*];

            /// The keyword as it is written.
            pub const fn name(self) -> &'static str {
                match self { $(Keyword::$name => $text,)* }
            }

            /// The environment variable that libpq reads for it.
            pub const fn env(self) -> Option<&'static str> {
                match self { $(Keyword::$name => $env,)* }
            }

            /// Whether its value must not be seen.
            pub const fn is_secret(self) -> bool {
                match self { $(Keyword::$name => $secret,)* }
            }

            /// The keyword of that name; names are case-sensitive.
            pub fn from_name(name: &str) -> Option<Keyword> {
                match name { $($text => Some(Keyword::$name),)* _ => None }
            }
        }
    };
}

keywords! {
    /// A section of the connection service file.
    Service = "service", Some("PGSERVICE"), false;
    /// The role to log in as.
    User = "user", Some("PGUSER"), false;
    /// The password, or a token in its place.
    Password = "password", Some("PGPASSWORD"), true;
    /// The password file.
    Passfile = "passfile", Some("PGPASSFILE"), false;
    /// Whether SCRAM must bind to the TLS channel.
    ChannelBinding = "channel_binding", Some("PGCHANNELBINDING"), false;
    /// Seconds for one connection attempt.
    ConnectTimeout = "connect_timeout", Some("PGCONNECT_TIMEOUT"), false;
    /// The database.
    Dbname = "dbname", Some("PGDATABASE"), false;
    /// Host names, socket folders or addresses, separated by commas.
    Host = "host", Some("PGHOST"), false;
    /// Addresses to dial in place of looking the hosts up, separated by commas.
    Hostaddr = "hostaddr", Some("PGHOSTADDR"), false;
    /// Ports, separated by commas.
    Port = "port", Some("PGPORT"), false;
    /// The client's character set.
    ClientEncoding = "client_encoding", Some("PGCLIENTENCODING"), false;
    /// Command-line options for the session.
    Options = "options", Some("PGOPTIONS"), false;
    /// The name that `pg_stat_activity` shows.
    ApplicationName = "application_name", Some("PGAPPNAME"), false;
    /// The name used when no other is given.
    FallbackApplicationName = "fallback_application_name", None, false;
    /// Whether TCP keepalives are on.
    Keepalives = "keepalives", None, false;
    /// Seconds of silence before the first keepalive.
    KeepalivesIdle = "keepalives_idle", None, false;
    /// Seconds between keepalives.
    KeepalivesInterval = "keepalives_interval", None, false;
    /// Lost keepalives before the connection counts as dead.
    KeepalivesCount = "keepalives_count", None, false;
    /// Milliseconds that sent data may stay unacknowledged.
    TcpUserTimeout = "tcp_user_timeout", None, false;
    /// How TLS is used and what it verifies.
    Sslmode = "sslmode", Some("PGSSLMODE"), false;
    /// How TLS starts: asked for or at once.
    Sslnegotiation = "sslnegotiation", Some("PGSSLNEGOTIATION"), false;
    /// Whether TLS compresses.
    Sslcompression = "sslcompression", Some("PGSSLCOMPRESSION"), false;
    /// The client's certificate.
    Sslcert = "sslcert", Some("PGSSLCERT"), false;
    /// The client's private key.
    Sslkey = "sslkey", Some("PGSSLKEY"), false;
    /// Whether a client certificate is sent.
    Sslcertmode = "sslcertmode", Some("PGSSLCERTMODE"), false;
    /// The password of the private key.
    Sslpassword = "sslpassword", None, true;
    /// The root certificates: a file, or `system`.
    Sslrootcert = "sslrootcert", Some("PGSSLROOTCERT"), false;
    /// A revocation list.
    Sslcrl = "sslcrl", Some("PGSSLCRL"), false;
    /// A folder of revocation lists.
    Sslcrldir = "sslcrldir", Some("PGSSLCRLDIR"), false;
    /// Whether the host name is sent in the TLS greeting.
    Sslsni = "sslsni", Some("PGSSLSNI"), false;
    /// The operating system user that must own a socket's server.
    Requirepeer = "requirepeer", Some("PGREQUIREPEER"), false;
    /// Which ways to authenticate are accepted.
    RequireAuth = "require_auth", Some("PGREQUIREAUTH"), false;
    /// The lowest protocol version.
    MinProtocolVersion = "min_protocol_version", Some("PGMINPROTOCOLVERSION"), false;
    /// The protocol version asked for.
    MaxProtocolVersion = "max_protocol_version", Some("PGMAXPROTOCOLVERSION"), false;
    /// The lowest TLS version.
    SslMinProtocolVersion = "ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION"), false;
    /// The highest TLS version.
    SslMaxProtocolVersion = "ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION"), false;
    /// Whether GSS encryption is tried.
    Gssencmode = "gssencmode", Some("PGGSSENCMODE"), false;
    /// The Kerberos service name.
    Krbsrvname = "krbsrvname", Some("PGKRBSRVNAME"), false;
    /// The GSS library.
    Gsslib = "gsslib", Some("PGGSSLIB"), false;
    /// Whether GSS credentials are delegated.
    Gssdelegation = "gssdelegation", Some("PGGSSDELEGATION"), false;
    /// Replication protocol in place of SQL.
    Replication = "replication", None, false;
    /// What kind of session a server must offer.
    TargetSessionAttrs = "target_session_attrs", Some("PGTARGETSESSIONATTRS"), false;
    /// Whether hosts are tried in random order.
    LoadBalanceHosts = "load_balance_hosts", Some("PGLOADBALANCEHOSTS"), false;
    /// A SCRAM client key.
    ScramClientKey = "scram_client_key", None, true;
    /// A SCRAM server key.
    ScramServerKey = "scram_server_key", None, true;
    /// The OAuth issuer.
    OauthIssuer = "oauth_issuer", None, false;
    /// The OAuth client.
    OauthClientId = "oauth_client_id", None, false;
    /// The OAuth client's secret.
    OauthClientSecret = "oauth_client_secret", None, true;
    /// The OAuth scope.
    OauthScope = "oauth_scope", None, false;
    /// Where TLS keys are logged, for debugging.
    Sslkeylogfile = "sslkeylogfile", None, false;
}

/// The keywords that people look for first, in the order in which renderers write them; all others follow in libpq's.
const FIRST: [Keyword; 7] = [
    Keyword::Host,
    Keyword::Hostaddr,
    Keyword::Port,
    Keyword::User,
    Keyword::Password,
    Keyword::Dbname,
    Keyword::Sslmode,
];

impl Keyword {
    /// Every keyword in the order in which renderers write them.
    pub(super) fn in_reading_order() -> impl Iterator<Item = Keyword> {
        let others = Keyword::ALL
            .iter()
            .copied()
            .filter(|keyword| !FIRST.contains(keyword));
        FIRST.into_iter().chain(others)
    }

    /// What to do about an unknown keyword. Says nothing of the text found, which may be a piece of a password: only
    /// words of this table come out.
    pub(super) fn hint_for_unknown(found: &str) -> String {
        if let Some((_, advice)) = FOREIGN
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(found))
        {
            return (*advice).to_owned();
        }
        let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
        let wanted = plain(found);
        let near = Keyword::ALL
            .iter()
            .map(|keyword| (distance(&plain(keyword.name()), &wanted), keyword))
            .min_by_key(|(steps, _)| *steps)
            .filter(|(steps, keyword)| *steps <= 2 && *steps * 2 < keyword.name().len());
        match near {
            Some((_, keyword)) => format!("Did you mean {:?}? Keywords are written in small letters", keyword.name()),
            None => "Only libpq's keywords are known: host, port, user, password, dbname, sslmode and so on. A value \
                     with blanks needs quotes, and in a URI the characters /, ?, #, @, & and = of a password are \
                     percent-encoded"
                .to_owned(),
        }
    }
}

/// What other drivers call things, and what to write in their place.
const FOREIGN: &[(&str, &str)] = &[
    ("database", "The keyword for the database is \"dbname\""),
    ("username", "The keyword for the role is \"user\""),
    ("pass", "The keyword is \"password\""),
    ("pwd", "The keyword is \"password\""),
    ("server", "The keyword is \"host\""),
    ("hostname", "The keyword is \"host\""),
    ("timeout", "The keyword is \"connect_timeout\", in seconds"),
    (
        "ssl",
        "libpq takes \"ssl\" as ssl=true in a URI only; write sslmode=verify-full",
    ),
    (
        "currentSchema",
        "That is pgjdbc's; libpq has options='-c search_path=...'",
    ),
    (
        "search_path",
        "Session settings go into options='-c search_path=...'",
    ),
    (
        "schema",
        "Session settings go into options='-c search_path=...'",
    ),
    (
        "pgbouncer",
        "That is an ORM's own setting; it is no part of a Postgres connection string",
    ),
    (
        "connection_limit",
        "That is an ORM's own setting; it is no part of a Postgres connection string",
    ),
    (
        "pool_max_conns",
        "That is pgx's own setting; it is no part of a Postgres connection string",
    ),
    (
        "servicefile",
        "Set PGSERVICEFILE in the environment in its place",
    ),
];

fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX / 4;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let change = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::Keyword;

    #[test]
    fn each_keyword_is_found_by_its_name_and_written_once() {
        for keyword in Keyword::ALL {
            assert_eq!(Keyword::from_name(keyword.name()), Some(*keyword));
        }
        let mut order: Vec<_> = Keyword::in_reading_order().collect();
        assert_eq!(order[0], Keyword::Host);
        order.sort();
        assert_eq!(order, Keyword::ALL);
    }

    #[test]
    fn a_slip_of_the_pen_is_named_and_a_secret_word_is_not() {
        assert!(Keyword::hint_for_unknown("ssl_mode").contains("\"sslmode\""));
        assert!(Keyword::hint_for_unknown("Host").contains("\"host\""));
        assert!(Keyword::hint_for_unknown("database").contains("\"dbname\""));
        assert!(!Keyword::hint_for_unknown("hunter2").contains("hunter2"));
    }
}
