//! C programs: compiled as a user would, by pkg-config, with every warning an error.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lakekey_c_tests::root;

/// How a program is built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Build {
    Plain,
    Cxx,
    /// `AddressSanitizer` and `UndefinedBehaviorSanitizer`.
    Sanitized,
    /// Linked to the static library.
    Static,
}

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Where something is installed.
pub(crate) fn prefix(variable: &str) -> PathBuf {
    let prefix = std::env::var_os(variable).map(PathBuf::from);
    prefix
        .unwrap_or_else(|| panic!("{variable} is not set; run these tests by `cargo xtask test c`"))
}

/// A folder of one test's own.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// What pkg-config says of packages.
pub(crate) fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let paths: Vec<PathBuf> = ["LAKEKEY_C", "LAKEKEY_LIBPQ"]
        .iter()
        .map(|variable| prefix(variable).join("lib/pkgconfig"))
        .collect();
    let said = Command::new("pkg-config")
        .env("PKG_CONFIG_PATH", std::env::join_paths(paths).unwrap())
        .args(arguments)
        .output()
        .expect("pkg-config is needed (Debian: apt-get install pkg-config)");
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let said = String::from_utf8(said.stdout).unwrap();
    said.split_whitespace().map(str::to_owned).collect()
}

/// Where the libraries are at run time.
pub(crate) fn library_path() -> std::ffi::OsString {
    let paths = ["LAKEKEY_C", "LAKEKEY_LIBPQ"].map(|variable| prefix(variable).join("lib"));
    std::env::join_paths(paths).unwrap()
}

/// Compiles a source file into `folder`, as a program of its name; `packages` beside lakekey.
pub(crate) fn compile(source: &Path, build: Build, packages: &[&str], folder: &Path) -> PathBuf {
    let program = folder.join(source.file_stem().unwrap());
    let mut cc = match build {
        Build::Cxx => Command::new("g++"),
        _ => Command::new("gcc"),
    };
    cc.args(match build {
        Build::Cxx => ["-x", "c++", "-std=c++17"].as_slice(),
        Build::Sanitized => &[
            "-std=c11",
            "-g",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
        ],
        Build::Plain | Build::Static => &["-std=c11", "-g"],
    });
    cc.args(STRICT)
        .arg("-pthread")
        .arg(source)
        .args(["-x", "none", "-o"])
        .arg(&program);
    let flags = ["--cflags", "--libs"].iter().chain(packages).copied();
    if build == Build::Static {
        cc.args(pkg_config(&["--cflags", "lakekey"]))
            .arg(prefix("LAKEKEY_C").join("lib/liblakekey.a"))
            .args(
                pkg_config(&["--static", "--libs-only-l", "lakekey"])
                    .iter()
                    .filter(|flag| *flag != "-llakekey"),
            );
    }
    let flags: Vec<&str> = match build {
        Build::Static => flags.collect(),
        _ => flags.chain(["lakekey"]).collect(),
    };
    if build != Build::Static || !packages.is_empty() {
        cc.args(pkg_config(&flags));
    }
    let told = cc
        .output()
        .expect("gcc and g++ are needed (Debian: apt-get install gcc g++)");
    assert!(
        told.status.success(),
        "{}:\n{}",
        source.display(),
        String::from_utf8_lossy(&told.stderr)
    );
    program
}

/// A program of these tests.
pub(crate) fn program(name: &str) -> PathBuf {
    root().join("tests/c/programs").join(name)
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a program that ends by itself in time.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Ended {
    let folder = scratch();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out).unwrap())
        .stderr(std::fs::File::create(&err).unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().to_string_lossy()));
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    Ended {
        code: status.and_then(|status| status.code()),
        out: read(&out),
        err: read(&err),
    }
}
