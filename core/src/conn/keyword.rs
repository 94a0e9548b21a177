//! `keyword=value` strings, exactly as libpq reads them.
//!
//! Blanks are the six of C; a backslash takes the next character as it is, with and without quotes; a quoted value may
//! be followed by the next keyword with no blank between.

use super::params::{Params, WithPassword, place};
use super::table::Keyword;
use crate::{Code, Error, Result};

/// C's `isspace` in the C locale.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Reads `keyword=value` pairs; the text has no NUL.
pub(super) fn parse(text: &str) -> Result<Params> {
    let bytes = text.as_bytes();
    let skip_blanks = |from: usize| from + count(&bytes[from..], is_blank);
    let mut params = Params::new();
    let mut at = skip_blanks(0);
    while at < bytes.len() {
        let start = at;
        let length = count(&bytes[at..], |byte| byte != b'=' && !is_blank(byte));
        let name = &text[start..start + length];
        at = skip_blanks(start + length);
        if bytes.get(at) != Some(&b'=') {
            return Err(no_equals_sign(text, start));
        }
        at = skip_blanks(at + 1);
        let (value, end) = if bytes.get(at) == Some(&b'\'') {
            quoted(text, at).ok_or_else(|| no_closing_quote(text, name, at))?
        } else {
            bare(text, at)
        };
        if !params.store(name, value) {
            let message = if name.is_empty() {
                format!("no keyword before the \"=\" {}", place(text, start))
            } else {
                format!("unknown connection keyword {}", place(text, start))
            };
            return Err(Error::new(Code::ConninfoSyntax, message)
                .with_hint(Keyword::hint_for_unknown(name)));
        }
        at = skip_blanks(end);
    }
    Ok(params)
}

/// How many bytes in a row are as asked for.
fn count(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| wanted(**byte)).count()
}

/// The quoted value whose quote stands at `open`, and where it ends; `None` without a closing quote.
fn quoted(text: &str, open: usize) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut rest = text[open + 1..].char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '\'' => return Some((value, open + 1 + at + 1)),
            '\\' => value.push(rest.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

/// The value that starts at `from` and ends at a blank, and where it ends. A backslash at the very end vanishes.
fn bare(text: &str, from: usize) -> (String, usize) {
    let mut value = String::new();
    let mut rest = text[from..].char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '\\' => value.extend(rest.next().map(|(_, next)| next)),
            _ if u8::try_from(c).is_ok_and(is_blank) => return (value, from + at),
            _ => value.push(c),
        }
    }
    (value, text.len())
}

fn no_equals_sign(text: &str, at: usize) -> Error {
    let lower = text.trim_start().to_ascii_lowercase();
    let hint = if lower.starts_with("jdbc:") {
        "This is a JDBC URL; libpq's URIs start with postgresql:// and carry the user as user@host"
    } else if lower.contains("://") {
        "A connection URI starts with postgresql:// or postgres://, in small letters and with nothing before it"
    } else {
        "Write each setting as keyword=value, and a value with blanks in quotes: password='two words'"
    };
    Error::new(
        Code::ConninfoSyntax,
        format!("no \"=\" after the word {}", place(text, at)),
    )
    .with_hint(hint)
}

fn no_closing_quote(text: &str, name: &str, at: usize) -> Error {
    let whose = Keyword::from_name(name)
        .map_or_else(String::new, |known| format!(" of {:?}", known.name()));
    Error::new(
        Code::ConninfoSyntax,
        format!(
            "the quoted value{whose} has no closing quote; it starts {}",
            place(text, at)
        ),
    )
    .with_hint("Inside quotes, write a quote as \\' and a backslash as \\\\")
}

impl Params {
    /// Writes `keyword=value` pairs, which libpq and the drivers built on it read back unchanged.
    pub fn to_keyword(&self, with: WithPassword) -> String {
        let pairs: Vec<String> = self
            .pairs(with)
            .map(|(keyword, value)| format!("{}={}", keyword.name(), quote(value)))
            .collect();
        pairs.join(" ")
    }
}

fn quote(value: &str) -> String {
    let plain = !value.is_empty()
        && !value
            .bytes()
            .any(|byte| is_blank(byte) || matches!(byte, b'\'' | b'\\'));
    if plain {
        return value.to_owned();
    }
    let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::super::params::{Params, WithPassword};
    use super::super::table::Keyword;
    use crate::Code;

    #[test]
    fn reads_what_libpq_reads() {
        let params =
            Params::parse(" host = h\tuser='a b'dbname=c\\ d password='it\\'s' port=").unwrap();
        assert_eq!(params.host(), Some("h"));
        assert_eq!(params.user(), Some("a b"));
        assert_eq!(params.dbname(), Some("c d"));
        assert!(params.password().unwrap().matches("it's"));
        assert_eq!(params.port_list(), Some(""));
        assert_eq!(Params::parse("user=a user=b\\").unwrap().user(), Some("b"));
        assert_eq!(
            Params::parse("requiressl=1").unwrap().sslmode(),
            Some("require")
        );
        assert_eq!(Params::parse(" \t").unwrap(), Params::new());
    }

    #[test]
    fn says_where_and_what_without_the_text() {
        for (text, wanted) in [
            (
                "user=a password=two hunter2",
                "no \"=\" after the word at character 21",
            ),
            (
                "user=a password=two hunter2=x",
                "unknown connection keyword at character 21",
            ),
            (
                "user=é password='hunter2",
                "the quoted value of \"password\" has no closing quote; it starts at character 17",
            ),
            ("=hunter2", "no keyword before the \"=\" at character 1"),
        ] {
            let error = Params::parse(text).unwrap_err();
            assert_eq!(error.code(), Code::ConninfoSyntax);
            assert_eq!(error.message(), wanted);
            assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
        }
        let error = Params::parse("POSTGRESQL://h/d").unwrap_err();
        assert!(error.hint().unwrap().contains("small letters"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(values in prop::collection::vec((0..Keyword::ALL.len(), "\\PC*|[ \\t\\n'\\\\a=]*"), 0..8)) {
            let mut params = Params::new();
            for (index, value) in values {
                params.set(Keyword::ALL[index], value.replace('\0', "")).unwrap();
            }
            let text = params.to_keyword(WithPassword::Yes);
            prop_assert_eq!(Params::parse(&text).unwrap(), params);
        }

        #[test]
        fn no_error_repeats_a_piece_of_the_password(
            head in "[a-z= ']{0,12}", secret in "[Q-Z]{4}[0-9]{3}", glue in "[ '=\\\\@/?#:&%]{0,3}", tail in "[a-z= ']{0,12}"
        ) {
            let text = format!("{head} password={secret}{glue}{secret}{glue}{tail}");
            if let Err(error) = Params::parse(&text) {
                let shown = format!("{error:?} {error}"); prop_assert!(!shown.contains(&secret), "{}", shown);
            }
        }
    }
}
