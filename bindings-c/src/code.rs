//! The codes, as C sees them. They are the core's; a test compares the two tables.

/// What a function returns: LK_OK, or one of the numbers below. A later library may return more of them; the hundreds
/// name the family.
pub type lk_status = u32;

/// It succeeded.
pub const LK_OK: lk_status = 0;
/// No workspace host in arguments, environment or profile.
pub const LK_CONFIG_MISSING_HOST: lk_status = 1001;
/// A value that cannot be used; the message names where it came from.
pub const LK_CONFIG_INVALID: lk_status = 1002;
/// The configuration file or the profile cannot be read or does not exist.
pub const LK_CONFIG_PROFILE: lk_status = 1003;
/// More than one way to authenticate is configured.
pub const LK_CONFIG_CONFLICT: lk_status = 1004;
/// No way to authenticate is configured.
pub const LK_AUTH_NOT_CONFIGURED: lk_status = 1101;
/// The workspace or its token endpoint refused the identity.
pub const LK_AUTH_DENIED: lk_status = 1102;
/// A token endpoint gave an answer that cannot be used.
pub const LK_AUTH_FAILED: lk_status = 1103;
/// The host program's token callback failed.
pub const LK_AUTH_CALLBACK: lk_status = 1104;
/// An account host, which has no Lakebase API.
pub const LK_AUTH_ACCOUNT_HOST: lk_status = 1105;
/// A target that is no resource name, dotted name or host.
pub const LK_TARGET_INVALID: lk_status = 1201;
/// A target that leaves a choice, which is never made silently.
pub const LK_TARGET_AMBIGUOUS: lk_status = 1202;
/// The project, branch or endpoint does not exist, or may not be seen.
pub const LK_TARGET_NOT_FOUND: lk_status = 1203;
/// No target in arguments or environment.
pub const LK_TARGET_MISSING: lk_status = 1204;
/// The endpoint is disabled; a connection cannot wake it.
pub const LK_ENDPOINT_DISABLED: lk_status = 1205;
/// The endpoint is still being made and has no host yet.
pub const LK_ENDPOINT_NOT_READY: lk_status = 1206;
/// A token login on a pooled host, which takes native passwords only.
pub const LK_POOLER_REFUSED: lk_status = 1207;
/// No TCP connection to the control plane.
pub const LK_HTTP_CONNECT: lk_status = 1301;
/// The control plane did not answer in time.
pub const LK_HTTP_TIMEOUT: lk_status = 1302;
/// The control plane's certificate was not accepted, or TLS failed otherwise.
pub const LK_HTTP_TLS: lk_status = 1303;
/// The control plane's name was not found.
pub const LK_HTTP_DNS: lk_status = 1304;
/// The HTTP proxy refused or could not be reached.
pub const LK_HTTP_PROXY: lk_status = 1305;
/// The control plane's answer is not what the protocol says.
pub const LK_HTTP_PROTOCOL: lk_status = 1306;
/// The API refused the request as invalid (400).
pub const LK_API_BAD_REQUEST: lk_status = 1401;
/// The identity may not do this (403).
pub const LK_API_PERMISSION_DENIED: lk_status = 1402;
/// The API knows no such resource (404).
pub const LK_API_NOT_FOUND: lk_status = 1403;
/// The resource exists or is in another state (409).
pub const LK_API_CONFLICT: lk_status = 1404;
/// Too many requests (429).
pub const LK_API_RATE_LIMITED: lk_status = 1405;
/// The API is unavailable (5xx).
pub const LK_API_UNAVAILABLE: lk_status = 1406;
/// Any other refusal of the API.
pub const LK_API_ERROR: lk_status = 1407;
/// An argument of a management call that cannot be sent: missing, misspelt or malformed.
pub const LK_API_ARGUMENT: lk_status = 1408;
/// A long-running operation ended with an error.
pub const LK_OPERATION_FAILED: lk_status = 1409;
/// No usable credential in time: the last one ended and minting fails.
pub const LK_CREDENTIAL_UNAVAILABLE: lk_status = 1501;
/// The minted credential cannot be used.
pub const LK_CREDENTIAL_INVALID: lk_status = 1502;
/// The directory of shared credentials cannot be used, and the program requires it.
pub const LK_SHARED_DIRECTORY: lk_status = 1503;
/// A connection string that does not parse.
pub const LK_CONNINFO_SYNTAX: lk_status = 1601;
/// A connection parameter with a value that cannot be used.
pub const LK_CONNINFO_INVALID: lk_status = 1602;
/// The database host's name has no address.
pub const LK_RESOLVE_FAILED: lk_status = 1701;
/// Name resolution took longer than allowed.
pub const LK_RESOLVE_TIMEOUT: lk_status = 1702;
/// Postgres refused the login.
pub const LK_LOGIN_REFUSED: lk_status = 1801;
/// No login within the connect's budget: the database sleeps, is full, or cannot be reached.
pub const LK_LOGIN_UNAVAILABLE: lk_status = 1802;
/// The database server's TLS or certificate was not accepted.
pub const LK_LOGIN_TLS: lk_status = 1803;
/// The caller's own time limit passed.
pub const LK_TIMEOUT: lk_status = 1901;
/// The caller cancelled.
pub const LK_CANCELLED: lk_status = 1902;
/// The client was closed.
pub const LK_CLOSED: lk_status = 1903;
/// A handle that was freed, is of another type, or never was one.
pub const LK_HANDLE_INVALID: lk_status = 1904;
/// A defect of lakekey.
pub const LK_INTERNAL: lk_status = 1990;
/// A panic inside lakekey, caught at the language boundary.
pub const LK_INTERNAL_PANIC: lk_status = 1991;

#[cfg(test)]
mod tests {
    use lakekey_ffi::FfiError;

    /// The constants of this file, by name and number.
    fn constants() -> Vec<(u16, String)> {
        include_str!("code.rs")
            .lines()
            .filter_map(|line| {
                line.strip_prefix("pub const LK_")?
                    .split_once(": lk_status = ")
            })
            .filter_map(|(slug, number)| {
                Some((number.trim_end_matches(';').parse().ok()?, slug.to_owned()))
            })
            .filter(|(number, _)| *number != 0)
            .collect()
    }

    #[test]
    fn the_constants_are_the_published_codes() {
        let table: Vec<(u16, String)> = FfiError::table()
            .into_iter()
            .map(|(number, slug, _)| (number, slug.to_owned()))
            .collect();
        assert_eq!(constants(), table);
    }
}
