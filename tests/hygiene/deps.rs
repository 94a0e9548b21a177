//! Who may use whom. The emulator must not share the client's types, or a mistake on the wire would cancel itself out; a
//! binding that goes past `lakekey-ffi` would get behaviour of its own.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::none;
use super::sources::root;

/// Which crates of ours a crate may use, outside its tests.
const OURS: &[(&str, &[&str])] = &[
    ("lakekey", &[]),
    ("lakekey-ffi", &["lakekey"]),
    ("lakekey-python", &["lakekey-ffi"]),
    ("lakekey-node", &["lakekey-ffi"]),
    ("lakekey-c", &["lakekey-ffi"]),
    ("lakekey-java", &["lakekey-ffi"]),
    ("lakekey-gateway", &[]),
    ("lakekey-emulator", &["lakekey-gateway"]),
    (
        "lakekey-cli",
        &["lakekey", "lakekey-gateway", "lakekey-emulator"],
    ),
    ("xtask", &[]),
];

/// The crates that may use anything: nobody uses them.
const TESTS: &[&str] = &[
    "lakekey-tests",
    "lakekey-loom",
    "lakekey-e2e",
    "lakekey-conformance",
    "lakekey-c-tests",
    "lakekey-fuzz",
    "lakekey-faults",
];

/// All that a binding may use besides `lakekey-ffi`: its glue to the host language.
const GLUE: &[(&str, &[&str])] = &[
    (
        "lakekey-python",
        &["pyo3", "pyo3-async-runtimes", "pyo3-build-config"],
    ),
    ("lakekey-node", &["napi", "napi-derive", "napi-build"]),
    ("lakekey-c", &[]),
    ("lakekey-java", &["jni"]),
];

/// Crates that one crate alone may use.
const RESERVED: &[(&str, &[&str])] = &[("reqwest", &["lakekey"])];

/// A library inside somebody's process must not touch signals or start processes (Go and Python own those).
const LIBRARIES: &[&str] = &[
    "lakekey",
    "lakekey-ffi",
    "lakekey-python",
    "lakekey-node",
    "lakekey-c",
    "lakekey-java",
    "lakekey-gateway",
];
const TOKIO_REFUSED: &[&str] = &["signal", "process", "full"];

/// TLS and crypto stacks that would come beside rustls with ring.
const REFUSED_PACKAGES: &[&str] = &[
    "aws-lc-sys",
    "aws-lc-rs",
    "openssl-sys",
    "native-tls",
    "openssl",
];

fn violations(metadata: &Value) -> Vec<String> {
    let ours: BTreeMap<&str, &[&str]> = OURS.iter().copied().collect();
    let members: Vec<&str> = packages(metadata)
        .map(|package| text(package, "name"))
        .collect();
    let mut found = Vec::new();
    for package in packages(metadata) {
        let name = text(package, "name");
        if TESTS.contains(&name) {
            continue;
        }
        let Some(allowed) = ours.get(name) else {
            found.push(format!(
                "{name} is a new crate: say in tests/hygiene/deps.rs whom it may use"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let (used, dev) = (text(dependency, "name"), dependency["kind"] == "dev");
            if members.contains(&used) && !allowed.contains(&used) && used != name {
                found.push(format!("{name} must not use {used}: design rule \"who may use whom\" in ARCHITECTURE.md"));
            }
            for (reserved, owners) in RESERVED {
                if used == *reserved && !owners.contains(&name) {
                    found.push(format!(
                        "{name} must not use {used}: only {} may",
                        owners.join(", ")
                    ));
                }
            }
            if let Some((_, glue)) = GLUE.iter().find(|(binding, _)| *binding == name)
                && !dev
                && !members.contains(&used)
                && !glue.contains(&used)
            {
                found.push(format!(
                    "{name} must not use {used}: a binding uses lakekey-ffi and its glue crate only"
                ));
            }
            if used == "tokio" && !dev && LIBRARIES.contains(&name) {
                for feature in dependency["features"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                {
                    if TOKIO_REFUSED.contains(&feature) {
                        found.push(format!("{name} must not use tokio's feature {feature}: the host program owns signals and processes"));
                    }
                }
            }
        }
    }
    found
}

fn refused_packages(lock: &str) -> Vec<String> {
    lock.lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .filter(|name| REFUSED_PACKAGES.contains(name))
        .map(|name| {
            format!("Cargo.lock holds {name}: rustls with ring is the only TLS of this project")
        })
        .collect()
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

#[test]
fn every_crate_uses_only_whom_it_may() {
    let told = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let metadata: Value = serde_json::from_slice(&told.stdout).unwrap();
    for (name, _) in OURS {
        assert!(
            packages(&metadata).any(|package| text(package, "name") == *name),
            "there is no crate {name}"
        );
    }
    none(&violations(&metadata));
}

#[test]
fn no_other_tls_or_crypto_library_is_in_the_lock_file() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    assert!(
        lock.contains("name = \"ring\""),
        "the lock file has no ring: the rule looks at the wrong file"
    );
    none(&refused_packages(&lock));
}

#[test]
fn bad_dependencies_are_found() {
    let metadata = serde_json::json!({"packages": [
        {"name": "lakekey", "dependencies": [{"name": "tokio", "kind": null, "features": ["rt", "signal"]}]},
        {"name": "lakekey-gateway", "dependencies": []},
        {"name": "lakekey-emulator", "dependencies": [{"name": "lakekey", "kind": "dev", "features": []}, {"name": "reqwest", "kind": null, "features": []}]},
        {"name": "lakekey-python", "dependencies": [{"name": "pyo3", "kind": null, "features": []}, {"name": "serde_json", "kind": null, "features": []}]},
        {"name": "newcomer", "dependencies": []},
    ]});
    let found = violations(&metadata).join("\n");
    for expected in [
        "lakekey must not use tokio's feature signal",
        "lakekey-emulator must not use lakekey:",
        "lakekey-emulator must not use reqwest",
        "lakekey-python must not use serde_json",
        "newcomer is a new crate",
    ] {
        assert!(found.contains(expected), "{expected} is not in\n{found}");
    }
    assert_eq!(violations(&metadata).len(), 5, "{found}");
    assert_eq!(
        refused_packages("[[package]]\nname = \"openssl-sys\"\n").len(),
        1
    );
}
