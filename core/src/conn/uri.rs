//! Connection URIs, exactly as libpq 18 reads them.
//!
//! This is no general URL parser on purpose: user information ends at the first `@`, several hosts may be given, `+` is
//! a plus, and blanks around a part are dropped while blanks inside are refused. A URL crate reads about every third of
//! the strings that psql takes in another way.

use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::params::{Params, WithPassword, place};
use super::table::Keyword;
use crate::{Code, Error, Result};

const ENCODE: &str =
    "Percent-encode what is special: @ as %40, : as %3A, / as %2F, a blank as %20, % as %25";

/// What stays as it is in a rendered part; every reader agrees on these.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Where the part after the scheme starts; `None` if this is no URI.
pub(super) fn rest_of(text: &str) -> Option<usize> {
    ["postgresql://", "postgres://"]
        .into_iter()
        .find(|scheme| text.starts_with(scheme))
        .map(str::len)
}

/// A part of the text, so that an error can say where it stands.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

impl<'a> Part<'a> {
    fn raw(self) -> &'a str {
        &self.text[self.start..self.end]
    }

    fn is_empty(self) -> bool {
        self.start == self.end
    }

    fn slice(self, start: usize, end: usize) -> Part<'a> {
        Part { start, end, ..self }
    }

    /// The offset of the first of `stops` from `from` on, or the end.
    fn find(self, from: usize, stops: &[char]) -> usize {
        self.text[from..self.end]
            .find(stops)
            .map_or(self.end, |at| from + at)
    }

    fn byte(self, at: usize) -> Option<u8> {
        self.text.as_bytes()[..self.end].get(at).copied()
    }

    fn error(self, what: &str, at: usize) -> Error {
        Error::new(
            Code::ConninfoSyntax,
            format!("{what} {} of the URI", place(self.text, at)),
        )
    }
}

/// Reads a URI whose part after the scheme starts at `start`; the text has no NUL.
pub(super) fn parse(text: &str, start: usize) -> Result<Params> {
    let whole = Part {
        text,
        start,
        end: text.len(),
    };
    let mut params = Params::new();
    let mut at = start;

    let sign = whole.find(at, &['@', '/']);
    if whole.byte(sign) == Some(b'@') {
        let colon = whole.slice(at, sign).find(at, &[':']);
        store(&mut params, Keyword::User, whole.slice(at, colon))?;
        if colon < sign {
            store(&mut params, Keyword::Password, whole.slice(colon + 1, sign))?;
        }
        at = sign + 1;
    }

    let (hosts, ports, end) = servers(whole, at)?;
    at = end;
    if let Some(hosts) = hosts {
        params.store("host", hosts);
    }
    if let Some(ports) = ports {
        params.store("port", ports);
    }

    if whole.byte(at) == Some(b'/') {
        let question = whole.find(at + 1, &['?']);
        store(&mut params, Keyword::Dbname, whole.slice(at + 1, question))?;
        at = question;
    }
    if whole.byte(at) == Some(b'?') {
        query(&mut params, whole.slice(at + 1, whole.end))?;
    }
    Ok(params)
}

