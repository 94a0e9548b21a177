//! The one model of connection settings.
//!
//! Values are kept as the text that libpq would keep, so that parsing and rendering lose nothing. Secrets are
//! [`Secret`]s and leave only when asked for by name or with [`WithPassword::Yes`].

use std::fmt;
use std::net::IpAddr;

use super::table::Keyword;
use super::{keyword, uri};
use crate::{Code, Error, Result, Secret};

/// Whether a renderer writes the password and the other secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithPassword {
    /// Leave every secret out.
    No,
    /// Write them.
    Yes,
}

/// Connection settings by libpq's keywords.
///
/// ```
/// use lakekey::conn::{Params, WithPassword};
/// let params = Params::parse("postgresql://ada%40example.com:secret@db.example.com/shop?sslmode=verify-full")?;
/// assert_eq!(params.user(), Some("ada@example.com"));
/// assert_eq!(
///     params.to_keyword(WithPassword::No),
///     "host=db.example.com user=ada@example.com dbname=shop sslmode=verify-full"
/// );
/// # Ok::<(), lakekey::Error>(())
/// ```
#[derive(Clone)]
pub struct Params {
    values: Vec<Option<Value>>,
}

#[derive(Clone)]
enum Value {
    Plain(String),
    Hidden(Secret),
}

impl Value {
    fn text(&self) -> &str {
        match self {
            Value::Plain(text) => text,
            Value::Hidden(secret) => secret.expose(),
        }
    }
}

impl Default for Params {
    fn default() -> Params {
        Params {
            values: vec![None; Keyword::ALL.len()],
        }
    }
}

impl Params {
    /// No settings.
    pub fn new() -> Params {
        Params::default()
    }

    /// Reads a connection string as libpq does: a URI if it starts with `postgresql://` or `postgres://`, else
    /// `keyword=value` pairs. Values are not checked: see [`Params::check`].
    pub fn parse(text: &str) -> Result<Params> {
        if let Some(at) = text.find('\0') {
            return Err(Error::new(
                Code::ConninfoSyntax,
                format!(
                    "the connection string has a NUL character {}",
                    place(text, at)
                ),
            ));
        }
        match uri::rest_of(text) {
            Some(start) => uri::parse(text, start),
            None => keyword::parse(text),
        }
    }

    /// The value of a keyword that is no secret.
    pub fn get(&self, keyword: Keyword) -> Option<&str> {
        match &self.values[keyword as usize] {
            Some(Value::Plain(text)) => Some(text),
            _ => None,
        }
    }

    /// The value of a keyword that is a secret.
    pub fn secret(&self, keyword: Keyword) -> Option<&Secret> {
        match &self.values[keyword as usize] {
            Some(Value::Hidden(secret)) => Some(secret),
            _ => None,
        }
    }

    /// Whether the keyword has a value, even an empty one.
    pub fn has(&self, keyword: Keyword) -> bool {
        self.values[keyword as usize].is_some()
    }

    /// Sets a keyword. Fails for a value with a NUL character, which no driver can carry.
    pub fn set(&mut self, keyword: Keyword, value: impl Into<String>) -> Result<()> {
        let value = if keyword.is_secret() {
            Value::Hidden(Secret::new(value))
        } else {
            Value::Plain(value.into())
        };
        if value.text().contains('\0') {
            return Err(Error::new(
                Code::ConninfoInvalid,
                format!("the value of {:?} has a NUL character", keyword.name()),
            ));
        }
        self.values[keyword as usize] = Some(value);
        Ok(())
    }

    /// Takes a keyword's value away.
    pub fn unset(&mut self, keyword: Keyword) {
        self.values[keyword as usize] = None;
    }

    /// The settings in reading order: host, port, user and so on first. Secrets only when asked for.
    pub fn pairs(&self, with: WithPassword) -> impl Iterator<Item = (Keyword, &str)> {
        Keyword::in_reading_order()
            .filter(move |keyword| with == WithPassword::Yes || !keyword.is_secret())
            .filter_map(|keyword| {
                let value = self.values[keyword as usize].as_ref()?;
                Some((keyword, value.text()))
            })
    }

    /// Sets one server: the name for TLS and, where the driver takes them, the addresses to dial. libpq wants as many
    /// hosts as addresses, so that the name and the port are repeated.
    pub fn set_server(&mut self, host: &str, addresses: &[IpAddr], port: u16) -> Result<()> {
        let times = addresses.len().max(1);
        self.set_hostaddr(addresses);
        self.values[Keyword::Port as usize] =
            Some(Value::Plain(vec![port.to_string(); times].join(",")));
        self.set(Keyword::Host, vec![host; times].join(","))
    }

