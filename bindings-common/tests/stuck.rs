//! Threads of lakekey that do not come back must not keep a caller. In a process of its own, because it stops them all.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use lakekey_ffi::plain::{CredentialRequest, Options};
use lakekey_ffi::runtime::process;
use lakekey_ffi::{CancelHandle, Handle};

#[test]
fn a_wait_ends_though_every_thread_of_the_runtime_is_stuck() {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = Options {
        settings: vec![
            setting("host", "http://127.0.0.1:1"),
            setting("token", "dapi1"),
        ],
        target: Some("projects/p/branches/b/endpoints/e".to_owned()),
        timeout_ms: Some(100),
        ..Options::default()
    };
    let handle = Handle::new(options, None).unwrap();
    let runtime = process().runtime().unwrap();
    let (stuck, is_stuck) = channel();
    let held: Vec<_> = (0..runtime.metrics().num_workers())
        .map(|_| {
            let (release, held) = channel::<()>();
            let stuck = stuck.clone();
            runtime.spawn(async move {
                let _ = stuck.send(());
                let _ = held.recv();
            });
            is_stuck.recv_timeout(Duration::from_secs(20)).unwrap();
            release
        })
        .collect();
    let started = Instant::now();
    let call = handle.credential(CredentialRequest::default()).unwrap();
    let error = call.wait(&CancelHandle::new(), &mut || false).unwrap_err();
    drop(held);
    assert_eq!(
        (error.slug, error.retryable),
        ("TIMEOUT", true),
        "{error:?}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}
