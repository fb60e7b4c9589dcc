//! Simulated networks of the DHT, measured: the tables of `docs/dht-simulation.md`.

use anyhow::Result;

use crate::run;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out larger networks.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_nodes: usize,
    /// One part alone: size, stress, attack or nat.
    #[arg(long, value_name = "PART", value_parser = ["size", "stress", "attack", "nat"])]
    only: Option<String>,
}

/// Builds the simulation with all optimisation and prints what it finds. `false` if it fails.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let mut command = run::cargo();
    command.args([
        "run",
        "--release",
        "--locked",
        "--package",
        "hyperswarm-dht",
        "--example",
        "simulation",
        "--",
        "--max-nodes",
        &args.max_nodes.to_string(),
    ]);
    if let Some(part) = &args.only {
        command.args(["--only", part]);
    }
    run::passes("simulate networks of the DHT", &mut command)
}