/// The lists of hosts and ports, and where they end. libpq joins the raw texts before it decodes them, which shows
/// where blanks meet commas.
fn servers(whole: Part<'_>, mut at: usize) -> Result<(Option<String>, Option<String>, usize)> {
    let start = at;
    let (mut hosts, mut ports) = (String::new(), String::new());
    loop {
        if whole.byte(at) == Some(b'[') {
            let close = whole.find(at + 1, &[']']);
            if close == whole.end {
                return Err(whole
                    .error("no \"]\" for the \"[\" of an IPv6 address", at)
                    .with_hint("Write an IPv6 host as [::1]"));
            }
            if close == at + 1 {
                return Err(whole
                    .error("an empty IPv6 address", at)
                    .with_hint("Write an IPv6 host as [::1]"));
            }
            hosts.push_str(whole.slice(at + 1, close).raw());
            at = close + 1;
            if whole
                .byte(at)
                .is_some_and(|byte| !matches!(byte, b':' | b'/' | b'?' | b','))
            {
                return Err(whole
                    .error(
                        "an unexpected character after the \"]\" of an IPv6 address",
                        at,
                    )
                    .with_hint("After it comes a port as :5432, a \"/\", a \"?\" or a \",\""));
            }
        } else {
            let stop = whole.find(at, &[':', '/', '?', ',']);
            hosts.push_str(whole.slice(at, stop).raw());
            at = stop;
        }
        if whole.byte(at) == Some(b':') {
            let stop = whole.find(at + 1, &['/', '?', ',']);
            ports.push_str(whole.slice(at + 1, stop).raw());
            at = stop;
        }
        if whole.byte(at) != Some(b',') {
            break;
        }
        at += 1;
        hosts.push(',');
        ports.push(',');
    }
    let around = |list: &str, what: &str| {
        (!list.is_empty())
            .then(|| decode(list))
            .transpose()
            .map_err(|fault| {
                whole
                    .error(&fault.about(what), start)
                    .with_hint(fault.hint())
            })
    };
    Ok((around(&hosts, "the host")?, around(&ports, "the port")?, at))
}

/// Stores a part of the authority or the path, if there is one.
fn store(params: &mut Params, keyword: Keyword, part: Part<'_>) -> Result<()> {
    if part.is_empty() {
        return Ok(());
    }
    let value = decode_part(part, &format!("the {}", keyword.name()))?;
    params.store(keyword.name(), value);
    Ok(())
}

fn query(params: &mut Params, list: Part<'_>) -> Result<()> {
    let mut at = list.start;
    while at < list.end {
        let pair = list.slice(at, list.find(at, &['&']));
        at = pair.end + 1;
        let equals = pair.find(pair.start, &['=']);
        if equals == pair.end {
            return Err(pair
                .error("no \"=\" in the query pair", pair.start)
                .with_hint(ENCODE));
        }
        let second = pair.find(equals + 1, &['=']);
        if second < pair.end {
            return Err(pair
                .error("a second \"=\" in the query pair", second)
                .with_hint("Write an equals sign inside a value as %3D"));
        }
        let name = decode_part(pair.slice(pair.start, equals), "the keyword")?;
        let what = Keyword::from_name(&name).map_or("the value", Keyword::name);
        let value = decode_part(pair.slice(equals + 1, pair.end), what)?;
        let (name, value) = if name == "ssl" && value == "true" {
            ("sslmode".to_owned(), "require".to_owned())
        } else {
            (name, value)
        };
        if !params.store(&name, value) {
            return Err(pair
                .error("unknown connection keyword in the query", pair.start)
                .with_hint(Keyword::hint_for_unknown(&name)));
        }
    }
    Ok(())
}

fn decode_part(part: Part<'_>, what: &str) -> Result<String> {
    decode(part.raw()).map_err(|fault| {
        part.error(&fault.about(what), part.start)
            .with_hint(fault.hint())
    })
}

/// Why a part cannot be decoded.
#[derive(Clone, Copy)]
enum Fault {
    Percent,
    Nul,
    Blank,
    NotUtf8,
}

impl Fault {
    fn about(self, what: &str) -> String {
        let fault = match self {
            Fault::Percent => {
                "has a \"%\" that is not followed by two hexadecimal digits; it starts"
            }
            Fault::Nul => "has a NUL character as %00; it starts",
            Fault::Blank => "has a blank inside; it starts",
            Fault::NotUtf8 => "is not UTF-8 once decoded; it starts",
        };
        format!("{what} {fault}")
    }

    const fn hint(self) -> &'static str {
        match self {
            Fault::Percent => "Write a percent sign as %25",
            Fault::Nul => "No Postgres driver can carry a NUL character",
            Fault::Blank => "Write a blank inside a URI as %20",
            Fault::NotUtf8 => "Percent-encode the UTF-8 bytes of each character",
        }
    }
}

