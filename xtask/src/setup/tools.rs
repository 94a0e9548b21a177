//! The programs that must be on PATH, each with what it is for and how to get it.

use std::env;

use anyhow::{Result, bail};

/// A program this repository's commands call.
pub(crate) struct Tool {
    name: &'static str,
    purpose: &'static str,
    advice: &'static str,
}

pub(crate) const CC: Tool = Tool {
    name: "cc",
    purpose: "links Rust programs and compiles the C parts of ring",
    advice: "Debian: apt-get install build-essential; macOS: xcode-select --install",
};
pub(crate) const PYTHON: Tool = Tool {
    name: "python3",
    purpose: "runs the Python package and its tests (3.10 or newer, with venv)",
    advice: "Debian: apt-get install python3 python3-venv",
};
pub(crate) const NODE: Tool = Tool {
    name: "node",
    purpose: "runs the npm package, its tests and the official Node client (20 or newer)",
    advice: "Debian: apt-get install nodejs npm",
};
pub(crate) const NPM: Tool = Tool {
    name: "npm",
    purpose: "fetches the pinned Postgres binaries and the official Node client",
    advice: "Debian: apt-get install nodejs npm",
};
pub(crate) const GO: Tool = Tool {
    name: "go",
    purpose: "builds the official Go SDK's witness of unified authentication (1.25 or newer)",
    advice: "Debian: apt-get install golang-go; macOS: brew install go",
};
pub(crate) const JAVAC: Tool = Tool {
    name: "javac",
    purpose: "compiles and runs Java programs (a JDK, 17 or newer)",
    advice: "Debian: apt-get install default-jdk-headless",
};
pub(crate) const MAVEN: Tool = Tool {
    name: "mvn",
    purpose: "fetches and builds what is written in Java",
    advice: "Debian: apt-get install maven",
};

pub(crate) const LD: Tool = Tool {
    name: "ld",
    purpose: "links the C library",
    advice: "Debian: apt-get install binutils",
};
pub(crate) const OBJCOPY: Tool = Tool {
    name: "objcopy",
    purpose: "hides what is not of the C library",
    advice: "Debian: apt-get install binutils",
};
pub(crate) const AR: Tool = Tool {
    name: "ar",
    purpose: "makes the static C library",
    advice: "Debian: apt-get install binutils",
};
pub(crate) const PKG_CONFIG: Tool = Tool {
    name: "pkg-config",
    purpose: "tells C programs how to find lakekey and libpq",
    advice: "Debian: apt-get install pkg-config",
};
pub(crate) const GCC: Tool = Tool {
    name: "gcc",
    purpose: "compiles the C tests, also with its sanitizers",
    advice: "Debian: apt-get install gcc",
};
pub(crate) const GXX: Tool = Tool {
    name: "g++",
    purpose: "shows that the C header is good C++",
    advice: "Debian: apt-get install g++",
};
pub(crate) const VALGRIND: Tool = Tool {
    name: "valgrind",
    purpose: "watches the memory of the C tests",
    advice: "Debian: apt-get install valgrind",
};
pub(crate) const READELF: Tool = Tool {
    name: "readelf",
    purpose: "reads the names that the C libraries show",
    advice: "Debian: apt-get install binutils",
};

/// Fails with one line per tool that is not on PATH.
pub(crate) fn require(tools: &[Tool]) -> Result<()> {
    let missing: Vec<String> = tools
        .iter()
        .filter(|tool| !on_path(tool.name))
        .map(|tool| format!("  {} ({}). {}", tool.name, tool.purpose, tool.advice))
        .collect();
    if !missing.is_empty() {
        bail!("not on PATH:\n{}", missing.join("\n"));
    }
    Ok(())
}

fn on_path(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| {
        env::split_paths(&path).any(|folder| {
            folder.join(name).is_file()
                || folder.join(name).with_extension("exe").is_file()
                || folder.join(name).with_extension("cmd").is_file()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Tool, require};

    #[test]
    fn a_missing_tool_is_named_with_its_purpose_and_the_way_to_get_it() {
        let tool = Tool {
            name: "lakekey-no-such-tool",
            purpose: "nothing",
            advice: "make it",
        };
        let text = require(&[tool]).map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(
            text,
            "not on PATH:\n  lakekey-no-such-tool (nothing). make it"
        );
    }
}