    /// The same settings without `hostaddr`, for drivers that do not take it and for what is written down: addresses
    /// change. A server that was repeated for its addresses is named once.
    #[must_use]
    pub fn without_hostaddr(&self) -> Params {
        let mut plain = self.clone();
        let Some(addresses) = self.get(Keyword::Hostaddr) else {
            return plain;
        };
        plain.unset(Keyword::Hostaddr);
        if self.host().is_none_or(str::is_empty) {
            plain.values[Keyword::Host as usize] = Some(Value::Plain(addresses.to_owned()));
            return plain;
        }
        let servers = self.servers();
        if let Some(first) = servers.first()
            && servers.iter().all(|server| server == first)
        {
            plain.values[Keyword::Host as usize] = Some(Value::Plain(first.0.clone()));
            if self.has(Keyword::Port) {
                plain.values[Keyword::Port as usize] = Some(Value::Plain(first.1.clone()));
            }
        }
        plain
    }

    /// Hosts with their ports, both as text; the port is empty where none is given.
    pub(super) fn servers(&self) -> Vec<(String, String)> {
        let hosts: Vec<&str> = self.host().unwrap_or_default().split(',').collect();
        let ports: Vec<&str> = self.port_list().unwrap_or_default().split(',').collect();
        hosts
            .iter()
            .enumerate()
            .map(|(i, host)| {
                let port = if ports.len() == 1 {
                    ports.first()
                } else {
                    ports.get(i)
                };
                ((*host).to_owned(), (*port.unwrap_or(&"")).to_owned())
            })
            .collect()
    }

    /// The host, or the hosts separated by commas.
    pub fn host(&self) -> Option<&str> {
        self.get(Keyword::Host)
    }

    /// Sets the host.
    pub fn set_host(&mut self, host: impl Into<String>) -> Result<()> {
        self.set(Keyword::Host, host)
    }

    /// The addresses to dial; whatever is no address is left out, see [`Params::check`].
    pub fn hostaddr(&self) -> Vec<IpAddr> {
        let list = self.get(Keyword::Hostaddr).unwrap_or_default();
        list.split(',')
            .filter_map(|address| address.trim().parse().ok())
            .collect()
    }

    /// Sets the addresses to dial; none takes them away.
    pub fn set_hostaddr(&mut self, addresses: &[IpAddr]) {
        let list: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        self.values[Keyword::Hostaddr as usize] =
            (!list.is_empty()).then(|| Value::Plain(list.join(",")));
    }

    /// The port of the first host, if one is given and is a port.
    pub fn port(&self) -> Option<u16> {
        let first = self.port_list()?.split(',').next()?;
        first.trim().parse().ok().filter(|port| *port != 0)
    }

    /// The ports as written.
    pub fn port_list(&self) -> Option<&str> {
        self.get(Keyword::Port)
    }

    /// Sets the port of every host.
    pub fn set_port(&mut self, port: u16) {
        self.values[Keyword::Port as usize] = Some(Value::Plain(port.to_string()));
    }

    /// The role to log in as.
    pub fn user(&self) -> Option<&str> {
        self.get(Keyword::User)
    }

    /// Sets the role.
    pub fn set_user(&mut self, user: impl Into<String>) -> Result<()> {
        self.set(Keyword::User, user)
    }

    /// The password.
    pub fn password(&self) -> Option<&Secret> {
        self.secret(Keyword::Password)
    }

    /// Sets the password. Fails for one with a NUL character.
    pub fn set_password(&mut self, password: Secret) -> Result<()> {
        if password.expose().contains('\0') {
            return Err(Error::new(
                Code::ConninfoInvalid,
                "the value of \"password\" has a NUL character",
            ));
        }
        self.values[Keyword::Password as usize] = Some(Value::Hidden(password));
        Ok(())
    }

    /// The database.
    pub fn dbname(&self) -> Option<&str> {
        self.get(Keyword::Dbname)
    }

    /// Sets the database.
    pub fn set_dbname(&mut self, dbname: impl Into<String>) -> Result<()> {
        self.set(Keyword::Dbname, dbname)
    }

    /// How TLS is used.
    pub fn sslmode(&self) -> Option<&str> {
        self.get(Keyword::Sslmode)
    }

    /// Sets how TLS is used.
    pub fn set_sslmode(&mut self, sslmode: impl Into<String>) -> Result<()> {
        self.set(Keyword::Sslmode, sslmode)
    }

    /// The root certificates: a file, or `system`.
    pub fn sslrootcert(&self) -> Option<&str> {
        self.get(Keyword::Sslrootcert)
    }

    /// Sets the root certificates: a file, or `system`.
    pub fn set_sslrootcert(&mut self, sslrootcert: impl Into<String>) -> Result<()> {
        self.set(Keyword::Sslrootcert, sslrootcert)
    }

    /// The name that `pg_stat_activity` shows.
    pub fn application_name(&self) -> Option<&str> {
        self.get(Keyword::ApplicationName)
    }

