//! Which proxy a request goes through.
//!
//! The choice is made here, not by the HTTP library, for two reasons: it reads the environment snapshot instead of the
//! process, and an error can say that it was the proxy that failed. This machine and the cloud's metadata address are
//! never reached through a proxy, whatever the variables say.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::code::Code;
use crate::config::{Environment, is_loopback};
use crate::error::{Error, Result};

/// Instance metadata lives here on every cloud; a proxy would hand out its own machine's identity.
const METADATA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));

/// The proxies for http and https, and who is exempt. Debug output leaves out user names and passwords.
#[derive(Clone, Default)]
pub(crate) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    exempt: Vec<Exempt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Exempt {
    Everything,
    Network(IpAddr, u8, Option<u16>),
    Domain(String, Option<u16>),
}

impl Proxies {
    pub(crate) fn new(environment: &Environment) -> Result<Proxies> {
        // In a CGI program a client's `Proxy:` header arrives as HTTP_PROXY.
        let http: &[&str] = if environment.var("REQUEST_METHOD").is_some() {
            &["http_proxy", "all_proxy", "ALL_PROXY"]
        } else {
            &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        };
        Ok(Proxies {
            http: address(environment, http)?,
            https: address(
                environment,
                &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
            )?,
            exempt: environment
                .first(&["no_proxy", "NO_PROXY"])
                .map(|(_, list)| list.split([',', ' ']).filter_map(exemption).collect())
                .unwrap_or_default(),
        })
    }

    /// The proxy for a request to `url`; `None`: straight there.
    pub(crate) fn for_url(&self, url: &Url) -> Option<&Url> {
        let proxy = match url.scheme() {
            "https" => self.https.as_ref(),
            _ => self.http.as_ref(),
        }?;
        let ip = match url.host()? {
            Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(ip).to_canonical()),
            Host::Domain(_) => None,
        };
        let exempt = is_loopback(url)
            || ip == Some(METADATA)
            || self.exempt.iter().any(|exempt| exempt.matches(url, ip));
        (!exempt).then_some(proxy)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http.as_ref().map(shown))
            .field("https", &self.https.as_ref().map(shown))
            .field("exempt", &self.exempt)
            .finish()
    }
}

/// The proxy as it may be shown: without user name and password.
pub(crate) fn shown(proxy: &Url) -> String {
    let port = proxy
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}",
        proxy.scheme(),
        proxy.host_str().unwrap_or_default()
    )
}

