//! The Python environment: a virtual environment with every package pinned, and the older `psycopg_pool` in a folder of its
//! own, which tests put in front of the module path.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child;
use crate::repo::Repo;
use crate::setup::{stamp, tools};

/// The environment and what is beside it.
pub(crate) struct Environment {
    /// The folder of the virtual environment.
    pub(crate) folder: PathBuf,
    /// `psycopg_pool` 3.2.
    pub(crate) older_pool: PathBuf,
}

impl Environment {
    /// A program of the environment, such as `python`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder
            .join(if cfg!(windows) { "Scripts" } else { "bin" })
            .join(name)
    }

    /// A Python that sees the environment only: no user packages, no inherited module path.
    pub(crate) fn python(&self) -> Command {
        let mut python = Command::new(self.program("python"));
        python
            .env_remove("PYTHONPATH")
            .env_remove("PYTHONHOME")
            .env("PYTHONNOUSERSITE", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("VIRTUAL_ENV", &self.folder);
        python
    }

    /// `pip install` of exactly what is named, nothing beside it; what and where to is for the caller to add.
    pub(crate) fn pip_install(&self) -> Command {
        let mut pip = self.python();
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--no-deps",
        ]);
        pip
    }

    /// The same into a folder of its own, once for each change of the list of pins `name` in `xtask/python`.
    pub(crate) fn install_apart(&self, repo: &Repo, name: &str, folder: &Path) -> Result<()> {
        let list = repo.path("xtask/python").join(name);
        let pins = fs::read_to_string(&list)
            .with_context(|| format!("{} cannot be read", list.display()))?;
        stamp::once(folder, &pins, || {
            child::fetching(&format!("pip install of {name}"), || {
                let mut pip = self.pip_install();
                pip.arg("--target")
                    .arg(folder)
                    .arg("--requirement")
                    .arg(&list);
                pip
            })
        })
    }
}

/// Makes the environment below `target/`; does nothing when it stands already.
pub(crate) fn install(repo: &Repo) -> Result<Environment> {
    tools::require(&[tools::PYTHON])?;
    let version = interpreter()?;
    let environment = Environment {
        folder: repo.target("venv"),
        older_pool: repo.target("psycopg-pool-3.2"),
    };
    let list = repo.path("xtask/python/requirements.txt");
    let pins =
        fs::read_to_string(&list).with_context(|| format!("{} cannot be read", list.display()))?;
    stamp::once(&environment.folder, &format!("{version}\n{pins}"), || {
        eprintln!(
            "making the Python environment in {}",
            environment.folder.display()
        );
        child::quietly(
            "python3 -m venv (Debian: apt-get install python3-venv)",
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&environment.folder),
        )?;
        child::fetching("pip install", || {
            let mut pip = environment.pip_install();
            pip.arg("--requirement").arg(&list);
            pip
        })
    })?;
    environment.install_apart(repo, "psycopg-pool-3.2.txt", &environment.older_pool)?;
    Ok(environment)
}

fn interpreter() -> Result<String> {
    let said = child::quietly(
        "python3",
        Command::new("python3").args([
            "-c",
            "import sys; print(*sys.version_info[:3], sep='.'); print(sys.executable)",
        ]),
    )?;
    let mut numbers = said
        .split(['.', '\n'])
        .map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(3), Some(minor)) if minor >= 10 => Ok(said),
        _ => bail!(
            "python3 is {}; 3.10 or newer is needed",
            said.lines().next().unwrap_or("unknown")
        ),
    }
}
