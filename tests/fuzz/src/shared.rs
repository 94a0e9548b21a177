//! Files of shared credentials and facts.

use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use lakekey::clock::{BoxFuture, ManualClock};
use lakekey::config::Settings;
use lakekey::credential::Store;
use lakekey::http::transport::{Request, Response, Transport};
use lakekey::jitter::FixedDice;
use lakekey::resolve::{Found, Lookup};
use lakekey::{Client, ClientOptions, ConnectRequest, Result, SharedCredentials};

use crate::PLANTED;

const NOW: u64 = 1_700_000_000_000;
const MINTED: &str = "minted-here";
const HOUR_MS: u64 = 3_600_000;

/// A workspace that answers everything.
#[derive(Debug)]
struct Workspace;

impl Transport for Workspace {
    fn send(&self, request: Request, _: Duration) -> BoxFuture<'_, Result<Response>> {
        let body = if request.url.path().ends_with("/credentials") {
            format!(r#"{{"token":"{MINTED}","expire_time":"2023-11-14T23:13:20Z"}}"#)
        } else {
            r#"{"userName":"ann@example.com","status":{"hosts":{"host":"db.example.com"}}}"#
                .to_owned()
        };
        Box::pin(async move {
            Ok(Response {
                status: 200,
                headers: HeaderMap::new(),
                body: body.into_bytes(),
            })
        })
    }
}

impl Lookup for Workspace {
    fn lookup(&self, _: &str) -> BoxFuture<'static, std::io::Result<Found>> {
        Box::pin(async { Ok(Found::new([IpAddr::from([192, 0, 2, 1])])) })
    }
}

fn process(directory: &Path) -> Client {
    Client::new(ClientOptions {
        settings: Settings::new()
            .with("host", "https://workspace.example.com")
            .with("token", PLANTED),
        target: Some("projects/p/branches/b/endpoints/e".to_owned()),
        store: Store::new(Arc::new(ManualClock::at(NOW)), Arc::new(FixedDice(0.5))),
        transport: Some(Arc::new(Workspace)),
        lookup: Arc::new(Workspace),
        direct_lookup: None,
        shared_credentials: Some(SharedCredentials::On {
            directory: Some(directory.to_owned()),
            required: true,
        }),
        ..ClientOptions::default()
    })
    .expect("a client")
}

fn login(client: &Client) -> Result<(String, u64, String)> {
    let login = crate::runtime().block_on(client.connect_params(&ConnectRequest::default()))?;
    let lease = login.lease.expect("a credential");
    Ok((
        lease.credential.token().expose().to_owned(),
        lease.credential.expires_at_ms(),
        format!("{:?} {:?}", login.params, lease.credential),
    ))
}

/// The directory of this thread with what a first process left there: the credential, the endpoint, the user.
fn files(directory: &Path) -> Vec<PathBuf> {
    login(&process(directory)).expect("a first login");
    let entries = std::fs::read_dir(directory).expect("the directory");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_none());
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    files
}

/// What a file says of the boot; seeds say `BOOT` there.
fn boot(file: &Path) -> String {
    let text = std::fs::read_to_string(file).expect("a file");
    let (_, rest) = text.split_once(r#""boot":""#).expect("a boot");
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// The first byte chooses a file, the rest is what stands in it. Whatever that is, a login's settings come out or an
/// error, the token lives for an hour at most, and the next process gets the same one.
pub fn check(data: &[u8]) {
    let Some((choice, content)) = data.split_first() else {
        return;
    };
    thread_local! {
        static PLACE: (tempfile::TempDir, Vec<PathBuf>, String) = {
            let place = tempfile::tempdir().expect("a directory");
            std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o700)).expect("its mode");
            let files = files(place.path());
            let boot = boot(&files[0]);
            (place, files, boot)
        };
    }
    PLACE.with(|(place, files, boot)| {
        let file = &files[usize::from(*choice) % files.len()];
        let content = match std::str::from_utf8(content) {
            Ok(text) => text.replace("BOOT", boot).into_bytes(),
            Err(_) => content.to_vec(),
        };
        std::fs::remove_file(file).expect("the file goes");
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let mut made = options.open(file).expect("a file");
        std::io::Write::write_all(&mut made, &content).expect("a full file");
        drop(made);
        match login(&process(place.path())) {
            Ok((token, end, shown)) => {
                let from_file = String::from_utf8_lossy(&content).contains("token");
                assert!(token == MINTED || from_file, "{token}");
                assert!((NOW..=NOW + HOUR_MS + 60_000).contains(&end), "{end}");
                assert!(
                    !shown.contains(PLANTED) && !shown.contains(&token),
                    "{shown}"
                );
                let again = login(&process(place.path())).expect("the next process");
                assert_eq!(again.0, token);
            }
            Err(error) => {
                let shown = format!("{error} {error:?} {:?} {:?}", error.hint(), error.causes());
                assert!(!shown.contains(PLANTED), "{shown}");
            }
        }
    });
}
