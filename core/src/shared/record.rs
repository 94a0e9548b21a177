//! What stands in a file: a credential or a fact, and when it was true.
//!
//! A file may be torn by a full disk, restored from a backup, copied from another machine or written by another version.
//! So everything in it is checked against what the reader knows itself, its lifetime is bounded whatever it claims, and
//! what does not fit counts as absent.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::{Moment, millis};
use crate::credential::policy::{LONGEST_LIFETIME, Phase, Validity};
use crate::secret::{Secret, SecretBytes, secret_bytes};

/// Files of another version are not read, and are written anew.
const VERSION: u32 = 1;
/// How far the wall clock may be behind the one that wrote the file: it was set back a little, not to another day.
const SET_BACK: Duration = Duration::from_mins(1);
/// Without the name of a boot, the time at which the machine was booted has to tell it: as exact as clocks are set.
const SAME_BOOT_MS: u64 = 10_000;
/// How long a fact is believed; as long as the longest credential, because both are needed for a login.
const FACT_AGE: Duration = LONGEST_LIFETIME;
const LONGEST_TOKEN: usize = 16 * 1024;

/// Everything about a file but its content.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head<'a, T> {
    version: u32,
    /// What it is about: the file's own name.
    key: Cow<'a, str>,
    /// The boot that `boot_ms` counts from; empty where the system does not name it.
    boot: Cow<'a, str>,
    boot_ms: u64,
    wall_ms: u64,
    kept: T,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Minted<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    lifetime_ms: u64,
    /// From the beginning: the point at which all processes look for the next one.
    refresh_ms: u64,
    /// When the token was refused in whose place this one was minted, in boot time.
    refused_ms: Option<u64>,
}

/// A credential as it was kept.
pub(crate) struct Kept {
    pub(crate) token: Secret,
    pub(crate) validity: Validity,
    pub(crate) refused_ms: Option<u64>,
}

/// Who reads or writes: the key of the file, this boot, and now.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) key: &'a str,
    pub(super) boot: &'a str,
    pub(super) now: Moment,
}

