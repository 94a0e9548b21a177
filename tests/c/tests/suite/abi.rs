//! What a compiled program relies on: the header, the names that the libraries show, the shapes of the structs, and how
//! the libraries are linked. Each is checked in and compared, so that it changes in a commit that says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lakekey_c_tests::{header, path, root};

use crate::build::{Build, compile, pkg_config, prefix, run, scratch};

fn told(program: &str, arguments: &[&str], file: &Path) -> String {
    let told = Command::new(program)
        .args(arguments)
        .arg(file)
        .output()
        .unwrap_or_else(|error| {
            panic!("{program} is needed (Debian: apt-get install binutils): {error}")
        });
    assert!(
        told.status.success(),
        "{program} {}: {told:?}",
        file.display()
    );
    String::from_utf8(told.stdout).unwrap()
}

fn library(name: &str) -> std::path::PathBuf {
    prefix("LAKEKEY_C").join("lib").join(name)
}

fn symbols() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("bindings-c/abi/symbols.txt")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Names that a file defines for others, by readelf: `Num: Value Size Type Bind Vis Ndx Name`.
fn defined(table: &str) -> BTreeSet<String> {
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| {
            words.len() >= 8 && words[4] != "LOCAL" && words[6] != "UND" && words[6] != "ABS"
        })
        .filter(|words| {
            words[3] == "FUNC" || words[3] == "OBJECT" || words[3] == "NOTYPE" || words[3] == "TLS"
        })
        .map(|words| words[7].to_owned())
        .filter(|name| name != "Name")
        .collect()
}

#[test]
fn the_header_is_what_the_sources_say() {
    let (made, checked_in) = (header().unwrap(), std::fs::read_to_string(path()).unwrap());
    assert!(
        made == checked_in,
        "bindings-c/include/lakekey.h is out of date: cargo run -p lakekey-c-tests --bin header"
    );
    assert!(
        made.contains("lk_client_new("),
        "cbindgen found no functions"
    );
}

#[test]
fn the_libraries_show_exactly_the_published_names() {
    let versioned: BTreeSet<String> = symbols()
        .iter()
        .map(|name| format!("{name}@@LAKEKEY_0"))
        .collect();
    assert!(versioned.len() > 30);
    let shared = told(
        "readelf",
        &["--wide", "--dyn-syms"],
        &library("liblakekey.so.0"),
    );
    assert_eq!(defined(&shared), versioned);
    let fixed = told("readelf", &["--wide", "--syms"], &library("liblakekey.a"));
    assert_eq!(defined(&fixed), symbols());
}

#[test]
fn every_function_of_the_header_is_published() {
    let header = std::fs::read_to_string(path()).unwrap();
    let declared: BTreeSet<String> = header
        .lines()
        .filter(|line| {
            !line.starts_with("//") && !line.starts_with(['#', ' ']) && !line.starts_with("typedef")
        })
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("lk_"))
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, symbols());
}

#[test]
fn the_shared_library_has_its_name_and_stays_loaded() {
    let dynamic = told(
        "readelf",
        &["--wide", "--dynamic"],
        &library("liblakekey.so"),
    );
    assert!(
        dynamic.contains("Library soname: [liblakekey.so.0]"),
        "{dynamic}"
    );
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    for line in needed {
        let system = [
            "libgcc_s",
            "libm.",
            "libc.",
            "libdl.",
            "librt.",
            "libutil.",
            "libpthread.",
            "ld-linux",
        ];
        assert!(
            system.iter().any(|name| line.contains(name)),
            "not of the system: {line}"
        );
    }
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
}

