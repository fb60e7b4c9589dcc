//! The project's chores, in Rust so that they run wherever the project does: `cargo xtask <chore>`.
//!
//! `test` runs everything that can be run, `ci` adds what a reviewer would ask for first, `tidy`
//! checks the laws of the house that no compiler knows, `fault` proves rows of the fault matrix,
//! `fuzz` runs targets for a bounded time, `compare` measures against Node.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod ci;
mod compare;
mod dht_simulation;
mod fault;
mod fuzz;
mod graph;
mod many_keys;
mod memory;
mod node;
mod packages;
mod run;
mod soak;
mod summary;
mod test;
mod tidy;

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "The project's chores",
    disable_help_subcommand = true
)]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Run every test: unit, vectors, doc tests, fuzz corpora, the CLI, interop with Node.
    Test(test::Args),
    /// What continuous integration runs: format, clippy, features, tidy, docs, then `test`.
    Ci,
    /// Check the laws of the house: crate graph, manifests, files, links.
    Tidy,
    /// Prove rows of the fault matrix: their tests, each alone, with seed, memory and time.
    Fault(fault::Args),
    /// Run fuzz targets for a bounded time.
    Fuzz(fuzz::Args),
    /// Measure simulated networks of the DHT, of up to 10,000 nodes, and print tables.
    DhtSimulation(dht_simulation::Args),
    /// Kill and replace real nodes of the DHT on loopback, and see whether the network lasts.
    Soak(soak::Args),
    /// Build, read and list tries of up to a million keys, and see how memory and time grow.
    ManyKeys(many_keys::Args),
    /// Do the same work here and in the Node packages, in turn, and print ratios and targets.
    Compare(compare::Args),
}

fn main() -> ExitCode {
    let outcome = match Args::parse().chore {
        Chore::Test(args) => test::run(&args),
        Chore::Ci => ci::run(),
        Chore::Tidy => tidy(),
        Chore::Fault(args) => fault::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::DhtSimulation(args) => dht_simulation::run(&args),
        Chore::Soak(args) => soak::run(&args),
        Chore::ManyKeys(args) => many_keys::run(&args),
        Chore::Compare(args) => compare::run(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints every complaint. `false` when there is one.
fn tidy() -> Result<bool> {
    let complaints = tidy::check(&run::root())?;
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    match complaints.len() {
        0 => println!("tidy: in order"),
        n => eprintln!("tidy: {n} complaints"),
    }
    Ok(complaints.is_empty())
}
