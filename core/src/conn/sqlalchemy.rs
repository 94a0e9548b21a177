//! `SQLAlchemy` URLs for its psycopg dialects.
//!
//! `SQLAlchemy` reads its URL with a regular expression: one host in the authority, several only as repeated `host=`
//! pairs, and `+` in the query as a blank. What stands in the query goes to libpq as it is, so that whatever the
//! authority and the path cannot carry goes there.

use std::net::Ipv6Addr;

use super::params::{Params, WithPassword};
use super::table::Keyword;
use super::uri::{encode, encode_host};

/// The driver in front of the URL's colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SqlAlchemyDriver {
    /// psycopg 3, sync and async.
    #[default]
    Psycopg,
    /// psycopg2.
    Psycopg2,
}

impl SqlAlchemyDriver {
    const fn name(self) -> &'static str {
        match self {
            SqlAlchemyDriver::Psycopg => "postgresql+psycopg",
            SqlAlchemyDriver::Psycopg2 => "postgresql+psycopg2",
        }
    }
}

impl Params {
    /// Writes an `SQLAlchemy` URL. `hostaddr` is left out: such a URL is written down, and addresses change.
    pub fn to_sqlalchemy(&self, driver: SqlAlchemyDriver, with: WithPassword) -> String {
        let params = self.without_hostaddr();
        let set = |keyword| {
            params
                .pairs(with)
                .find(|(candidate, _)| *candidate == keyword)
                .map(|(_, value)| value)
                .filter(|value| !value.is_empty())
        };
        let mut url = format!("{}://", driver.name());
        let (user, password) = (set(Keyword::User), set(Keyword::Password));
        url.push_str(&encode(user.unwrap_or_default()));
        if let Some(password) = password {
            url.push(':');
            url.push_str(&encode(password));
        }
        if user.is_some() || password.is_some() {
            url.push('@');
        }
        let mut query: Vec<String> = Vec::new();
        let mut ask = |name: &str, value: &str| {
            if !value.is_empty() {
                query.push(format!("{name}={}", encode(value)));
            }
        };
        match params.servers().as_slice() {
            [(host, port)] if is_plain_host(host) && (port.is_empty() || is_plain_port(port)) => {
                url.push_str(&encode_host(host));
                if !port.is_empty() {
                    url.push(':');
                    url.push_str(port);
                }
            }
            servers => {
                let (hosts, ports): (Vec<_>, Vec<_>) = servers.iter().cloned().unzip();
                ask("host", &hosts.join(","));
                if ports.iter().any(|port| !port.is_empty()) {
                    ask("port", &ports.join(","));
                }
            }
        }
        url.push('/');
        let dbname = set(Keyword::Dbname).unwrap_or_default();
        if is_plain(dbname) {
            url.push_str(dbname);
        } else {
            ask("dbname", dbname);
        }
        let said = [
            Keyword::User,
            Keyword::Password,
            Keyword::Host,
            Keyword::Port,
            Keyword::Dbname,
        ];
        for (keyword, value) in params.pairs(with) {
            if !said.contains(&keyword) {
                ask(keyword.name(), value);
            }
        }
        if !query.is_empty() {
            url.push('?');
            url.push_str(&query.join("&"));
        }
        url
    }
}

/// Whether no reader could decode or encode the text: `SQLAlchemy` decodes no host, and the database since 2.1 only.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~'))
}

fn is_plain_host(host: &str) -> bool {
    !host.is_empty() && is_plain(host) || host.parse::<Ipv6Addr>().is_ok()
}

/// `SQLAlchemy` takes the port for a number and writes it anew.
fn is_plain_port(port: &str) -> bool {
    port.parse::<u16>()
        .is_ok_and(|number| number.to_string() == port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::params::{Params, WithPassword};
    use super::SqlAlchemyDriver::{self, Psycopg, Psycopg2};

    fn url(text: &str, driver: SqlAlchemyDriver) -> String {
        Params::parse(text)
            .unwrap()
            .to_sqlalchemy(driver, WithPassword::Yes)
    }

    #[test]
    fn everything_special_is_encoded_and_lists_go_to_libpq_unread() {
        assert_eq!(
            url(
                "host=h port=1 user='a b+c@d' password=p/q dbname=x options='-c a=b'",
                Psycopg
            ),
            "postgresql+psycopg://a%20b%2Bc%40d:p%2Fq@h:1/x?options=-c%20a%3Db"
        );
        assert_eq!(
            url("host=a,b port=1,2 user=u", Psycopg2),
            "postgresql+psycopg2://u@/?host=a%2Cb&port=1%2C2"
        );
        assert_eq!(
            url("host=/run/pg dbname=d", Psycopg),
            "postgresql+psycopg:///d?host=%2Frun%2Fpg"
        );
        assert_eq!(
            url("host=h,h hostaddr=10.0.0.1,::1 port=1,1", Psycopg),
            "postgresql+psycopg://h:1/"
        );
        assert_eq!(url("host=::1", Psycopg), "postgresql+psycopg://[::1]/");
    }
}
