//! The texts and codes of refused logins, and where each of them comes from.
//!
//! libpq tells no SQLSTATE while connecting, gateways have texts of their own and the drivers of each language name the
//! same broken network differently. The first row that fits decides, so what says more stands above what says less. A
//! server that speaks another language is understood by its codes.

use super::kind::Kind;

/// One row: it fits if one of its codes is the driver's, or the driver knows none, and its text is in the message.
pub(super) struct Row {
    /// In lower case, with the names in double quotes left out.
    pub(super) text: &'static str,
    /// The codes that the text comes with; empty: any.
    pub(super) codes: &'static [&'static str],
    pub(super) kind: Kind,
    /// Read by people only.
    #[allow(dead_code, reason = "a row without a source is a guess")]
    pub(super) source: &'static str,
}

const fn row(
    text: &'static str,
    codes: &'static [&'static str],
    kind: Kind,
    source: &'static str,
) -> Row {
    Row {
        text,
        codes,
        kind,
        source,
    }
}

/// Codes of an authentication that failed.
const AUTH: &[&str] = &["28000", "28P01"];
const ENVOY: &str = "Databricks' front door, the Envoy filter databricks_sql_proxy";
const POSTGRES: &str = "PostgreSQL 17, auth.c, postinit.c, postmaster.c";
const LIBPQ: &str = "libpq 17, fe-connect.c and fe-secure-openssl.c";
const NODE: &str = "Node's net, tls and dns; pg; postgres.js";
const PYTHON: &str = "Python's socket, ssl and asyncio; psycopg; asyncpg";
const JAVA: &str = "pgjdbc and the JDK";
const NEON: &str = "Neon's proxy, which Lakebase descends from";
const PGBOUNCER: &str = "PgBouncer, on the pooled hosts";
const RUST: &str = "rustls and the standard library";
const REPORTED: &str = "reported by several users";