impl Reader<'_> {
    /// The credential, if it is whole, of this boot, and can still be used.
    pub(super) fn credential(&self, text: &[u8]) -> Option<Kept> {
        let head: Head<'_, Minted<'_>> = serde_json::from_slice(text).ok()?;
        let issued = self.since(&head)?;
        let Minted {
            token,
            lifetime_ms,
            refresh_ms,
            refused_ms,
        } = head.kept;
        let token = Secret::new(token);
        let fits = (1..=LONGEST_TOKEN).contains(&token.expose().len())
            && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
        let refused_ms = refused_ms.filter(|at| *at <= issued.boot_ms);
        let validity = Validity::kept(issued, lifetime_ms, refresh_ms)?;
        (fits && validity.phase(self.now) != Phase::Expired).then_some(Kept {
            token,
            validity,
            refused_ms,
        })
    }

    /// The file of a credential. Its text is wiped when it is dropped.
    pub(super) fn write_credential(&self, kept: &Kept) -> Option<SecretBytes> {
        let issued = kept.validity.issued;
        let minted = Minted {
            token: Cow::Borrowed(kept.token.expose()),
            lifetime_ms: kept.validity.lifetime_ms,
            refresh_ms: kept.validity.refresh.boot_ms.checked_sub(issued.boot_ms)?,
            refused_ms: kept.refused_ms,
        };
        let mut text = secret_bytes(2 * LONGEST_TOKEN);
        serde_json::to_writer(&mut *text, &self.head(issued, minted)).ok()?;
        Some(text)
    }

    /// A fact and the boot time at which it was learnt, if it is young enough.
    pub(super) fn fact<T: DeserializeOwned>(&self, text: &[u8]) -> Option<(T, u64)> {
        let head: Head<'_, T> = serde_json::from_slice(text).ok()?;
        let learnt = self.since(&head)?;
        let age = millis(FACT_AGE);
        let young = self.now.boot_ms - learnt.boot_ms <= age
            && self.now.wall_ms.saturating_sub(learnt.wall_ms) <= age;
        young.then_some((head.kept, learnt.boot_ms))
    }

    /// The file of a fact that was learnt now.
    pub(super) fn write_fact<T: Serialize>(&self, fact: &T) -> Option<Vec<u8>> {
        serde_json::to_vec(&self.head(self.now, fact)).ok()
    }

    fn head<T>(&self, at: Moment, kept: T) -> Head<'_, T> {
        Head {
            version: VERSION,
            key: Cow::Borrowed(self.key),
            boot: Cow::Borrowed(self.boot),
            boot_ms: at.boot_ms,
            wall_ms: at.wall_ms,
            kept,
        }
    }

    /// When it was written, if that was about this key, in this boot, and not in the future.
    fn since<T>(&self, head: &Head<'_, T>) -> Option<Moment> {
        let at = Moment {
            boot_ms: head.boot_ms,
            wall_ms: head.wall_ms,
        };
        let booted = |moment: Moment| moment.wall_ms.checked_sub(moment.boot_ms);
        let same_boot = if self.boot.is_empty() {
            booted(at)?.abs_diff(booted(self.now)?) <= SAME_BOOT_MS
        } else {
            true
        };
        let fits = head.version == VERSION
            && head.key == self.key
            && head.boot == self.boot
            && same_boot
            && at.boot_ms <= self.now.boot_ms
            && at.wall_ms <= self.now.wall_ms.saturating_add(millis(SET_BACK));
        fits.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const WRITTEN: Moment = Moment {
        boot_ms: 5_000_000,
        wall_ms: 1_800_000_000_000,
    };

    fn reader(now: Moment) -> Reader<'static> {
        Reader {
            key: "k",
            boot: "b",
            now,
        }
    }

    fn later(ms: u64) -> Moment {
        Moment {
            boot_ms: WRITTEN.boot_ms + ms,
            wall_ms: WRITTEN.wall_ms + ms,
        }
    }

    fn written() -> String {
        let kept = Kept {
            token: Secret::new("minted"),
            validity: Validity::kept(WRITTEN, 3_600_000, 2_000_000).unwrap(),
            refused_ms: None,
        };
        let text = reader(WRITTEN).write_credential(&kept).unwrap();
        String::from_utf8(text.to_vec()).unwrap()
    }

    fn reads(text: &str, now: Moment) -> bool {
        reader(now).credential(text.as_bytes()).is_some()
    }

    #[test]
    fn what_was_written_is_read_with_its_times_until_it_ends() {
        let text = written();
        let kept = reader(later(1_000)).credential(text.as_bytes()).unwrap();
        assert!(kept.token.matches("minted"));
        assert_eq!(kept.validity.issued, WRITTEN);
        assert_eq!(kept.validity.phase(later(1_999_999)), Phase::Fresh);
        assert_eq!(kept.validity.phase(later(2_000_000)), Phase::Stale);
        assert!(reads(&text, later(3_539_999)) && !reads(&text, later(3_540_000)));
    }

    #[test]
    fn another_boot_the_future_and_a_clock_of_another_day_are_refused() {
        let text = written();
        let now = later(60_000);
        assert!(reads(&text, now));
        let rebooted = Reader {
            boot: "c",
            ..reader(now)
        };
        assert!(rebooted.credential(text.as_bytes()).is_none());
        let other = Reader {
            key: "l",
            ..reader(now)
        };
        assert!(other.credential(text.as_bytes()).is_none());
        for odd in [
            Moment {
                boot_ms: WRITTEN.boot_ms - 1,
                ..now
            },
            Moment {
                wall_ms: WRITTEN.wall_ms - 61_000,
                ..now
            },
        ] {
            assert!(!reads(&text, odd), "{odd:?}");
        }
    }

    #[test]
    fn a_system_that_does_not_name_its_boot_is_known_by_when_it_booted() {
        let text = written().replace("\"b\"", "\"\"");
        let nameless = |now| Reader {
            boot: "",
            ..reader(now)
        };
        assert!(nameless(later(9)).credential(text.as_bytes()).is_some());
        let rebooted = Moment {
            boot_ms: WRITTEN.boot_ms + 1,
            wall_ms: WRITTEN.wall_ms + 600_000,
        };
        assert!(nameless(rebooted).credential(text.as_bytes()).is_none());
    }

    #[test]
    fn damage_and_claims_that_cannot_be_are_refused() {
        let text = written();
        for end in 0..text.len() {
            assert!(!reads(&text[..end], later(1)), "torn at {end}");
        }
        for (was, is) in [
            ("\"version\":1", "\"version\":2"),
            ("3600000", "3600001"),
            ("3600000", "0"),
            ("2000000", "3600001"),
            ("2000000", "-1"),
            ("minted", ""),
            ("minted", "min ted"),
            ("minted", "min\\nted"),
            ("\"minted\"", "7"),
            ("5000000", "18446744073709551615"),
            ("1800000000000", "18446744073709551615"),
            ("\"token\"", "\"more\":1,\"token\""),
        ] {
            let damaged = text.replace(was, is);
            assert_ne!(damaged, text, "{was}");
            assert!(!reads(&damaged, later(1)), "{was} -> {is}");
        }
    }

    #[test]
    fn a_fact_is_believed_for_an_hour() {
        let text = reader(WRITTEN).write_fact(&"host").unwrap();
        let read = |now| reader(now).fact::<String>(&text);
        assert_eq!(
            read(later(3_600_000)),
            Some(("host".to_owned(), WRITTEN.boot_ms))
        );
        assert_eq!(read(later(3_600_001)), None);
    }
}