/// Percent-decodes, drops blanks around and refuses blanks inside, as libpq 18 does. libpq would also pass bytes that
/// are no UTF-8; text is all we carry.
fn decode(raw: &str) -> std::result::Result<String, Fault> {
    let raw = raw.trim_start_matches(' ');
    let word = raw.split(' ').next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(Fault::Percent);
        };
        match u8::try_from(high << 4 | low) {
            Ok(0) | Err(_) => return Err(Fault::Nul),
            Ok(decoded) => bytes.push(decoded),
        }
    }
    if raw[word.len()..].bytes().any(|byte| byte != b' ') {
        return Err(Fault::Blank);
    }
    String::from_utf8(bytes).map_err(|_| Fault::NotUtf8)
}

pub(super) fn encode(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}

impl Params {
    /// Writes a URI that libpq reads back unchanged and that other drivers read alike: everything special is
    /// percent-encoded, nothing is said twice.
    ///
    /// One thing has no form of its own: several hosts without any port come back as several empty ports.
    pub fn to_uri(&self, with: WithPassword) -> String {
        let set = |keyword| {
            self.pairs(with)
                .find(|(candidate, _)| *candidate == keyword)
                .map(|(_, value)| value)
                .filter(|value| !value.is_empty())
        };
        let mut uri = String::from("postgresql://");
        let mut said = Vec::new();
        if let Some(user) = set(Keyword::User) {
            uri.push_str(&encode(user));
            said.push(Keyword::User);
        }
        if let Some(password) = set(Keyword::Password) {
            uri.push(':');
            uri.push_str(&encode(password));
            said.push(Keyword::Password);
        }
        if !said.is_empty() {
            uri.push('@');
        }
        said.extend(self.push_servers(&mut uri));
        uri.push('/');
        if let Some(dbname) = set(Keyword::Dbname) {
            uri.push_str(&encode(dbname));
            said.push(Keyword::Dbname);
        }
        let mut separator = '?';
        for (keyword, value) in self.pairs(with) {
            if !said.contains(&keyword) {
                uri.push(separator);
                uri.push_str(keyword.name());
                uri.push('=');
                uri.push_str(&encode(value));
                separator = '&';
            }
        }
        uri
    }

    /// Writes hosts and ports side by side, and says which of them it could write.
    fn push_servers(&self, uri: &mut String) -> Vec<Keyword> {
        let host = self.host().unwrap_or_default();
        let port = self.port_list().unwrap_or_default();
        let pairwise = host.split(',').count() == port.split(',').count();
        let mut ports = port.split(',');
        for (i, host) in host.split(',').enumerate() {
            if i > 0 {
                uri.push(',');
            }
            uri.push_str(&encode_host(host));
            if let Some(port) = ports.next().filter(|port| pairwise && !port.is_empty()) {
                uri.push(':');
                uri.push_str(&encode(port));
            }
        }
        let mut said = Vec::new();
        if !host.is_empty() {
            said.push(Keyword::Host);
        }
        if pairwise && !port.is_empty() {
            said.push(Keyword::Port);
        }
        said
    }
}

