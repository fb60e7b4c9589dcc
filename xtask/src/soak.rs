//! Real nodes of the DHT on loopback that are killed and replaced for a while.

use anyhow::Result;

use crate::run;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many nodes there are at any time, each a process.
    #[arg(long, value_name = "N", default_value_t = 200)]
    nodes: usize,
    /// How long.
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0)]
    minutes: f64,
    /// Time from one kill to the next, if that is not delayed by what happens meanwhile.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000)]
    pause: u64,
    /// Which nodes are killed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Builds the nodes with all optimisation, runs them and prints what is seen. `false` if the verdict
/// is against them.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let mut command = run::cargo();
    command.args(["run", "--release", "--locked", "--package", "hyperswarm"]);
    command.args(["--example", "soak", "--"]);
    let seconds = (args.minutes * 60.0).round();
    command.args(["--nodes", &args.nodes.to_string()]);
    command.args(["--seconds", &format!("{seconds:.0}")]);
    command.args(["--pause", &args.pause.to_string()]);
    command.args(["--seed", &args.seed.to_string()]);
    run::passes("soak a network of the DHT", &mut command)
}
