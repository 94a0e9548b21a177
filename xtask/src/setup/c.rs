//! The C library as a system has it: a shared library with a version in its name, a static one, the header, and files for
//! pkg-config. And libpq beside it, for the programs that need one.
//!
//! Both libraries are linked from one object in which only the names of `abi/symbols.txt` can be seen. Cargo's own static
//! library shows the whole of Rust's standard library, and a program that links two such ones does not link at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::child;
use crate::repo::Repo;
use crate::setup::artifacts::{self, Profile};
use crate::setup::{postgres, stamp, tools};

/// The version of the interface in the shared library's name. It changes with what breaks programs.
const ABI: &str = "0";

/// What a program needs that is linked to the static library. A test builds one with what pkg-config says of them.
const SYSTEM: [&str; 7] = [
    "-lgcc_s",
    "-lutil",
    "-lrt",
    "-lpthread",
    "-lm",
    "-ldl",
    "-lc",
];

/// libpq's headers, and where each is in the package that has them.
const HEADERS: [&str; 3] = [
    "source/src/interfaces/libpq/libpq-fe.h",
    "source/src/include/postgres_ext.h",
    "additional_include/pg_config_ext.h",
];

/// Where to install it.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder below which lib and include are, such as /usr/local.
    #[arg(long)]
    prefix: PathBuf,
    /// A debug build, as the tests use it.
    #[arg(long)]
    dev: bool,
}

/// Builds and installs it.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<bool> {
    let profile = if options.dev {
        Profile::Dev
    } else {
        Profile::Release
    };
    install(repo, profile, &options.prefix)?;
    println!(
        "installed; with PKG_CONFIG_PATH={} a program finds it by `pkg-config --cflags --libs lakekey`",
        options.prefix.join("lib/pkgconfig").display()
    );
    Ok(true)
}

/// The library and libpq, below `target/c`.
pub(crate) fn both(repo: &Repo, profile: Profile) -> Result<[PathBuf; 2]> {
    let prefix = repo.target(match profile {
        Profile::Dev => "c/dev",
        Profile::Release => "c/release",
    });
    install(repo, profile, &prefix)?;
    Ok([prefix, libpq(repo)?])
}

/// Builds and installs the library below `prefix`.
pub(crate) fn install(repo: &Repo, profile: Profile, prefix: &Path) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("the C library is linked on Linux only so far");
    }
    tools::require(&[tools::CC, tools::LD, tools::OBJCOPY, tools::AR])?;
    let archive = archive(repo, profile)?;
    let symbols = repo.path("bindings-c/abi/symbols.txt");
    let header = repo.path("bindings-c/include/lakekey.h");
    let libpq = repo.path("bindings-c/include/lakekey_libpq.h");
    let template = repo.path("bindings-c/lakekey.pc.in");
    let mut made_of = format!(
        "{:?}",
        fs::metadata(&archive)?
            .modified()?
            .duration_since(UNIX_EPOCH)?
    );
    for file in [&symbols, &header, &libpq, &template] {
        made_of += &read(file)?;
    }
    let work = repo.target("c/work").join(match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    });
    stamp::once(&work, &made_of, || {
        link(&archive, &read(&symbols)?, &work, profile)
    })?;
    let (include, lib) = (prefix.join("include"), prefix.join("lib"));
    let full = format!("liblakekey.so.{}", env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(lib.join("pkgconfig"))?;
    fs::create_dir_all(&include)?;
    place(&work.join("liblakekey.so"), &lib.join(&full))?;
    place(&work.join("liblakekey.a"), &lib.join("liblakekey.a"))?;
    place(&header, &include.join("lakekey.h"))?;
    place(&libpq, &include.join("lakekey_libpq.h"))?;
    let short = format!("liblakekey.so.{ABI}");
    alias(&full, &lib.join(&short))?;
    alias(&short, &lib.join("liblakekey.so"))?;
    let pc = read(&template)?.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    fs::write(lib.join("pkgconfig/lakekey.pc"), pc)?;
    Ok(())
}