/// The fields of a struct in the header: `(struct, [field])`.
fn structs(header: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut open: Option<Vec<String>> = None;
    for line in header.lines() {
        if line.starts_with("typedef struct") && line.ends_with('{') {
            open = Some(Vec::new());
        } else if let Some(name) = line
            .strip_prefix("} ")
            .and_then(|line| line.strip_suffix(';'))
        {
            found.extend(open.take().map(|fields| (name.to_owned(), fields)));
        } else if let Some(fields) = &mut open
            && !line.trim_start().starts_with("//")
        {
            let declared = line.trim().trim_end_matches(';');
            let name = match declared.split_once("(*") {
                Some((_, rest)) => rest.split(')').next(),
                None => declared.rsplit([' ', '*']).next(),
            };
            fields.push(name.unwrap().to_owned());
        }
    }
    found
}

#[test]
fn structs_have_the_published_shape_and_only_grow() {
    let header = std::fs::read_to_string(path()).unwrap();
    let structs = structs(&header);
    assert!(structs.len() >= 8 && structs.iter().all(|(_, fields)| !fields.is_empty()));
    let mut source =
        "#include <lakekey.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n"
            .to_owned();
    for (name, fields) in &structs {
        let _ = writeln!(source, "  printf(\"{name} %zu\\n\", sizeof({name}));");
        for field in fields {
            let _ = writeln!(
                source,
                "  printf(\"{name}.{field} %zu\\n\", offsetof({name}, {field}));"
            );
        }
    }
    source += "  return 0;\n}\n";
    let folder = scratch();
    let file = folder.path().join("shapes.c");
    std::fs::write(&file, source).unwrap();
    let published = root().join("bindings-c/abi/structs.txt");
    let published = std::fs::read_to_string(published).unwrap();
    for build in [Build::Plain, Build::Cxx] {
        let program = compile(&file, build, &[], folder.path());
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", crate::build::library_path());
        let ended = run(&mut command, Duration::from_secs(30));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(
            ended.out, published,
            "{build:?}: bindings-c/abi/structs.txt"
        );
    }
}

#[test]
fn pkg_config_tells_how_to_build() {
    let said = pkg_config(&["--modversion", "lakekey"]);
    assert_eq!(said, [env!("CARGO_PKG_VERSION")]);
    let shared = pkg_config(&["--libs", "lakekey"]);
    assert!(
        shared.contains(&"-llakekey".to_owned()) && !shared.contains(&"-lm".to_owned()),
        "{shared:?}"
    );
}

/// Rust's standard library is in both, and each keeps its own.
#[test]
fn the_static_library_lives_beside_another_one_of_rust() {
    let folder = scratch();
    let other = folder.path().join("other.rs");
    std::fs::write(
        &other,
        "#[unsafe(no_mangle)]\npub extern \"C\" fn other(x: u32) -> u32 {\n    \
         std::panic::catch_unwind(|| if x > 0 { panic!(\"on purpose\") } else { 1 }).unwrap_or(7)\n}\n",
    )
    .unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let archive = folder.path().join("libother.a");
    let told = Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "staticlib", "-o"])
        .args([&archive, &other])
        .output()
        .unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let source = folder.path().join("both.c");
    std::fs::write(
        &source,
        "#include <lakekey.h>\n#include <stdio.h>\nuint32_t other(uint32_t x);\nint main(void) {\n  \
         lk_error *err = NULL;\n  lk_client *client = NULL;\n  \
         if (other(0) != 1 || other(1) != 7) return 2;\n  \
         if (lk_client_new(NULL, &client, &err) != LK_OK) return 3;\n  \
         if (lk_client_token(client, NULL, NULL, NULL) != LK_CONFIG_INVALID) return 4;\n  \
         return lk_client_free(client) == LK_OK ? 0 : 5;\n}\n",
    )
    .unwrap();
    let program = folder.path().join("both");
    let told = Command::new("gcc")
        .arg(&source)
        .args(pkg_config(&["--cflags", "lakekey"]))
        .arg("-o")
        .arg(&program)
        .args([library("liblakekey.a"), archive])
        .args(
            pkg_config(&["--static", "--libs-only-l", "lakekey"])
                .iter()
                .filter(|flag| *flag != "-llakekey"),
        )
        .output()
        .unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let ended = run(&mut Command::new(program), Duration::from_secs(30));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
