//! JDBC URLs for pgjdbc.
//!
//! pgjdbc has no user information in the authority, other names for most settings, form encoding in the query, and no
//! `hostaddr`. A setting that it cannot express is refused rather than dropped: a dropped `require_auth` or
//! `sslcrl` would weaken a connection in silence.

use super::params::{Params, WithPassword};
use super::table::Keyword;
use super::tls_root::SYSTEM_ROOTS;
use super::uri::{encode, encode_host};
use crate::{Code, Error, Result};

impl Params {
    /// Writes a JDBC URL. `hostaddr` is left out, since pgjdbc dials by name; `sslrootcert=system` becomes the JVM's
    /// trust store.
    pub fn to_jdbc(&self, with: WithPassword) -> Result<String> {
        let params = self.without_hostaddr();
        let mut url = String::from("jdbc:postgresql://");
        for (i, (host, port)) in params.servers().iter().enumerate() {
            if host.starts_with('/') {
                return Err(Error::new(
                    Code::ConninfoInvalid,
                    "the value of \"host\" is a socket folder, which JDBC cannot dial",
                )
                .with_hint("Give a host name or an address"));
            }
            if i > 0 {
                url.push(',');
            }
            // An empty host with a port would be read as a port without a host.
            let host = if host.is_empty() { "localhost" } else { host };
            url.push_str(&encode_host(host));
            if !port.is_empty() {
                url.push(':');
                url.push_str(&encode(port));
            }
        }
        url.push('/');
        url.push_str(&encode(params.dbname().unwrap_or_default()));
        let mut separator = '?';
        for (keyword, value) in params.pairs(with) {
            if matches!(keyword, Keyword::Host | Keyword::Port | Keyword::Dbname)
                || value.is_empty()
            {
                continue;
            }
            for (name, value) in property(keyword, value)? {
                url.push(separator);
                url.extend([name, "=", &encode(&value)]);
                separator = '&';
            }
        }
        Ok(url)
    }
}

/// pgjdbc's properties for a keyword; none where its own way is the only one and says the same.
fn property(keyword: Keyword, value: &str) -> Result<Vec<(&'static str, String)>> {
    let same = |name| Ok(vec![(name, value.to_owned())]);
    let switch = |name, yes: &str| Ok(vec![(name, (value == yes).to_string())]);
    match keyword {
        Keyword::User => same("user"),
        Keyword::Password => same("password"),
        Keyword::Sslmode => same("sslmode"),
        Keyword::Sslcert => same("sslcert"),
        Keyword::Sslkey => same("sslkey"),
        Keyword::Sslpassword => same("sslpassword"),
        Keyword::Sslrootcert if value == SYSTEM_ROOTS => Ok(vec![(
            "sslfactory",
            "org.postgresql.ssl.DefaultJavaSSLFactory".to_owned(),
        )]),
        Keyword::Sslrootcert => same("sslrootcert"),
        Keyword::Sslnegotiation => same("sslNegotiation"),
        Keyword::ChannelBinding => same("channelBinding"),
        Keyword::Gssencmode => same("gssEncMode"),
        Keyword::Krbsrvname => same("kerberosServerName"),
        Keyword::Replication => same("replication"),
        Keyword::Options => same("options"),
        Keyword::ApplicationName | Keyword::FallbackApplicationName => same("ApplicationName"),
        Keyword::ConnectTimeout => same("connectTimeout"),
        Keyword::Keepalives => switch("tcpKeepAlive", "1"),
        Keyword::LoadBalanceHosts => switch("loadBalanceHosts", "random"),
        Keyword::TargetSessionAttrs => {
            let kind = match value {
                "read-write" | "primary" => "primary",
                "read-only" | "standby" => "secondary",
                "prefer-standby" => "preferSecondary",
                _ => "any",
            };
            Ok(vec![("targetServerType", kind.to_owned())])
        }
        Keyword::ClientEncoding
            if matches!(
                value.to_ascii_lowercase().as_str(),
                "utf8" | "utf-8" | "auto"
            ) =>
        {
            Ok(Vec::new())
        }
        Keyword::Sslsni if value == "1" => Ok(Vec::new()),
        _ => Err(Error::new(
            Code::ConninfoInvalid,
            format!("pgjdbc has nothing like this value of {:?}", keyword.name()),
        )
        .with_hint("Leave it out of the connection string and set it in the application")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::params::{Params, WithPassword};

    fn jdbc(text: &str) -> String {
        Params::parse(text)
            .unwrap()
            .to_jdbc(WithPassword::No)
            .unwrap()
    }

    #[test]
    fn settings_get_pgjdbcs_names_and_places() {
        assert_eq!(
            jdbc(
                "host=h port=1 user='a b+c@d' password=p dbname=x/y sslmode=verify-full sslrootcert=system application_name=app"
            ),
            "jdbc:postgresql://h:1/x%2Fy?user=a%20b%2Bc%40d&sslmode=verify-full&ApplicationName=app\
             &sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory"
        );
        assert_eq!(
            jdbc("host=a,::1 port=1,2"),
            "jdbc:postgresql://a:1,[::1]:2/"
        );
        assert_eq!(
            jdbc("host=h,h hostaddr=10.0.0.1,10.0.0.2 port=1,1 sslrootcert=/ca.pem"),
            "jdbc:postgresql://h:1/?sslrootcert=%2Fca.pem"
        );
        assert_eq!(
            jdbc("keepalives=0 target_session_attrs=read-write client_encoding=UTF8"),
            "jdbc:postgresql://localhost/?tcpKeepAlive=false&targetServerType=primary"
        );
        let with = Params::parse("host=h password=p&q")
            .unwrap()
            .to_jdbc(WithPassword::Yes)
            .unwrap();
        assert_eq!(with, "jdbc:postgresql://h/?password=p%26q");
    }

    #[test]
    fn what_pgjdbc_cannot_say_is_refused() {
        for text in [
            "host=/run/pg",
            "host=h sslcrl=/x",
            "host=h require_auth=scram-sha-256",
            "host=h sslsni=0",
        ] {
            assert!(
                Params::parse(text)
                    .unwrap()
                    .to_jdbc(WithPassword::No)
                    .is_err(),
                "{text}"
            );
        }
    }
}
