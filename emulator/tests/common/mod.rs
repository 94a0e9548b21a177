//! A client for the tests: plain HTTP/1.1 over a socket, so that what the emulator really sends is seen, without an
//! HTTP library that repairs it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

pub mod api;
pub mod session;
pub mod victim;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lakekey_emulator::{Emulator, Options, TOKEN};
use serde_json::Value;

pub const MINT: &str = "/api/2.0/postgres/credentials";
pub const ENDPOINT: &str = "projects/emulator/branches/production/endpoints/primary";

/// A control plane without Postgres.
pub async fn control_plane() -> Emulator {
    Emulator::start(Options::control_plane_only())
        .await
        .unwrap()
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn error_code(&self) -> String {
        self.json()["error_code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub fn message(&self) -> String {
        self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Unix second of the `Date` header.
    pub fn date(&self) -> i64 {
        let date = self.header("date").expect("an answer has a Date");
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(date)
            .unwrap()
            .as_second()
    }
}

#[derive(Clone, Debug)]
pub struct Ask {
    url: String,
    method: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

pub fn ask(method: &str, base: &str, path: &str) -> Ask {
    Ask {
        url: format!("{base}{path}"),
        method: method.to_owned(),
        headers: Vec::new(),
        body: None,
    }
}

/// A request to the control plane as the default user.
pub fn api(emulator: &Emulator, method: &str, path: &str) -> Ask {
    ask(method, &emulator.urls().control, path).bearer(TOKEN)
}

/// A request to the admin API.
pub fn admin(emulator: &Emulator, method: &str, path: &str) -> Ask {
    ask(method, &emulator.urls().admin, path).bearer(emulator.admin_token())
}

/// Asks for a credential of the default endpoint.
pub fn mint(emulator: &Emulator) -> Ask {
    api(emulator, "POST", MINT).body(&format!(r#"{{"endpoint":"{ENDPOINT}"}}"#))
}

impl Ask {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    /// The whole of what comes back until the connection ends.
    pub fn raw(&self) -> std::io::Result<Vec<u8>> {
        let rest = self.url.strip_prefix("http://").unwrap();
        let (address, path) = rest
            .split_once('/')
            .map(|(address, path)| (address, format!("/{path}")))
            .unwrap();
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let body = self.body.clone().unwrap_or_default();
        let mut request = format!(
            "{} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n",
            self.method
        );
        for (name, value) in &self.headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        write!(request, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    pub fn send(&self) -> Reply {
        let answer = String::from_utf8(self.raw().expect("an answer")).unwrap();
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no HTTP answer: {answer:?}"));
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Reply {
            status,
            headers,
            body: body.to_owned(),
        }
    }
}