/// Texts, the more telling first.
pub(super) const TEXTS: &[Row] = &[
    // Pools that are merely busy, in words that would fit a dead network.
    row("queuepool limit", &[], Kind::Unknown, "SQLAlchemy's pool"),
    row(
        "couldn't get a connection after",
        &[],
        Kind::Unknown,
        "psycopg_pool",
    ),
    row(
        "timeout exceeded when trying to connect",
        &[],
        Kind::Unknown,
        "pg-pool",
    ),
    // What the front door says before Postgres is asked.
    row(
        "is blocked by databricks ip acl",
        &[],
        Kind::IpBlocked,
        ENVOY,
    ),
    row("ip address is not allowed", &[], Kind::IpBlocked, NEON),
    row("endpoint is disabled", &[], Kind::EndpointDisabled, NEON),
    row("endpoint cannot be found", &[], Kind::NotPropagated, NEON),
    row(
        "external authorization failed",
        &[],
        Kind::EndpointWaking,
        ENVOY,
    ),
    row(
        "invalid upstream handshake state",
        &[],
        Kind::EndpointWaking,
        ENVOY,
    ),
    row("internal error.", &["XX000"], Kind::EndpointWaking, ENVOY),
    row(
        "couldn't connect to compute node",
        &[],
        Kind::EndpointWaking,
        NEON,
    ),
    row(
        "endpoint is temporarily unavailable",
        &[],
        Kind::EndpointWaking,
        NEON,
    ),
    row(
        "control plane request failed",
        &[],
        Kind::EndpointWaking,
        NEON,
    ),
    row(
        "too many connections to this endpoint",
        &[],
        Kind::TooManyConnections,
        NEON,
    ),
    row(
        "too many connections attempts",
        &[],
        Kind::TooManyConnections,
        NEON,
    ),
    row(
        "failed to acquire permit to connect",
        &[],
        Kind::TooManyConnections,
        NEON,
    ),
    row("invalid protocol version", &[], Kind::Tls, ENVOY),
    row("ensure that connection is using ssl", &[], Kind::Tls, ENVOY),
    row("connection does not have sni", &[], Kind::Tls, ENVOY),
    row("endpoint id is not specified", &[], Kind::Tls, NEON),
    row("connection is insecure", &[], Kind::Tls, NEON),
    row(
        "received unencrypted data after ssl request",
        &[],
        Kind::Tls,
        POSTGRES,
    ),
    // What Postgres says of the identity.
    row(
        "is not a valid jwt encoding",
        &[],
        Kind::WrongTokenKind,
        REPORTED,
    ),
    row(
        "empty password returned by client",
        &[],
        Kind::WrongTokenKind,
        POSTGRES,
    ),
    row("no password supplied", &[], Kind::WrongTokenKind, LIBPQ),
    row(
        "sasl authentication failed",
        &[],
        Kind::WrongTokenKind,
        PGBOUNCER,
    ),
    row(
        "channel binding is required",
        &[],
        Kind::WrongTokenKind,
        LIBPQ,
    ),
    row(
        "authentication method requirement",
        &[],
        Kind::WrongTokenKind,
        LIBPQ,
    ),
    row(
        "role \"\" does not exist",
        AUTH,
        Kind::RoleMissing,
        POSTGRES,
    ),
    row(
        "no such user",
        &["08P01", "28000", "28P01"],
        Kind::RoleMissing,
        PGBOUNCER,
    ),
    row(
        "role \"\" is not permitted to log in",
        &[],
        Kind::NotPermitted,
        POSTGRES,
    ),
    row(
        "password authentication failed for user",
        &[],
        Kind::StaleToken,
        POSTGRES,
    ),
    row(
        "invalid authorization for databricks identity login",
        &[],
        Kind::StaleToken,
        REPORTED,
    ),
    row(
        "authentication failed for user",
        AUTH,
        Kind::StaleToken,
        POSTGRES,
    ),
    row("no pg_hba.conf entry", &[], Kind::NotPermitted, POSTGRES),
    // And of the database.
    row(
        "database \"\" does not exist",
        &["3D000"],
        Kind::DatabaseMissing,
        POSTGRES,
    ),
    row(
        "no such database",
        &["3D000", "08P01"],
        Kind::DatabaseMissing,
        PGBOUNCER,
    ),
    row(
        "permission denied for database",
        &[],
        Kind::NotPermitted,
        POSTGRES,
    ),
    row(
        "does not have connect privilege",
        &[],
        Kind::NotPermitted,
        POSTGRES,
    ),
    row(
        "is not currently accepting connections",
        &[],
        Kind::NotPermitted,
        POSTGRES,
    ),
    row(
        "too many clients already",
        &[],
        Kind::TooManyConnections,
        POSTGRES,
    ),
    row(
        "remaining connection slots are reserved",
        &[],
        Kind::TooManyConnections,
        POSTGRES,
    ),
    row(
        "too many connections for",
        &[],
        Kind::TooManyConnections,
        POSTGRES,
    ),
    row(
        "no more connections allowed",
        &[],
        Kind::TooManyConnections,
        PGBOUNCER,
    ),
    row(
        "query_wait_timeout",
        &[],
        Kind::TooManyConnections,
        PGBOUNCER,
    ),
    row(
        "the database system is",
        &[],
        Kind::EndpointWaking,
        POSTGRES,
    ),
    row(
        "terminating connection due to",
        &[],
        Kind::ServerGone,
        POSTGRES,
    ),
    row(
        "canceling authentication due to timeout",
        &[],
        Kind::ServerGone,
        POSTGRES,
    ),
    // What a driver says of certificates: some of these texts end in words of a lost connection.
    row("certificate verify failed", &[], Kind::Tls, LIBPQ),
    row("certificate_verify_failed", &[], Kind::Tls, PYTHON),
    row("invalid peer certificate", &[], Kind::Tls, RUST),
    row("does not match host name", &[], Kind::Tls, LIBPQ),
    row(
        "does not match certificate's altnames",
        &[],
        Kind::Tls,
        NODE,
    ),
    row("hostname mismatch", &[], Kind::Tls, PYTHON),
    row("certificate has expired", &[], Kind::Tls, NODE),
    row("certificate is not yet valid", &[], Kind::Tls, NODE),
    row("self signed certificate", &[], Kind::Tls, NODE),
    row("self-signed certificate", &[], Kind::Tls, NODE),
    row(
        "unable to get local issuer certificate",
        &[],
        Kind::Tls,
        NODE,
    ),
    row(
        "unable to verify the first certificate",
        &[],
        Kind::Tls,
        NODE,
    ),
    row("unable to get issuer certificate", &[], Kind::Tls, NODE),
    row("pkix path", &[], Kind::Tls, JAVA),
    row("sslhandshakeexception", &[], Kind::Tls, JAVA),
    row("could not be verified", &[], Kind::Tls, JAVA),
    row("tls handshake eof", &[], Kind::ServerGone, RUST),
    row("early eof", &[], Kind::ServerGone, RUST),
    row("root certificate file", &[], Kind::Tls, LIBPQ),
    row("server does not support ssl", &[], Kind::Tls, LIBPQ),
    row("the server does not support ssl", &[], Kind::Tls, NODE),
    row("rejected ssl upgrade", &[], Kind::Tls, PYTHON),
    row("offers no tls", &[], Kind::Tls, NODE),
    row("tlsv1 alert", &[], Kind::Tls, LIBPQ),
    row("sslv3 alert", &[], Kind::Tls, LIBPQ),
    row("wrong version number", &[], Kind::Tls, LIBPQ),
    // Names.
    row("could not translate host name", &[], Kind::Dns, LIBPQ),
    row("name or service not known", &[], Kind::Dns, PYTHON),
    row("nodename nor servname provided", &[], Kind::Dns, PYTHON),
    row(
        "temporary failure in name resolution",
        &[],
        Kind::Dns,
        PYTHON,
    ),
    row(
        "no address associated with hostname",
        &[],
        Kind::Dns,
        PYTHON,
    ),
    row("failed to resolve host", &[], Kind::Dns, PYTHON),
    row("failed to lookup address information", &[], Kind::Dns, RUST),
    row("gaierror", &[], Kind::Dns, PYTHON),
    row("enotfound", &[], Kind::Dns, NODE),
    row("eai_again", &[], Kind::Dns, NODE),
    row("unknownhostexception", &[], Kind::Dns, JAVA),
    row("no such host", &[], Kind::Dns, "Go's net"),
    // A server that was there and is not any more.
    row(
        "server closed the connection unexpectedly",
        &[],
        Kind::ServerGone,
        LIBPQ,
    ),
    row(
        "ssl connection has been closed unexpectedly",
        &[],
        Kind::ServerGone,
        LIBPQ,
    ),
    row("ssl syscall error", &[], Kind::ServerGone, LIBPQ),
    row("unexpected eof", &[], Kind::ServerGone, LIBPQ),
    row(
        "lost synchronization with server",
        &[],
        Kind::ServerGone,
        LIBPQ,
    ),
    row("connection reset", &[], Kind::ServerGone, LIBPQ),
    row("econnreset", &[], Kind::ServerGone, NODE),
    row("epipe", &[], Kind::ServerGone, NODE),
    row("broken pipe", &[], Kind::ServerGone, LIBPQ),
    row(
        "connection terminated unexpectedly",
        &[],
        Kind::ServerGone,
        NODE,
    ),
    row(
        "client network socket disconnected",
        &[],
        Kind::ServerGone,
        NODE,
    ),
    row(
        "closed the connection before the login",
        &[],
        Kind::ServerGone,
        NODE,
    ),
    row(
        "connection was closed in the middle",
        &[],
        Kind::ServerGone,
        PYTHON,
    ),
    row("connection_closed", &[], Kind::ServerGone, NODE),
    row("unexpected connection_lost", &[], Kind::ServerGone, PYTHON),
    row("connection closed", &[], Kind::ServerGone, RUST),
    row(
        "an i/o error occurred while sending to the backend",
        &[],
        Kind::ServerGone,
        JAVA,
    ),
    row("eofexception", &[], Kind::ServerGone, JAVA),
    // Nobody there.
    row("connection refused", &[], Kind::Tcp, LIBPQ),
    row("econnrefused", &[], Kind::Tcp, NODE),
    row("connect call failed", &[], Kind::Tcp, PYTHON),
    row("no route to host", &[], Kind::Tcp, LIBPQ),
    row("network is unreachable", &[], Kind::Tcp, LIBPQ),
    row("host is unreachable", &[], Kind::Tcp, LIBPQ),
    row("ehostunreach", &[], Kind::Tcp, NODE),
    row("enetunreach", &[], Kind::Tcp, NODE),
    row("etimedout", &[], Kind::Tcp, NODE),
    row("connect_timeout", &[], Kind::Tcp, NODE),
    row("timeout expired", &[], Kind::Tcp, LIBPQ),
    row("connection timed out", &[], Kind::Tcp, LIBPQ),
    row("connect timed out", &[], Kind::Tcp, JAVA),
    row("connection timeout", &[], Kind::Tcp, PYTHON),
    row("due to connection timeout", &[], Kind::Tcp, NODE),
    row("timeouterror", &[], Kind::Tcp, PYTHON),
    row("connectionrefusederror", &[], Kind::Tcp, PYTHON),
    row("operation timed out", &[], Kind::Tcp, LIBPQ),
    row("could not connect to server", &[], Kind::Tcp, LIBPQ),
];

