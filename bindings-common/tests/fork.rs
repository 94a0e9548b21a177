//! Forks for real: a parent whose runtime is unused, idle, busy or in the middle of a call.
//!
//! The test harness of Rust is itself threaded, so this binary has its own `main`: each case forks from the main
//! thread, the child exits with 0 if all went well, and a child that hangs is killed and fails the case.
#![cfg_attr(unix, allow(unsafe_code))]
#![allow(clippy::expect_used)]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::net::TcpListener;
    use std::process::ExitCode;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::{Duration, Instant};

    use lakekey_ffi::plain::{CredentialRequest, Options};
    use lakekey_ffi::runtime::process;
    use lakekey_ffi::{CancelHandle, Handle, Lease, Result};

    type Case = (&'static str, fn() -> bool);

    const CASES: &[Case] = &[
        ("an_unused_parent_and_its_child_both_work", unused),
        ("a_child_of_an_idle_runtime_makes_its_own", idle),
        ("a_child_of_a_busy_runtime_makes_its_own", busy),
        ("a_child_forked_in_the_middle_of_a_call_goes_on", mid_call),
        ("a_grandchild_works_too", grandchild),
        ("dropping_an_inherited_client_does_not_hang", dropped),
        (
            "a_fork_inside_an_interrupt_ends_the_childs_wait",
            inside_an_interrupt,
        ),
    ];

    pub(super) fn main() -> ExitCode {
        let filter = std::env::args()
            .nth(1)
            .filter(|argument| !argument.starts_with('-'));
        if std::env::args().any(|argument| argument == "--list") {
            for (name, _) in CASES {
                println!("{name}: test");
            }
            return ExitCode::SUCCESS;
        }
        let chosen: Vec<_> = CASES
            .iter()
            .filter(|(name, _)| filter.as_ref().is_none_or(|part| name.contains(part)))
            .collect();
        println!("\nrunning {} tests", chosen.len());
        let mut failed = 0;
        for (name, case) in &chosen {
            // Each case starts from a process that has no threads: the case itself runs in a child.
            let ok = in_child(*case);
            println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
            failed += usize::from(!ok);
        }
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        println!(
            "\ntest result: {verdict}. {} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out\n",
            chosen.len() - failed
        );
        ExitCode::from(u8::from(failed > 0))
    }

    /// Forks, runs `check` in the child and says whether it came back with `true` in time.
    fn in_child(check: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child runs Rust code after the fork of a threaded process, which is what this test is about; it
        // ends with `_exit` and never returns into the parent's stack.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_or(false);
            // SAFETY: ends this process at once.
            unsafe { libc::_exit(i32::from(!ok)) };
        }
        assert!(pid > 0, "fork failed");
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let mut status = 0;
            // SAFETY: `pid` is a child of ours that nobody else waits for.
            let done = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
            if done == pid {
                return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
            }
            if Instant::now() > deadline {
                eprintln!("the child hangs");
                // SAFETY: as above; a child that hangs is ended and collected.
                unsafe {
                    libc::kill(pid, libc::SIGKILL);
                    libc::waitpid(pid, &raw mut status, 0);
                }
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A client whose workspace accepts connections and never answers.
    fn silent() -> (Handle, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let host = format!("http://{}", listener.local_addr().expect("its address"));
        (handle(host), listener)
    }

    fn handle(host: String) -> Handle {
        let options = Options {
            settings: vec![
                ("host".to_owned(), host),
                ("token".to_owned(), "dapi-planted".to_owned()),
            ],
            target: Some("projects/p/branches/b/endpoints/e".to_owned()),
            ..Options::default()
        };
        Handle::new(options, None).expect("a client")
    }

    fn ask(handle: &Handle, timeout_ms: u64) -> Result<Lease> {
        let request = CredentialRequest {
            timeout_ms: Some(timeout_ms),
            ..CredentialRequest::default()
        };
        handle
            .credential(request)?
            .wait(&CancelHandle::new(), &mut || false)
    }

    /// A call that goes all the way to the network, fails there for want of an answer, and in time.
    fn works(handle: &Handle) -> bool {
        let started = Instant::now();
        let error = ask(handle, 300).expect_err("nobody answers");
        let ok = process().has_threads()
            && error.slug != "INTERNAL"
            && error.slug != "INTERNAL_PANIC"
            && started.elapsed() < Duration::from_secs(5);
        if !ok {
            eprintln!("{error:?} after {:?}", started.elapsed());
        }
        ok
    }

    fn unused() -> bool {
        let (handle, _listener) = silent();
        let no_thread = !process().has_threads();
        no_thread && in_child(|| works(&handle)) && works(&handle)
    }

    fn idle() -> bool {
        let (handle, _listener) = silent();
        works(&handle) && in_child(|| !process().has_threads() && works(&handle)) && works(&handle)
    }

    fn keep_busy(handle: &std::sync::Arc<Handle>) -> Receiver<()> {
        let (send, receive) = channel();
        for _ in 0..4 {
            let (handle, send) = (std::sync::Arc::clone(handle), send.clone());
            std::thread::spawn(move || {
                while send.send(()).is_ok() {
                    drop(ask(&handle, 5));
                }
            });
        }
        receive
    }

    fn busy() -> bool {
        let (handle, _listener) = silent();
        let handle = std::sync::Arc::new(handle);
        let turns = keep_busy(&handle);
        (0..20).all(|_| turns.recv().is_ok() && in_child(|| works(&handle)))
    }

    fn mid_call() -> bool {
        let (handle, listener) = silent();
        let request = CredentialRequest {
            timeout_ms: Some(20_000),
            ..CredentialRequest::default()
        };
        let (send, receive) = channel();
        let call = handle.credential(request).expect("a call");
        let cancel = CancelHandle::new();
        call.start(&cancel, move |outcome| drop(send.send(outcome)))
            .expect("started");
        // Its request is under way once the connection has come in.
        let _connection = listener.accept().expect("a connection");
        let child = in_child(|| works(&handle));
        cancel.cancel();
        let ended = receive.recv_timeout(Duration::from_secs(10));
        child && ended.is_ok_and(|outcome| outcome.is_err_and(|error| error.slug == "CANCELLED"))
    }

    fn grandchild() -> bool {
        let (handle, _listener) = silent();
        works(&handle) && in_child(|| works(&handle) && in_child(|| works(&handle)))
    }

    fn dropped() -> bool {
        let (handle, _listener) = silent();
        works(&handle)
            && in_child(move || {
                drop(handle);
                true
            })
    }

    fn inside_an_interrupt() -> bool {
        let (handle, _listener) = silent();
        let mut child_ended = None;
        let request = CredentialRequest {
            timeout_ms: Some(20_000),
            ..CredentialRequest::default()
        };
        let call = handle.credential(request).expect("a call");
        let process_id = std::process::id();
        // SAFETY: as in `in_child`, but the child returns from the interrupt to find out how its wait ends.
        let outcome = call.wait(
            &CancelHandle::new(),
            &mut || match unsafe { libc::fork() } {
                0 => false,
                child => {
                    let mut status = 0;
                    // SAFETY: a child of ours; it ends by itself or this case is killed from outside.
                    unsafe { libc::waitpid(child, &raw mut status, 0) };
                    child_ended = Some(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0);
                    true
                }
            },
        );
        let cancelled = outcome.is_err_and(|error| error.slug == "CANCELLED");
        if std::process::id() != process_id {
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(!cancelled)) };
        }
        cancelled && child_ended == Some(true)
    }
}
