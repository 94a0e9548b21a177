//! Where test clusters live, and how a fleet of them is opened.

use std::path::{Path, PathBuf};

use lakekey_emulator::postgres::{BinarySearch, FleetOptions};

pub(crate) fn fleet_options(state: &Path) -> FleetOptions {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned();
    FleetOptions {
        state_dir: state.to_owned(),
        cache_dir: Some(scratch().join("cache")),
        binaries: BinarySearch {
            explicit: None,
            roots: vec![repository],
        },
        strict_version: false,
        image_every_bytes: FleetOptions::IMAGE_EVERY_BYTES,
    }
}

/// A directory for the state of one test. It is in memory where there is room: ext4 takes long to make thousands of
/// files after thousands have been removed, and these tests do little else.
pub(crate) fn state_dir() -> tempfile::TempDir {
    const ROOM: u64 = 8 << 30;
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    let base = if room >= ROOM {
        memory.to_owned()
    } else {
        scratch()
    };
    let made = tempfile::Builder::new()
        .prefix("lakekey-test-")
        .tempdir_in(base)
        .unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(made.path(), open).unwrap();
    made
}

/// A directory below `target` for this user; below the system's directory for temporary files where the account that
/// runs Postgres cannot get into `target`.
fn scratch() -> PathBuf {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(target).ok();
    let passable = target
        .ancestors()
        .all(|dir| std::fs::metadata(dir).is_ok_and(|meta| meta.mode() & 0o001 != 0));
    let me = std::fs::metadata("/proc/self").map_or(0, |meta| meta.uid());
    let base = if passable {
        target.to_owned()
    } else {
        std::env::temp_dir()
    };
    let dir = base.join(format!("emulator-{me}"));
    if std::fs::create_dir_all(&dir).is_err() {
        let dir = std::env::temp_dir().join(format!("lakekey-emulator-{me}"));
        std::fs::create_dir_all(&dir).unwrap();
        return dir;
    }
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}
