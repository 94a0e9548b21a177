//! The emulator's control plane: paths, queries and bodies.

use std::sync::OnceLock;
use std::time::Duration;

use lakekey_emulator::{Emulator, Options, TOKEN};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

const METHODS: [&str; 4] = ["GET", "POST", "PATCH", "DELETE"];

struct Stage {
    runtime: Runtime,
    emulator: Emulator,
}

fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| {
        let runtime = crate::runtime();
        let emulator = runtime
            .block_on(Emulator::start(Options::control_plane_only()))
            .expect("an emulator");
        Stage { runtime, emulator }
    })
}

/// The first byte chooses the method; what stands before a zero byte is the path below the API, the rest is the body.
/// Whatever it is, it is answered, and never with an error of the server's own.
pub fn check(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let method = METHODS[usize::from(*choice) % METHODS.len()];
    let (path, body) = crate::halves(data);
    let path: String = path
        .iter()
        .filter(|byte| byte.is_ascii_graphic() && **byte != b'#')
        .map(|byte| char::from(*byte))
        .collect();
    let stage = stage();
    let host = stage.emulator.urls().control.trim_start_matches("http://");
    let head = format!(
        "{method} /api/2.0/postgres/{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {TOKEN}\r\nconnection: \
         close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = stage.runtime.block_on(async {
        let talk = async {
            let mut stream = TcpStream::connect(host).await.expect("the control plane");
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            answer
        };
        tokio::time::timeout(Duration::from_secs(20), talk).await
    });
    let answer = answer.expect("the control plane neither answers nor hangs up");
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or_default();
    assert!(
        status.starts_with(['2', '4']) || status == "501",
        "{method} {path}: {answer}"
    );
}