/// libpq of the pinned Postgres with headers, as a system has it: below `target/c/libpq`.
pub(crate) fn libpq(repo: &Repo) -> Result<PathBuf> {
    let binaries = postgres::install_major(repo, 17)?;
    let from = binaries.with_file_name("lib");
    let prefix = repo.target("c/libpq");
    let version = postgres::version(&binaries)?;
    stamp::once(&prefix, &format!("{version} {}", from.display()), || {
        let (include, lib) = (prefix.join("include"), prefix.join("lib"));
        fs::create_dir_all(lib.join("pkgconfig"))?;
        fs::create_dir_all(&include)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // What it needs lies beside it, and is found there by its own path.
            let wanted = ["libpq.so", "libssl.so", "libcrypto.so"];
            if wanted.iter().any(|start| name.starts_with(start)) {
                fs::copy(entry.path(), lib.join(&*name))?;
            }
        }
        let package = headers(repo)?;
        for header in HEADERS {
            let header = package.join(header);
            let name = header.file_name().context("a header without a name")?;
            fs::copy(&header, include.join(name))
                .with_context(|| format!("{} cannot be copied", header.display()))?;
        }
        let pc = format!(
            "prefix=${{pcfiledir}}/../..\n\nName: libpq\nDescription: The pinned libpq of these tests\nVersion: {version}\n\
             Cflags: -I${{prefix}}/include\nLibs: -L${{prefix}}/lib -lpq\n"
        );
        fs::write(lib.join("pkgconfig/libpq.pc"), pc)?;
        Ok(())
    })?;
    Ok(prefix)
}

/// Lets a program find both by pkg-config, and at run time.
pub(crate) fn lend<'a>(command: &'a mut Command, prefixes: &[&Path]) -> &'a mut Command {
    let folders = |inside: &str| {
        let folders: Vec<String> = prefixes
            .iter()
            .map(|prefix| prefix.join(inside).display().to_string())
            .collect();
        folders.join(":")
    };
    command
        .env("PKG_CONFIG_PATH", folders("lib/pkgconfig"))
        .env("LD_LIBRARY_PATH", folders("lib"))
}

/// Compiles a C program of this repository and gives its path; it is called after its first source. Folders of the sources
/// are searched for their headers.
pub(crate) fn program(repo: &Repo, sources: &[&str], prefixes: &[&Path]) -> Result<PathBuf> {
    tools::require(&[tools::CC, tools::PKG_CONFIG])?;
    let sources: Vec<PathBuf> = sources.iter().map(|source| repo.path(source)).collect();
    let name = sources
        .first()
        .and_then(|source| source.file_stem())
        .context("a program without a source")?;
    let flags = child::quietly(
        "pkg-config of lakekey and libpq",
        lend(&mut Command::new("pkg-config"), prefixes)
            .args(["--cflags", "--libs", "lakekey", "libpq"]),
    )?;
    let program = repo.target("c").join(name);
    let mut cc = Command::new("cc");
    cc.args([
        "-std=c11",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-pthread",
    ]);
    for source in &sources {
        if let Some(folder) = source.parent() {
            cc.arg("-I").arg(folder);
        }
    }
    cc.args(&sources)
        .arg("-o")
        .arg(&program)
        .args(flags.split_whitespace());
    child::quietly("compiling a C program", &mut cc)?;
    Ok(program)
}

/// Cargo's static library.
fn archive(repo: &Repo, profile: Profile) -> Result<PathBuf> {
    let mut build = artifacts::cargo(repo);
    build.args([
        "rustc",
        "--quiet",
        "--package",
        "lakekey-c",
        "--lib",
        "--crate-type",
        "staticlib",
    ]);
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            build.arg("--release");
            "release"
        }
    };
    child::loudly("building the C library", &mut build)?;
    let path = repo.target(&format!("{folder}/liblakekey_c.a"));
    if !path.is_file() {
        bail!("the build left no {}", path.display());
    }
    Ok(path)
}

