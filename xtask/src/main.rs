//! The commands of this repository, so that a newcomer needs no list of steps: `cargo xtask demo` shows lakekey at work,
//! `cargo xtask test` proves it, `cargo xtask soak` does so for minutes on end, `cargo xtask bench` measures it,
//! `cargo xtask codegen` writes what is generated. Each sets up what it needs under `target/`.

mod app;
mod apps;
mod bench;
mod child;
mod codegen;
mod demo;
mod emulator;
mod package;
mod repo;
mod setup;
mod soak;
mod suite;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Watch apps of four drivers live through many credential rotations and a suspended database.
    Demo(demo::Options),
    /// Run the tests: all parts, or the named ones.
    Test(suite::Options),
    /// Measure lakekey side by side with its peers and print the ratios.
    Bench(bench::Options),
    /// Run every driver for minutes under random faults and rotations, and check what must hold.
    Soak(soak::Options),
    /// Make the typed management API of each language from core/api.
    Codegen(codegen::Options),
    /// Make what people install, for this machine: wheel, npm packages, jar, C library, command.
    Package(package::Options),
    /// Build the C library and install it: shared, static, header, pkg-config.
    CInstall(setup::c::Options),
    /// Fetch the pinned Postgres binaries into target/pg.
    Postgres,
    /// Set up everything that demo and test need, and print the variables that point at it.
    Setup,
}

fn main() -> ExitCode {
    let outcome = repo::Repo::find().and_then(|repo| match Arguments::parse().command {
        Task::Demo(options) => demo::run(&repo, &options),
        Task::Test(options) => Ok(suite::run(&repo, &options)),
        Task::Bench(options) => bench::run(&repo, &options),
        Task::Soak(options) => soak::run(&repo, &options),
        Task::Codegen(options) => codegen::run(&repo, &options),
        Task::Package(options) => package::run(&repo, &options),
        Task::CInstall(options) => setup::c::run(&repo, &options),
        Task::Postgres => setup::postgres::install(&repo).map(|()| true),
        Task::Setup => setup::everything(&repo).map(|ready| {
            for (name, value) in ready.variables() {
                println!("export {name}='{}'", value.to_string_lossy());
            }
            true
        }),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
