//! The front door: what a client says before it is let in, and what a Postgres behind it says first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lakekey_gateway::{
    Arrival, Fault, FrontDoor, Gateway, Limits, LoginEnd, Password, PlainPolicy, Refusal, Startup,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};

/// Lets everybody in, to a Postgres that says `greeting`.
struct Open {
    greeting: Arc<Mutex<Vec<u8>>>,
}

fn refusal(message: &str) -> Refusal {
    Refusal::Message {
        severity: "FATAL".to_owned(),
        code: "08P01".to_owned(),
        message: message.to_owned(),
        detail: None,
    }
}

impl FrontDoor for Open {
    type Place = ();
    type Upstream = DuplexStream;

    fn refusal(&self, fault: &Fault) -> Refusal {
        refusal(&format!("{fault:?}"))
    }

    async fn authorize(&self, _: &Arrival, startup: &Startup) -> Result<(), Refusal> {
        assert!(!startup.user().is_empty());
        Ok(())
    }

    async fn authenticate(
        &self,
        (): &(),
        startup: &Startup,
        password: &Password,
    ) -> Result<(), Refusal> {
        assert!(!format!("{password:?}").contains(startup.user()) || startup.user().len() < 16);
        if password.expose() == Some("wrong") {
            return Err(refusal("no"));
        }
        Ok(())
    }

    async fn open(&self, (): &()) -> Result<DuplexStream, Refusal> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let greeting = self
            .greeting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        tokio::spawn(async move {
            let _ = theirs.write_all(&greeting).await;
        });
        Ok(ours)
    }

    fn not_ready(&self, (): &()) -> u64 {
        0
    }

    async fn open_for_cancel(&self, (): &()) -> Option<DuplexStream> {
        None
    }

    fn place_name<'a>(&self, (): &'a ()) -> &'a str {
        "place"
    }

    fn touch(&self, (): &()) {}

    fn login_ended(&self, _: Option<&()>, _: Option<&Startup>, _: LoginEnd<'_>) {}
}

/// A client says what stands before the first run of four `0xff`, its Postgres greets with the rest. However that ends, it
/// ends: the client hears nothing, or messages that are whole.
pub fn check(data: &[u8]) {
    let at = data.windows(4).position(|part| part == [0xff; 4]);
    let (said, greeting) = at.map_or((data, &[][..]), |at| (&data[..at], &data[at + 4..]));
    let greeting = Arc::new(Mutex::new(greeting.to_vec()));
    let heard = crate::runtime().block_on(async {
        let limits = Limits {
            handshake: Duration::from_secs(5),
            login: Duration::from_secs(5),
            upstream: Duration::from_secs(5),
        };
        let gateway = Gateway::new(
            Arc::new(Open { greeting }),
            None,
            PlainPolicy::Accept,
            limits,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(gateway.serve(listener));
        let mut client = TcpStream::connect(address).await.expect("the door");
        let talk = async {
            let _ = client.write_all(said).await;
            let _ = client.shutdown().await;
            let mut heard = Vec::new();
            let _ = client.read_to_end(&mut heard).await;
            heard
        };
        let heard = tokio::time::timeout(Duration::from_secs(20), talk).await;
        serving.abort();
        heard.expect("the door neither answers nor hangs up")
    });
    whole(&heard);
}

/// A lone byte answers the question for TLS; everything after it is messages.
fn whole(heard: &[u8]) {
    let mut rest = heard;
    while let Some((b'N' | b'S', after)) = rest.split_first()
        && (after.is_empty() || matches!(after[0], b'N' | b'R' | b'E'))
        && !looks_like_a_message(rest)
    {
        rest = after;
    }
    // A session that got through relays whatever its Postgres says.
    if heard.contains(&b'Z') {
        return;
    }
    while !rest.is_empty() {
        assert!(looks_like_a_message(rest), "{heard:?}");
        let length = u32::from_be_bytes([rest[1], rest[2], rest[3], rest[4]]);
        rest = &rest[length as usize + 1..];
    }
}

fn looks_like_a_message(bytes: &[u8]) -> bool {
    bytes.len() >= 5 && {
        let length = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize;
        (4..bytes.len()).contains(&length)
    }
}
