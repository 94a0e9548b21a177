//! What may be named in which file. One file per concern means that a reviewer of TLS, of secrets or of threads reads one
//! file and has seen all of it.

use super::none;
use super::sources::{self, Source};

/// Words, where they are looked for, and the only places that may say them.
struct Rule {
    words: &'static [&'static str],
    looked_for_in: &'static [&'static str],
    allowed: &'static [&'static str],
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        words: &["reqwest::", "use reqwest"],
        looked_for_in: &["core/", "bindings-", "gateway/", "cli/"],
        allowed: &["core/src/http/"],
        reason: "only core/src/http/ names reqwest, so that the transport can be exchanged",
    },
    Rule {
        words: &[
            "rustls::crypto",
            "crypto::ring",
            "crypto::CryptoProvider",
            "install_default",
            "aws_lc",
        ],
        looked_for_in: &["core/", "bindings-"],
        allowed: &["core/src/http/tls.rs"],
        reason: "only core/src/http/tls.rs names a crypto provider, and a library never installs one for the process",
    },
    Rule {
        words: &["runtime::Builder", "Runtime::new", "tokio::main"],
        looked_for_in: &["core/", "bindings-", "gateway/"],
        allowed: &["bindings-common/src/runtime.rs"],
        reason: "only bindings-common/src/runtime.rs builds a tokio runtime: it alone knows what a fork does to one",
    },
    Rule {
        words: &[
            "env::var",
            "env::vars",
            "env::var_os",
            "env::vars_os",
            "env::home_dir",
        ],
        looked_for_in: &["core/", "bindings-"],
        // A build script is told by variables what it builds for.
        allowed: &[
            "core/src/config/environment.rs",
            "bindings-node/build.rs",
            "bindings-java/build.rs",
        ],
        reason: "only core/src/config/environment.rs reads the process environment; all else works on its snapshot",
    },
    Rule {
        words: &["Zeroizing", "zeroize::"],
        looked_for_in: &["core/", "bindings-"],
        allowed: &["core/src/secret.rs"],
        reason: "only core/src/secret.rs knows how a secret is kept",
    },
    Rule {
        words: &["println!", "eprintln!", "print!", "eprint!"],
        looked_for_in: &["core/", "bindings-", "gateway/"],
        // A build script talks to cargo that way.
        allowed: &["bindings-node/build.rs", "bindings-java/build.rs"],
        reason: "a library writes nothing to the host program's screen",
    },
];

/// The files that may ask a secret for its text, each because it hands the text to whom it belongs.
const EXPOSING: &[&str] = &[
    "bindings-c/src/secret.rs",
    "bindings-common/src/client.rs",
    "bindings-common/src/plan.rs",
    "bindings-common/src/provider.rs",
    "cli/src/",
    "core/src/as_user.rs",
    "core/src/auth/",
    "core/src/config/resolved.rs",
    "core/src/conn/",
    "core/src/connect.rs",
    "core/src/credential/",
    "core/src/http/",
    "core/src/plan/",
    "core/src/secret.rs",
    "core/src/shared/",
    "core/src/tokio_postgres/",
    "emulator/src/control/roles.rs",
    "emulator/src/control/work.rs",
    "emulator/src/front/door.rs",
    "gateway/src/packet.rs",
];

/// Code that is only built for tests.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.starts_with("tests/")
}

fn violations(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if is_test(&source.path) {
        return found;
    }
    for (number, line) in source.shipped_rust() {
        let at = format!("{}:{number}", source.path);
        for rule in RULES {
            let applies =
                begins(&source.path, rule.looked_for_in) && !begins(&source.path, rule.allowed);
            if applies && rule.words.iter().any(|word| holds(&line, word)) {
                found.push(format!("{at}: {}", rule.reason));
            }
        }
        if line.contains(".expose()") && !begins(&source.path, EXPOSING) {
            found.push(format!("{at}: asks a secret for its text; if it must, add it to EXPOSING in tests/hygiene/rooms.rs"));
        }
    }
    found
}

fn begins(path: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| path.starts_with(prefix))
}

/// Whether the word stands there as a word, not as the end of a longer one.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at]
            .chars()
            .next_back()
            .is_some_and(|before| before.is_ascii_alphanumeric() || before == '_')
    })
}

#[test]
fn each_concern_stays_in_its_room() {
    none(
        &sources::rust()
            .iter()
            .flat_map(violations)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn the_allowed_places_exist() {
    let sources = sources::rust();
    for path in RULES.iter().flat_map(|rule| rule.allowed).chain(EXPOSING) {
        assert!(
            sources.iter().any(|source| source.path.starts_with(path)),
            "{path} does not exist: a stale permission"
        );
    }
}

#[test]
fn bad_places_are_found() {
    for text in [
        "use reqwest::Client;",
        "let provider = rustls::crypto::ring::default_provider();",
        "let runtime = tokio::runtime::Builder::new_multi_thread();",
        "let host = std::env::var(\"HOST\");",
        "struct Kept(Zeroizing<String>);",
        "println!(\"{token}\");",
        "let text = token.expose();",
    ] {
        assert_eq!(
            violations(&Source::new("core/src/endpoint.rs", text)).len(),
            1,
            "{text}"
        );
    }
    assert!(
        violations(&Source::new(
            "core/src/endpoint.rs",
            "// use reqwest::Client;\nlet a = \"println!\";"
        ))
        .is_empty()
    );
    assert!(
        violations(&Source::new(
            "core/src/http/tls.rs",
            "rustls::crypto::ring::default_provider()"
        ))
        .is_empty()
    );
}