    /// Sets the name that `pg_stat_activity` shows.
    pub fn set_application_name(&mut self, name: impl Into<String>) -> Result<()> {
        self.set(Keyword::ApplicationName, name)
    }

    /// Command-line options for the session.
    pub fn options(&self) -> Option<&str> {
        self.get(Keyword::Options)
    }

    /// Sets command-line options for the session.
    pub fn set_options(&mut self, options: impl Into<String>) -> Result<()> {
        self.set(Keyword::Options, options)
    }

    /// Seconds for one connection attempt, if given as a number.
    pub fn connect_timeout(&self) -> Option<u32> {
        self.get(Keyword::ConnectTimeout)?.trim().parse().ok()
    }

    /// Sets the seconds for one connection attempt.
    pub fn set_connect_timeout(&mut self, seconds: u32) {
        self.values[Keyword::ConnectTimeout as usize] = Some(Value::Plain(seconds.to_string()));
    }

    /// Stores what a parser found, with libpq's own rewriting of an old keyword; `false` for an unknown keyword.
    pub(super) fn store(&mut self, name: &str, value: String) -> bool {
        let (name, value) = match name {
            "requiressl" if value.starts_with('1') => ("sslmode", "require".to_owned()),
            "requiressl" => ("sslmode", "prefer".to_owned()),
            _ => (name, value),
        };
        let Some(keyword) = Keyword::from_name(name) else {
            return false;
        };
        self.values[keyword as usize] = Some(if keyword.is_secret() {
            Value::Hidden(Secret::new(value))
        } else {
            Value::Plain(value)
        });
        true
    }
}

/// Compares secrets in constant time.
impl PartialEq for Params {
    fn eq(&self, other: &Params) -> bool {
        self.values
            .iter()
            .zip(&other.values)
            .all(|pair| match pair {
                (None, None) => true,
                (Some(Value::Hidden(a)), Some(b)) => a.matches(b.text()),
                (Some(a), Some(b)) => a.text() == b.text(),
                _ => false,
            })
    }
}

impl Eq for Params {}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_map();
        for (keyword, value) in self.pairs(WithPassword::Yes) {
            let shown = if keyword.is_secret() { "***" } else { value };
            out.entry(&keyword.name(), &shown);
        }
        out.finish()
    }
}

/// Where in the text a byte stands, as people count.
pub(super) fn place(text: &str, at: usize) -> String {
    let before = text.as_bytes().iter().take(at);
    let characters = before.filter(|byte| (**byte & 0xc0) != 0x80).count();
    format!("at character {}", characters + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Keyword, Params, WithPassword};
    use crate::Code;

    #[test]
    fn debug_shows_no_secret() {
        let mut params = Params::new();
        for keyword in Keyword::ALL {
            params
                .set(*keyword, format!("v-{}", keyword.name()))
                .unwrap();
        }
        let shown = format!("{params:?}");
        for keyword in Keyword::ALL {
            let visible = shown.contains(&format!("\"v-{}\"", keyword.name()));
            assert_eq!(visible, !keyword.is_secret(), "{keyword:?}: {shown}");
        }
        assert_eq!(
            params.pairs(WithPassword::No).count() + 5,
            Keyword::ALL.len()
        );
    }

    #[test]
    fn a_server_is_repeated_for_its_addresses_and_named_once_without_them() {
        let mut params = Params::new();
        let addresses = ["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        params
            .set_server("db.example.com", &addresses, 5432)
            .unwrap();
        assert_eq!(
            params.to_keyword(WithPassword::No),
            "host=db.example.com,db.example.com hostaddr=10.0.0.1,fd00::1 port=5432,5432"
        );
        params.check().unwrap();
        assert_eq!(params.hostaddr(), addresses);
        let plain = params.without_hostaddr();
        assert_eq!(
            plain.to_keyword(WithPassword::No),
            "host=db.example.com port=5432"
        );

        params.set_server("db.example.com", &[], 5433).unwrap();
        assert_eq!(
            params.to_keyword(WithPassword::No),
            "host=db.example.com port=5433"
        );
    }

    #[test]
    fn addresses_stand_in_for_a_missing_host_where_hostaddr_is_not_taken() {
        let params = Params::parse("hostaddr=10.0.0.1 port=1").unwrap();
        assert_eq!(params.without_hostaddr().host(), Some("10.0.0.1"));
    }

    #[test]
    fn nul_is_refused_everywhere() {
        assert_eq!(
            Params::parse("host=a\0b").unwrap_err().code(),
            Code::ConninfoSyntax
        );
        let mut params = Params::new();
        assert_eq!(
            params.set_user("a\0b").unwrap_err().code(),
            Code::ConninfoInvalid
        );
        let error = params.set_password("pw\0x".into()).unwrap_err();
        assert!(!error.to_string().contains("pw\0"));
        assert_eq!(params, Params::new());
    }
}