pub(super) fn encode_host(host: &str) -> String {
    let (address, zone) = host.split_once('%').unwrap_or((host, ""));
    if address.parse::<Ipv6Addr>().is_err() {
        return encode(host);
    }
    if zone.is_empty() && address.len() == host.len() {
        return format!("[{address}]");
    }
    format!("[{address}%25{}]", encode(zone))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::super::params::{Params, WithPassword};
    use super::super::table::Keyword;
    use crate::Code;

    fn parse(text: &str) -> Params {
        Params::parse(text).unwrap()
    }

    #[test]
    fn reads_what_libpq_reads() {
        let params =
            parse("postgres://a%40b.c:p:?#+=w@h1,[::1]:5433,%2Frun/db/x#y?sslmode=a+b&ssl=true&");
        assert_eq!(params.user(), Some("a@b.c"));
        assert!(params.password().unwrap().matches("p:?#+=w"));
        assert_eq!(params.host(), Some("h1,::1,/run"));
        assert_eq!(params.port_list(), Some(",5433,"));
        assert_eq!(params.dbname(), Some("db/x#y"));
        assert_eq!(params.sslmode(), Some("require"));
        assert_eq!(parse("postgresql://h1/d?host=h2").host(), Some("h2"));
        assert_eq!(parse("postgresql://"), Params::new());
        assert_eq!(parse("postgresql:// h /").host(), Some("h"));
        assert_eq!(parse("postgresql://u@x.com@h").host(), Some("x.com@h"));
    }

    #[test]
    fn says_where_and_what_without_the_text() {
        for (rest, wanted) in [
            (
                "u:%zhunter2@h",
                "the password has a \"%\" that is not followed by two hexadecimal digits; it starts at character 16 of the URI",
            ),
            (
                "u:hun ter2@h",
                "the password has a blank inside; it starts at character 16 of the URI",
            ),
            (
                "u:hunter2%00@h",
                "the password has a NUL character as %00; it starts at character 16 of the URI",
            ),
            (
                "u:a/hunter2?hunter2@h",
                "no \"=\" in the query pair at character 26 of the URI",
            ),
            (
                "u:a/?hunter2=5@h",
                "unknown connection keyword in the query at character 19 of the URI",
            ),
            (
                "é?host=a=hunter2",
                "a second \"=\" in the query pair at character 22 of the URI",
            ),
            (
                "[hunter2",
                "no \"]\" for the \"[\" of an IPv6 address at character 14 of the URI",
            ),
            ("[]", "an empty IPv6 address at character 14 of the URI"),
            (
                "[::1]hunter2",
                "an unexpected character after the \"]\" of an IPv6 address at character 19 of the URI",
            ),
            (
                "u:%ff@h",
                "the password is not UTF-8 once decoded; it starts at character 16 of the URI",
            ),
        ] {
            let error = Params::parse(&format!("postgresql://{rest}")).unwrap_err();
            assert_eq!(error.code(), Code::ConninfoSyntax);
            assert_eq!(error.message(), wanted);
            let shown = format!("{error:?} {error}");
            assert!(
                !shown.contains("hunter") && error.hint().is_some(),
                "{shown}"
            );
        }
    }

    #[test]
    fn writes_what_every_reader_reads_alike() {
        for (text, wanted) in [
            (
                "host=h user='a b@c' dbname=d/e port=1",
                "postgresql://a%20b%40c@h:1/d%2Fe",
            ),
            (
                "host=::1,fe80::1%eth0 port=1,",
                "postgresql://[::1]:1,[fe80::1%25eth0]/",
            ),
            (
                "host=/run/pg options='-c x=1'",
                "postgresql://%2Frun%2Fpg/?options=-c%20x%3D1",
            ),
            (
                "host=a,b port=1 dbname=''",
                "postgresql://a,b/?port=1&dbname=",
            ),
            ("password=p", "postgresql:///"),
        ] {
            assert_eq!(parse(text).to_uri(WithPassword::No), wanted);
        }
        assert_eq!(
            parse("password=p host=h").to_uri(WithPassword::Yes),
            "postgresql://:p@h/"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(values in prop::collection::vec((0..Keyword::ALL.len(), "\\PC*|[a-c:,/%@\\[\\] ]*"), 0..8)) {
            let mut params = Params::new();
            for (index, value) in values {
                params.set(Keyword::ALL[index], value).unwrap();
            }
            let mut back = parse(&params.to_uri(WithPassword::Yes));
            // Hosts without ports come back with as many empty ports, which means the same.
            let commas = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte == b',');
            if !params.has(Keyword::Port) && back.port_list().is_some_and(commas) {
                back.unset(Keyword::Port);
            }
            prop_assert_eq!(back, params);
        }

        #[test]
        fn no_error_repeats_a_piece_of_the_password(
            secret in "[Q-Z]{4}[0-9]{3}", glue in "[ '=\\\\@/?#:&%]{0,3}", tail in "[a-z=@/?&%]{0,12}"
        ) {
            let text = format!("postgresql://u:{secret}{glue}{secret}{glue}{secret}@h/{tail}");
            match Params::parse(&text) {
                Err(error) => { let shown = format!("{error:?} {error}"); prop_assert!(!shown.contains(&secret), "{}", shown); }
                Ok(params) => if let Err(error) = params.check() {
                    let shown = format!("{error:?} {error}"); prop_assert!(!shown.contains(&secret), "{}", shown);
                }
            }
        }
    }
}
