//! Finding Postgres, and saying what to do where there is none.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use lakekey_emulator::postgres::{BinarySearch, Fleet, FleetOptions, PostgresError, SystemTime};

use crate::stage::{Stage, fleet_options};

async fn open(options: FleetOptions, stage: &Stage) -> Result<Arc<Fleet>, PostgresError> {
    Fleet::open(
        options,
        17,
        stage.plane.clone(),
        Arc::new(SystemTime::default()),
    )
    .await
}

fn fake(dir: &std::path::Path, script: &str) {
    for name in ["postgres", "initdb"] {
        let file = dir.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[tokio::test]
async fn a_named_directory_that_is_of_no_use_is_named_in_the_error() {
    let stage = Stage::open().await;
    let kept = tempfile::tempdir().unwrap();
    let bin = tempfile::tempdir().unwrap();
    std::fs::set_permissions(bin.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    fake(
        bin.path(),
        "echo 'error while loading shared libraries: libnothing.so' >&2; exit 127",
    );
    let mut options = fleet_options(kept.path());
    options.binaries = BinarySearch {
        explicit: Some(bin.path().to_owned()),
        roots: Vec::new(),
    };
    let error = open(options, &stage).await.unwrap_err().to_string();
    assert!(error.contains(&bin.path().display().to_string()), "{error}");
    assert!(
        error.contains("--pg-bin-dir") && error.contains("libnothing.so"),
        "{error}"
    );
    stage.close().await;
}

#[tokio::test]
async fn the_wrong_major_version_is_refused_only_when_strict() {
    let stage = Stage::open().await;
    let bin = tempfile::tempdir().unwrap();
    std::fs::set_permissions(bin.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    fake(bin.path(), "echo 'postgres (PostgreSQL) 15.18'");
    for strict_version in [false, true] {
        let kept = tempfile::tempdir().unwrap();
        let mut options = fleet_options(kept.path());
        options.binaries = BinarySearch {
            explicit: Some(bin.path().to_owned()),
            roots: Vec::new(),
        };
        options.strict_version = strict_version;
        let opened = open(options, &stage).await;
        if strict_version {
            let error = opened.unwrap_err().to_string();
            assert!(error.contains("Postgres 17, but only 15"), "{error}");
            assert!(
                error.contains("npm install --prefix ~/.cache/lakekey/pg/17"),
                "{error}"
            );
        } else {
            let found = opened.unwrap().installation(17).await.unwrap();
            assert_eq!((found.version.as_str(), found.major), ("15.18", 15));
        }
    }
    stage.close().await;
}