/// Makes `liblakekey.a` and `liblakekey.so` in `work`.
fn link(archive: &Path, symbols: &str, work: &Path, profile: Profile) -> Result<()> {
    let (all, ours) = (work.join("all.o"), work.join("lakekey.o"));
    let list = work.join("symbols.txt");
    fs::write(&list, symbols)?;
    let names: Vec<&str> = symbols.lines().collect();
    // Groups are resolved here, else a second Rust library would throw parts of this one away as its own.
    child::quietly(
        "linking the C library's object",
        Command::new("ld")
            .args(["-r", "--force-group-allocation", "-o"])
            .arg(&all)
            .args(names.iter().map(|name| format!("--undefined={name}")))
            .arg(archive),
    )?;
    let strip = match profile {
        Profile::Dev => "--strip-debug",
        Profile::Release => "--strip-unneeded",
    };
    child::quietly(
        "hiding what is not of the C library",
        Command::new("objcopy")
            .arg(strip)
            .args(["--remove-section=.llvmbc", "--remove-section=.llvmcmd"])
            .arg(format!("--keep-global-symbols={}", list.display()))
            .arg(&all)
            .arg(&ours),
    )?;
    let library = work.join("liblakekey.a");
    if library.exists() {
        fs::remove_file(&library)?;
    }
    child::quietly(
        "making liblakekey.a",
        Command::new("ar").arg("rcsD").arg(&library).arg(&ours),
    )?;
    let map = work.join("lakekey.map");
    let exported = names.join(
        ";
    ",
    );
    fs::write(
        &map,
        format!("LAKEKEY_{ABI} {{\n  global:\n    {exported};\n  local: *;\n}};\n"),
    )?;
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-o"])
        .arg(work.join("liblakekey.so"))
        .arg(&ours)
        .arg(format!("-Wl,-soname,liblakekey.so.{ABI}"))
        .arg(format!("-Wl,--version-script={}", map.display()))
        // Threads of ours may run in it until the process ends.
        .args([
            "-Wl,-z,nodelete",
            "-Wl,-z,defs",
            "-Wl,-z,relro",
            "-Wl,-z,now",
            "-Wl,--gc-sections",
        ]);
    if profile == Profile::Release {
        cc.arg("-Wl,--strip-all");
    }
    child::quietly("linking liblakekey.so", cc.args(SYSTEM))?;
    fs::remove_file(&all)?;
    Ok(())
}

/// The folder of the package with libpq's headers, fetched by cargo.
fn headers(repo: &Repo) -> Result<PathBuf> {
    let manifest = repo.path("xtask/c/Cargo.toml");
    let mut cargo = artifacts::cargo(repo);
    cargo
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(manifest);
    let said: Value = serde_json::from_str(&child::quietly(
        "cargo metadata of libpq's headers",
        &mut cargo,
    )?)?;
    let packages = said["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .filter(|package| package["name"] == "pq-src")
        .find_map(|package| package["manifest_path"].as_str())
        .context("cargo knows no package pq-src")?;
    Path::new(manifest)
        .parent()
        .map(Path::to_path_buf)
        .context("a package without a folder")
}

/// Puts a file there by a rename, so that a program that has the old one loaded keeps it whole.
fn place(from: &Path, to: &Path) -> Result<()> {
    let new = to.with_extension("new");
    fs::copy(from, &new).with_context(|| format!("{} cannot be copied", from.display()))?;
    fs::rename(&new, to).with_context(|| format!("{} cannot be made", to.display()))
}

#[cfg(unix)]
fn alias(name: &str, at: &Path) -> Result<()> {
    if fs::symlink_metadata(at).is_ok() {
        fs::remove_file(at)?;
    }
    std::os::unix::fs::symlink(name, at).with_context(|| format!("{} cannot be made", at.display()))
}

#[cfg(not(unix))]
fn alias(name: &str, at: &Path) -> Result<()> {
    fs::copy(at.with_file_name(name), at)?;
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