impl Exempt {
    fn matches(&self, url: &Url, ip: Option<IpAddr>) -> bool {
        let port_fits = |port: &Option<u16>| port.is_none() || *port == url.port_or_known_default();
        match self {
            Exempt::Everything => true,
            Exempt::Network(network, bits, port) => {
                ip.is_some_and(|ip| within(ip, *network, *bits)) && port_fits(port)
            }
            Exempt::Domain(domain, port) => {
                let host = url.host_str().unwrap_or_default().trim_end_matches('.');
                let inside = host
                    .strip_suffix(domain.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                ip.is_none() && inside && port_fits(port)
            }
        }
    }
}

fn address(environment: &Environment, names: &[&str]) -> Result<Option<Url>> {
    let Some((name, text)) = environment.first(names) else {
        return Ok(None);
    };
    // The text itself may hold a password, so messages name the variable only.
    let refuse = |why: &str| {
        Error::new(
            Code::ConfigInvalid,
            format!("the proxy in the variable {name} {why}"),
        )
        .with_hint("Give it as http://host:port")
    };
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&text).map_err(|cause| refuse(&format!("is no address: {cause}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(Some(url)),
        "http" | "https" => Err(refuse("has no host")),
        other => Err(refuse(&format!(
            "is of the kind `{other}`, which is not supported"
        ))),
    }
}

fn exemption(entry: &str) -> Option<Exempt> {
    let entry = entry.trim();
    if entry.is_empty() {
        return None;
    }
    if entry == "*" {
        return Some(Exempt::Everything);
    }
    if let Some(network) = network(entry, None) {
        return Some(network);
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()),
        _ => (entry, None),
    };
    network(host, port).or_else(|| {
        let domain = host
            .trim_start_matches('*')
            .trim_start_matches('.')
            .trim_end_matches('.');
        (!domain.is_empty()).then(|| Exempt::Domain(domain.to_ascii_lowercase(), port))
    })
}

fn network(text: &str, port: Option<u16>) -> Option<Exempt> {
    let (ip, bits) = match text.split_once('/') {
        Some((ip, bits)) => (ip, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let ip: IpAddr = ip.trim_matches(['[', ']']).parse().ok()?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some(Exempt::Network(ip, bits, port))
}

fn within(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        let shift = width.saturating_sub(u32::from(bits));
        a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
    };
    match (ip, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use url::Url;

    use super::Proxies;
    use crate::code::Code;
    use crate::config::Environment;

    fn through(pairs: &[(&str, &str)], url: &str) -> Option<String> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let proxies = Proxies::new(&environment).unwrap();
        proxies
            .for_url(&Url::parse(url).unwrap())
            .map(ToString::to_string)
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_proxy_serves_both() {
        let p = "http://p:3128/";
        assert_eq!(
            through(&[("HTTPS_PROXY", "p:3128")], "https://w").as_deref(),
            Some(p)
        );
        assert_eq!(through(&[("HTTPS_PROXY", "p:3128")], "http://w"), None);
        assert_eq!(through(&[("all_proxy", p)], "http://w").as_deref(), Some(p));
        assert_eq!(
            through(
                &[("https_proxy", p), ("HTTPS_PROXY", "http://q")],
                "https://w"
            )
            .as_deref(),
            Some(p)
        );
        assert_eq!(
            through(&[("HTTP_PROXY", p), ("REQUEST_METHOD", "GET")], "http://w"),
            None
        );
        assert_eq!(through(&[("HTTPS_PROXY", "")], "https://w"), None);
    }

    #[test]
    fn exemptions() {
        for (list, url, exempt) in [
            ("", "https://w.example.com", false),
            ("*", "https://w.example.com", true),
            ("example.com", "https://w.example.com", true),
            (".example.com", "https://w.example.com", true),
            ("*.example.com", "https://w.example.com", true),
            ("example.com", "https://notexample.com", false),
            ("a.com, example.com", "https://w.example.com", true),
            ("example.com:8443", "https://w.example.com", false),
            ("example.com:443", "https://w.example.com", true),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("10.1.2.3", "https://10.1.2.3:8443", true),
            ("10.1.2.3:1", "https://10.1.2.3:8443", false),
            ("fd00::/8", "https://[fd00::1]", true),
            ("0.0.0.0/0", "https://9.9.9.9", true),
            ("0.0.0.0/99", "https://9.9.9.9", false),
        ] {
            let pairs = [("ALL_PROXY", "http://p"), ("NO_PROXY", list)];
            assert_eq!(through(&pairs, url).is_none(), exempt, "{list} {url}");
        }
    }

    #[test]
    fn this_machine_and_instance_metadata_never_go_through_a_proxy() {
        for url in [
            "http://localhost:1",
            "http://x.localhost",
            "http://127.0.0.2",
            "https://[::1]",
            "http://[::ffff:127.0.0.1]",
            "http://169.254.169.254/metadata",
        ] {
            assert_eq!(through(&[("ALL_PROXY", "http://p")], url), None, "{url}");
        }
    }

    #[test]
    fn a_bad_proxy_is_named_by_its_variable_and_never_shown() {
        for text in [
            "socks5://u:planted@p",
            "http://u:planted@",
            "http://u:planted@p:x",
        ] {
            let environment = Environment::from_pairs([("HTTPS_PROXY", text)]);
            let error = Proxies::new(&environment).unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid);
            assert!(error.message().contains("HTTPS_PROXY"), "{error}");
            assert!(!format!("{error} {error:?}").contains("planted"));
        }
        let environment = Environment::from_pairs([("HTTPS_PROXY", "http://u:planted@p")]);
        let proxies = Proxies::new(&environment).unwrap();
        assert!(!format!("{proxies:?}").contains("planted"));
    }
}
