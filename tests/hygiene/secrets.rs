//! No secret in any Debug, Display, log line or error. Secrets are planted in every place that takes one, the flows that
//! fail are run, also against a control plane that repeats all it was sent, and then every word that lakekey said is
//! searched for them.

use std::error::Error as _;
use std::fmt::Debug;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use lakekey::config::{Environment, Settings};
use lakekey::conn::Params;
use lakekey::{Client, ClientOptions, CredentialRequest, Secret};

const PAT: &str = "dapi-planted-0123456789abcdef";
const CLIENT_SECRET: &str = "client-secret-planted-fedcba";
const WORKSPACE_TOKEN: &str = "workspace-token-planted-aaaa";
const DATABASE_TOKEN: &str = "database-token-planted-bbbb";
const PASSWORD: &str = "password-planted-cccc";
const ENDPOINT: &str = "projects/shop/branches/production/endpoints/primary";

/// The planted text, and the forms in which it may come out by accident.
fn forms() -> Vec<String> {
    let planted = [
        PAT,
        CLIENT_SECRET,
        WORKSPACE_TOKEN,
        DATABASE_TOKEN,
        PASSWORD,
    ];
    let basic = "00000000-0000-4000-8000-000000000001:client-secret-planted-fedcba";
    planted
        .map(str::to_owned)
        .into_iter()
        .chain([base64(basic)])
        .collect()
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text.as_bytes()
        .chunks(3)
        .flat_map(|three| {
            let bits = three.iter().enumerate().fold(0_u32, |bits, (at, byte)| {
                bits | u32::from(*byte) << (16 - 8 * at)
            });
            (0..=three.len())
                .map(move |at| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]))
        })
        .collect()
}

fn leaks(said: &str) -> Vec<String> {
    forms()
        .into_iter()
        .filter(|form| said.contains(form.as_str()))
        .map(|form| format!("the secret {form} is in:\n{said}"))
        .collect()
}

/// Everything that was said, by whatever way.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    fn debug(&self, value: &impl Debug) {
        self.add(&format!("{value:?}\n{value:#?}\n"));
    }

    fn error(&self, error: &lakekey::Error) {
        self.debug(error);
        self.add(&format!("{error} {error:#} {:?}\n", error.hint()));
        let mut source = error.source();
        while let Some(cause) = source {
            self.add(&format!("{cause} {cause:?}\n"));
            source = cause.source();
        }
    }

    fn add(&self, text: &str) {
        self.0.lock().unwrap().extend_from_slice(text.as_bytes());
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How a control plane answers the request whose head and body are given.
type Answer = fn(&str) -> (&'static str, String);

/// A control plane on the loopback interface that lives as long as the process.
fn control_plane(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream, answer));
        }
    });
    format!("http://{address}")
}

fn serve(stream: TcpStream, answer: Answer) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    let mut length = 0_usize;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
        request.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.push_str(&String::from_utf8_lossy(&body));
    let (status, body) = answer(&request);
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Refuses everything and repeats the request, headers and all, in each field of the error body.
fn repeats_what_it_was_sent(request: &str) -> (&'static str, String) {
    let all = serde_json::json!(request);
    (
        "403 Forbidden",
        format!(
            "{{\"error_code\": {all}, \"message\": {all}, \"error\": {all}, \"error_description\": {all}, \"details\": [{all}]}}"
        ),
    )
}

/// Answers with something that is no JSON, the request in it.
fn answers_garbage(request: &str) -> (&'static str, String) {
    ("200 OK", format!("<html>{request}</html>"))
}

/// Does what is asked.
fn mints(request: &str) -> (&'static str, String) {
    let body = if request.contains("/credentials") {
        serde_json::json!({"token": DATABASE_TOKEN, "expire_time": "2999-01-01T00:00:00Z"})
    } else if request.contains("/oidc/v1/token") {
        serde_json::json!({"access_token": WORKSPACE_TOKEN, "token_type": "Bearer", "expires_in": 3600})
    } else {
        serde_json::json!({"userName": "user@emulator.test"})
    };
    ("200 OK", body.to_string())
}

/// The ways to authenticate with a secret of one's own.
fn identities() -> [Settings; 2] {
    [
        Settings::new().with("token", PAT),
        Settings::new()
            .with("client_id", "00000000-0000-4000-8000-000000000001")
            .with("client_secret", CLIENT_SECRET),
    ]
}

