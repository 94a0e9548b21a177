//! Ids and host names: which ids are good, and what uid and host a resource gets.
//!
//! Host names carry the uid, never the id, so that a resource that is made again under its old id gets a new host, as
//! in the cloud. The uids of the resources that the emulator starts with follow from their names, so that a `.env`
//! file written yesterday still works today.

use ring::digest::{SHA256, digest};

use crate::Error;
use crate::token::hex;

/// What all host names of endpoints end in; a name below `localhost` never leaves the machine.
pub(crate) const HOST_SUFFIX: &str = ".database.localhost";
/// The same where the emulator's own name server has to be asked; `test` is nobody's, by RFC 6761.
pub(crate) const DNS_HOST_SUFFIX: &str = ".database.lakekey.test";
/// What the pooled host's first label ends in.
pub(crate) const POOLED: &str = "-pooler";

const FIRST: [&str; 32] = [
    "aged",
    "autumn",
    "billowing",
    "bold",
    "broad",
    "calm",
    "cold",
    "cool",
    "crimson",
    "damp",
    "dawn",
    "delicate",
    "dry",
    "falling",
    "floral",
    "fragrant",
    "frosty",
    "gentle",
    "green",
    "hidden",
    "holy",
    "late",
    "little",
    "lively",
    "long",
    "misty",
    "morning",
    "muddy",
    "patient",
    "proud",
    "purple",
    "quiet",
];
const SECOND: [&str; 32] = [
    "base", "bird", "block", "boat", "breeze", "brook", "bush", "cake", "cell", "cherry", "cloud",
    "credit", "darkness", "dawn", "dew", "disk", "dream", "dust", "feather", "field", "fire",
    "flower", "fog", "forest", "frost", "glade", "glitter", "grass", "hat", "haze", "heart",
    "hill",
];

/// `br-word-word-xxxxxxxx` and the like, from a seed.
pub(crate) fn uid(kind: &str, seed: &str) -> String {
    let hash = digest(&SHA256, format!("{kind}\0{seed}").as_bytes());
    let hash = hash.as_ref();
    let word = |list: [&'static str; 32], byte: u8| list[usize::from(byte) % 32];
    format!(
        "{kind}-{}-{}-{}",
        word(FIRST, hash[0]),
        word(SECOND, hash[1]),
        hex(&hash[2..6])
    )
}

/// A UUID from a seed.
pub(crate) fn uuid(seed: &str) -> String {
    let hash = hex(&digest(&SHA256, seed.as_bytes()).as_ref()[..16]);
    format!(
        "{}-{}-4{}-8{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[13..16],
        &hash[17..20],
        &hash[20..]
    )
}

/// The host of an endpoint.
pub(crate) fn host(endpoint_uid: &str) -> String {
    format!("{endpoint_uid}{HOST_SUFFIX}")
}

/// The host of an endpoint that the emulator's own name server knows.
pub(crate) fn dns_host(endpoint_uid: &str) -> String {
    format!("{endpoint_uid}{DNS_HOST_SUFFIX}")
}

/// The pooled host of an endpoint.
pub(crate) fn pooled_host(endpoint_uid: &str) -> String {
    format!("{endpoint_uid}{POOLED}{HOST_SUFFIX}")
}

/// The endpoint's uid and whether the host is the pooled one.
pub(crate) fn split_host(host: &str) -> Option<(&str, bool)> {
    let label = host
        .strip_suffix(HOST_SUFFIX)
        .or_else(|| host.strip_suffix(DNS_HOST_SUFFIX))?;
    Some(
        label
            .strip_suffix(POOLED)
            .map_or((label, false), |uid| (uid, true)),
    )
}

/// The service's rule for ids that callers choose.
pub(crate) fn check_id(field: &str, id: &str) -> Result<(), Error> {
    let bytes = id.as_bytes();
    let good = (1..=63).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
    if good {
        Ok(())
    } else {
        Err(Error::invalid(
            field,
            format!("{id:?}"),
            "an id matching ^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_stable_and_tell_kinds_and_seeds_apart() {
        let endpoint = uid("ep", "projects/p/branches/b/endpoints/e");
        assert_eq!(endpoint, uid("ep", "projects/p/branches/b/endpoints/e"));
        assert_ne!(endpoint, uid("ep", "projects/p/branches/b/endpoints/f"));
        assert_eq!(endpoint.split('-').count(), 4);
        assert_eq!(endpoint.rsplit('-').next().map(str::len), Some(8));
        assert_eq!(uuid("projects/p").len(), 36);
    }

    #[test]
    fn hosts_lead_back_to_their_endpoint() {
        assert_eq!(
            split_host(&host("ep-a-b-12345678")),
            Some(("ep-a-b-12345678", false))
        );
        assert_eq!(
            split_host(&pooled_host("ep-a-b-12345678")),
            Some(("ep-a-b-12345678", true))
        );
        assert_eq!(split_host("ep-a-b-12345678.example.com"), None);
    }

    #[test]
    fn ids_follow_the_rule_of_the_service() {
        for good in ["a", "shop", "a-1", &"a".repeat(63)] {
            assert!(check_id("project_id", good).is_ok(), "{good}");
        }
        for bad in ["", "A", "1a", "a-", "a_b", "é", &"a".repeat(64)] {
            assert!(check_id("project_id", bad).is_err(), "{bad}");
        }
    }
}