/// What a code alone tells: SQLSTATE, Node's and OpenSSL's names. A final `*` stands for the rest.
pub(super) const CODES: &[(&str, Kind)] = &[
    ("28P01", Kind::StaleToken),
    ("28000", Kind::StaleToken),
    ("3D000", Kind::DatabaseMissing),
    ("42501", Kind::NotPermitted),
    ("53300", Kind::TooManyConnections),
    ("57P03", Kind::EndpointWaking),
    ("57P01", Kind::ServerGone),
    ("57P02", Kind::ServerGone),
    ("57P05", Kind::ServerGone),
    ("08001", Kind::Tcp),
    ("08003", Kind::ServerGone),
    ("08006", Kind::ServerGone),
    ("08000", Kind::ServerGone),
    ("ERR_TLS_*", Kind::Tls),
    ("ERR_SSL_*", Kind::Tls),
    ("CERT_*", Kind::Tls),
    ("UNABLE_TO_*", Kind::Tls),
    ("SELF_SIGNED_*", Kind::Tls),
    ("DEPTH_ZERO_SELF_SIGNED_CERT", Kind::Tls),
    ("HOSTNAME_MISMATCH", Kind::Tls),
    ("ENOTFOUND", Kind::Dns),
    ("EAI_*", Kind::Dns),
    ("ECONNRESET", Kind::ServerGone),
    ("EPIPE", Kind::ServerGone),
    ("CONNECTION_CLOSED", Kind::ServerGone),
    ("CONNECTION_DESTROYED", Kind::ServerGone),
    ("ECONNREFUSED", Kind::Tcp),
    ("ETIMEDOUT", Kind::Tcp),
    ("EHOSTUNREACH", Kind::Tcp),
    ("ENETUNREACH", Kind::Tcp),
    ("CONNECT_TIMEOUT", Kind::Tcp),
];