fn client(settings: Settings, host: &str, heard: &Heard) -> Client {
    let mut options = ClientOptions {
        timeout: Duration::from_secs(2),
        target: Some(ENDPOINT.to_owned()),
        ..ClientOptions::default()
    };
    options.settings = settings.with("host", host);
    heard.debug(&options);
    heard.debug(&options.settings);
    let client = Client::new(options).unwrap();
    heard.debug(&client);
    client
}

async fn failing_logins(heard: &Heard) {
    for answer in [repeats_what_it_was_sent as Answer, answers_garbage] {
        let host = control_plane(answer);
        for settings in identities() {
            let client = client(settings, &host, heard);
            match client.credential(&CredentialRequest::default()).await {
                Ok(lease) => panic!("a control plane that refuses everything gave {lease:?}"),
                Err(error) => heard.error(&error),
            }
        }
    }
}

async fn good_login(heard: &Heard) {
    let client = client(
        Settings::new().with("token", PAT),
        &control_plane(mints),
        heard,
    );
    let lease = client
        .credential(&CredentialRequest::default())
        .await
        .unwrap();
    assert!(
        lease.credential.token().matches(DATABASE_TOKEN),
        "the flow did not run as meant"
    );
    heard.debug(&lease);
    heard.debug(&lease.credential);
    heard.debug(&client);
    heard.debug(&Secret::new(PASSWORD));
}

async fn broken_configuration(heard: &Heard) {
    let environments = [
        vec![
            ("DATABRICKS_HOST", "not a host at all"),
            ("DATABRICKS_TOKEN", PAT),
        ],
        vec![
            ("DATABRICKS_HOST", "http://example.test"),
            ("DATABRICKS_TOKEN", PAT),
        ],
        vec![
            ("DATABRICKS_TOKEN", PAT),
            ("DATABRICKS_CLIENT_ID", "x"),
            ("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET),
        ],
        vec![
            (
                "DATABRICKS_TOKEN",
                "dapi-planted-0123456789abcdef\nsecond line",
            ),
            ("DATABRICKS_HOST", "http://127.0.0.1:1"),
        ],
        vec![
            ("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET),
            ("DATABRICKS_HOST", "http://127.0.0.1:1"),
        ],
    ];
    for pairs in environments {
        let environment = Environment::from_pairs(pairs);
        heard.debug(&environment);
        let options = ClientOptions {
            environment,
            target: Some(ENDPOINT.to_owned()),
            timeout: Duration::from_secs(1),
            ..ClientOptions::default()
        };
        heard.debug(&options);
        let failed = match Client::new(options) {
            Ok(client) => client
                .credential(&CredentialRequest::default())
                .await
                .map(|_| ()),
            Err(error) => Err(error),
        };
        heard.error(&failed.expect_err("a broken configuration was accepted"));
    }
}

fn connection_strings(heard: &Heard) {
    let bad = [
        format!("host=a password='{PASSWORD}"),
        format!("host=a password={PASSWORD} nonsense"),
        format!("host=a password={PASSWORD} no_such_keyword=1"),
        format!("postgresql://user:{PASSWORD}@[::1/db"),
        format!("postgresql://user:{PASSWORD}@host/db?no_such_keyword=1"),
        format!("postgresql://user:{PASSWORD}%zz@host/db"),
    ];
    for text in bad {
        heard.error(&Params::parse(&text).expect_err("a bad connection string was accepted"));
    }
    let good = Params::parse(&format!("postgresql://user:{PASSWORD}@host/db")).unwrap();
    assert!(
        good.password()
            .is_some_and(|password| password.matches(PASSWORD))
    );
    heard.debug(&good);
}

#[test]
fn nothing_that_lakekey_says_holds_a_secret() {
    let heard = Heard::default();
    let log = heard.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || log.clone())
        .finish();
    // One thread, so that this thread's subscriber sees what every task says.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            failing_logins(&heard).await;
            good_login(&heard).await;
            broken_configuration(&heard).await;
        });
        connection_strings(&heard);
    });
    let said = heard.text();
    assert!(
        said.len() > 2_000,
        "only {} bytes were heard: the flows did not run",
        said.len()
    );
    super::none(&leaks(&said));
}

#[test]
fn a_leak_is_found_in_plain_and_in_basic_form() {
    assert_eq!(base64("Man"), "TWFu");
    assert_eq!(leaks(&format!("token={PAT}")).len(), 1);
    assert_eq!(
        leaks(&format!(
            "authorization: Basic {}",
            base64("00000000-0000-4000-8000-000000000001:client-secret-planted-fedcba")
        ))
        .len(),
        1
    );
    assert!(leaks("Secret(***)").is_empty());
}
