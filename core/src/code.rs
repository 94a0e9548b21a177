//! The error codes: numbers and slugs that every language shows and that scripts match on.
//!
//! The table only grows. A number is never given to another meaning and a slug is never renamed; a test compares this
//! table with the checked-in list of what has been published. Without it, each binding would invent its own names.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $slug:literal, $retryable:literal;)*) => {
        /// What went wrong, stable across releases and languages.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The stable number. The hundreds name the family.
            pub const fn number(self) -> u16 {
                match self { $(Code::$name => $number,)* }
            }

            /// The stable name, in capitals: `AUTH_DENIED`.
            pub const fn slug(self) -> &'static str {
                match self { $(Code::$name => $slug,)* }
            }

            /// Whether the same call may succeed later with nothing changed by the caller.
            pub const fn is_retryable(self) -> bool {
                match self { $(Code::$name => $retryable,)* }
            }
        }
    };
}

codes! {
    /// No workspace host in arguments, environment or profile.
    ConfigMissingHost = 1001, "CONFIG_MISSING_HOST", false;
    /// A value that cannot be used; the message names where it came from.
    ConfigInvalid = 1002, "CONFIG_INVALID", false;
    /// The configuration file or the profile cannot be read or does not exist.
    ConfigProfile = 1003, "CONFIG_PROFILE", false;
    /// More than one way to authenticate is configured.
    ConfigConflict = 1004, "CONFIG_CONFLICT", false;
    /// No way to authenticate is configured.
    AuthNotConfigured = 1101, "AUTH_NOT_CONFIGURED", false;
    /// The workspace or its token endpoint refused the identity.
    AuthDenied = 1102, "AUTH_DENIED", false;
    /// A token endpoint gave an answer that cannot be used.
    AuthFailed = 1103, "AUTH_FAILED", false;
    /// The host program's token callback failed.
    AuthCallback = 1104, "AUTH_CALLBACK", false;
    /// An account host, which has no Lakebase API.
    AuthAccountHost = 1105, "AUTH_ACCOUNT_HOST", false;
    /// A target that is no resource name, dotted name or host.
    TargetInvalid = 1201, "TARGET_INVALID", false;
    /// A target that leaves a choice, which is never made silently.
    TargetAmbiguous = 1202, "TARGET_AMBIGUOUS", false;
    /// The project, branch or endpoint does not exist, or may not be seen.
    TargetNotFound = 1203, "TARGET_NOT_FOUND", false;
    /// No target in arguments or environment.
    TargetMissing = 1204, "TARGET_MISSING", false;
    /// The endpoint is disabled; a connection cannot wake it.
    EndpointDisabled = 1205, "ENDPOINT_DISABLED", false;
    /// The endpoint is still being made and has no host yet.
    EndpointNotReady = 1206, "ENDPOINT_NOT_READY", true;
    /// A token login on a pooled host, which takes native passwords only.
    PoolerRefused = 1207, "POOLER_REFUSED", false;
    /// No TCP connection to the control plane.
    HttpConnect = 1301, "HTTP_CONNECT", true;
    /// The control plane did not answer in time.
    HttpTimeout = 1302, "HTTP_TIMEOUT", true;
    /// The control plane's certificate was not accepted, or TLS failed otherwise.
    HttpTls = 1303, "HTTP_TLS", false;
    /// The control plane's name was not found.
    HttpDns = 1304, "HTTP_DNS", true;
    /// The HTTP proxy refused or could not be reached.
    HttpProxy = 1305, "HTTP_PROXY", true;
    /// The control plane's answer is not what the protocol says.
    HttpProtocol = 1306, "HTTP_PROTOCOL", true;
    /// The API refused the request as invalid (400).
    ApiBadRequest = 1401, "API_BAD_REQUEST", false;
    /// The identity may not do this (403).
    ApiPermissionDenied = 1402, "API_PERMISSION_DENIED", false;
    /// The API knows no such resource (404).
    ApiNotFound = 1403, "API_NOT_FOUND", false;
    /// The resource exists or is in another state (409).
    ApiConflict = 1404, "API_CONFLICT", false;
    /// Too many requests (429).
    ApiRateLimited = 1405, "API_RATE_LIMITED", true;
    /// The API is unavailable (5xx).
    ApiUnavailable = 1406, "API_UNAVAILABLE", true;
    /// Any other refusal of the API.
    ApiError = 1407, "API_ERROR", false;
    /// An argument of a management call that cannot be sent: missing, misspelt or malformed.
    ApiArgument = 1408, "API_ARGUMENT", false;
    /// A long-running operation ended with an error.
    OperationFailed = 1409, "OPERATION_FAILED", false;
    /// No usable credential in time: the last one ended and minting fails.
    CredentialUnavailable = 1501, "CREDENTIAL_UNAVAILABLE", true;
    /// The minted credential cannot be used.
    CredentialInvalid = 1502, "CREDENTIAL_INVALID", true;
    /// The directory of shared credentials cannot be used, and the program requires it.
    SharedDirectory = 1503, "SHARED_DIRECTORY", false;
    /// A connection string that does not parse.
    ConninfoSyntax = 1601, "CONNINFO_SYNTAX", false;
    /// A connection parameter with a value that cannot be used.
    ConninfoInvalid = 1602, "CONNINFO_INVALID", false;
    /// The database host's name has no address.
    ResolveFailed = 1701, "RESOLVE_FAILED", true;
    /// Name resolution took longer than allowed.
    ResolveTimeout = 1702, "RESOLVE_TIMEOUT", true;
    /// Postgres refused the login.
    LoginRefused = 1801, "LOGIN_REFUSED", false;
    /// No login within the connect's budget: the database sleeps, is full, or cannot be reached.
    LoginUnavailable = 1802, "LOGIN_UNAVAILABLE", true;
    /// The database server's TLS or certificate was not accepted.
    LoginTls = 1803, "LOGIN_TLS", false;
    /// The caller's own time limit passed.
    Timeout = 1901, "TIMEOUT", true;
    /// The caller cancelled.
    Cancelled = 1902, "CANCELLED", false;
    /// The client was closed.
    Closed = 1903, "CLOSED", false;
    /// A handle that was freed, is of another type, or never was one.
    HandleInvalid = 1904, "HANDLE_INVALID", false;
    /// A defect of lakekey.
    Internal = 1990, "INTERNAL", false;
    /// A panic inside lakekey, caught at the language boundary.
    InternalPanic = 1991, "INTERNAL_PANIC", false;
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_and_slugs_are_unique_and_ascending() {
        for pair in Code::ALL.windows(2) {
            assert!(
                pair[0].number() < pair[1].number(),
                "{:?} before {:?}",
                pair[0],
                pair[1]
            );
        }
        let slugs: std::collections::HashSet<_> =
            Code::ALL.iter().map(|code| code.slug()).collect();
        assert_eq!(slugs.len(), Code::ALL.len());
    }
}
