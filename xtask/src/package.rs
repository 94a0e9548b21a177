//! `cargo xtask package`: what people install, made from this checkout for this machine. Without it whoever wants to try
//! lakekey in an app of their own has to find out how five package managers are fed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::repo::Repo;
use crate::setup::artifacts::{self, Profile};
use crate::setup::{c, java, npm, python};

/// What to make, and where to put it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  cargo xtask package\n  cargo xtask package python node --out /tmp/lakekey"
)]
pub(crate) struct Options {
    /// The languages; all without it.
    languages: Vec<Language>,
    /// The folder for the packages; target/packages without it.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Debug builds: quick to make, large and slow.
    #[arg(long)]
    dev: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Language {
    /// The command `lakekey`.
    Cli,
    /// A wheel.
    Python,
    /// The npm package, and that of this platform's native module.
    Node,
    /// The jar.
    Java,
    /// Header, shared and static library, pkg-config.
    C,
}

/// Makes the packages and says how each is installed.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<bool> {
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| repo.target("packages"));
    fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    let out = out.canonicalize()?;
    let profile = if options.dev {
        Profile::Dev
    } else {
        Profile::Release
    };
    let languages = if options.languages.is_empty() {
        Language::value_variants()
    } else {
        &options.languages
    };
    for language in languages {
        let name = language.to_possible_value();
        eprintln!(
            "making the package for {}",
            name.as_ref().map_or("", |name| name.get_name())
        );
        println!("{}", make(repo, *language, profile, &out)?);
    }
    Ok(true)
}

/// Makes one; the line says what to type.
fn make(repo: &Repo, language: Language, profile: Profile, out: &Path) -> Result<String> {
    Ok(match language {
        Language::Cli => {
            let file = take(&artifacts::command(repo, profile)?, out)?;
            format!("{} --help", file.display())
        }
        Language::Python => {
            let wheel = artifacts::wheel(repo, &python::install(repo)?, profile)?;
            let wheel = take(&wheel, out)?;
            format!("pip install '{}[psycopg]'", wheel.display())
        }
        Language::Node => {
            let files: Vec<String> = npm::pack(repo, profile, out)?
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            format!("npm install {} pg", files.join(" "))
        }
        Language::Java => {
            let folder = repo.target("packages-java");
            let jar = take(&java::jar(repo, profile, &folder, "package")?, out)?;
            format!(
                "mvn install:install-file -Dfile={} -DpomFile={}",
                jar.display(),
                repo.path("bindings-java/pom.xml").display()
            )
        }
        Language::C => {
            let prefix = out.join("c");
            c::install(repo, profile, &prefix)?;
            format!(
                "PKG_CONFIG_PATH={} pkg-config --cflags --libs lakekey",
                prefix.join("lib/pkgconfig").display()
            )
        }
    })
}

fn take(file: &Path, out: &Path) -> Result<PathBuf> {
    let name = file.file_name().context("a package has a name")?;
    let to = out.join(name);
    fs::copy(file, &to)
        .with_context(|| format!("{} cannot be copied to {}", file.display(), out.display()))?;
    Ok(to)
}
