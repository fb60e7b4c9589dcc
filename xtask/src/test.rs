//! `cargo xtask test`: everything that can be run on this machine, and one closing count.

use anyhow::{Context, Result};
use cargo_metadata::{MetadataCommand, TargetKind};

use crate::node;
use crate::packages;
use crate::run;
use crate::summary::{Counts, Tally};

/// What to run.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Only tests whose name contains this.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
}

/// Runs the tests and prints the closing lines. `false` when something failed, or when CI had to
/// leave something out.
pub(crate) fn run(args: &Args) -> Result<bool> {
    run_after(&[], args)
}

/// As [`run()`], at the end of a longer run of which these steps failed; each is one failure more.
pub(crate) fn run_after(failed_steps: &[&str], args: &Args) -> Result<bool> {
    packages::prepare_networks();
    let node = node::prepare();
    let workspace = workspace(args, node.is_ok())?;
    let corpora = fuzz_corpora(args)?;

    let mut all = workspace.of_others;
    all += workspace.of_named;
    all += corpora;

    println!("\n== closing lines");
    println!("unit, vector, doc and CLI tests: {}", workspace.of_others);
    println!("fuzz corpora: {corpora}");
    match &node {
        Ok(()) => println!("interop with Node: {}", workspace.of_named),
        Err(why) => {
            println!("interop with Node: left out, because {why:#}");
            if run::in_ci() {
                println!("interop with Node: in CI nothing may be left out; counted as a failure");
                all.failed += 1;
            }
        }
    }
    if !failed_steps.is_empty() {
        println!("failed before the tests: {}", failed_steps.join(", "));
        all.failed += failed_steps.len() as u64;
    }
    println!("{all}");
    Ok(all.failed == 0)
}

/// The tests of every crate in one build, so that each dependency is compiled once. The interop
/// tests are among them when `with_node`, and counted apart.
fn workspace(args: &Args, with_node: bool) -> Result<Tally> {
    run::announce("cargo test --workspace");
    let mut command = run::cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    if with_node {
        command.args(["--features", "interop/node"]);
    }
    command.args(&args.filter);
    // Cargo builds the program before any test runs; the interop tests then need not ask for it.
    command.env("HYPERDRIVE_BIN", run::built("debug", "hyperdrive"));

    let mut tally = Tally::apart(interop_tests()?);
    let ended_well = run::watch(&mut command, |line| tally.see(line))?;
    if tally.of_named.failed == 0 {
        tally.of_others = tally.of_others.with_outcome(ended_well);
    }
    Ok(tally)
}

/// The fuzz targets over their committed corpora, as ordinary tests.
fn fuzz_corpora(args: &Args) -> Result<Counts> {
    run::announce("fuzz corpora");
    let mut command = run::cargo();
    command.args([
        "test",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--locked",
        "--no-fail-fast",
    ]);
    command.args(&args.filter);
    let mut tally = Tally::apart(Vec::new());
    let ended_well = run::watch(&mut command, |line| tally.see(line))?;
    Ok(tally.of_others.with_outcome(ended_well))
}

/// Names of the test programs of `crates/interop`.
fn interop_tests() -> Result<Vec<String>> {
    let metadata = MetadataCommand::new()
        .current_dir(run::root())
        .no_deps()
        .exec()
        .context("metadata")?;
    let interop = metadata
        .packages
        .iter()
        .find(|package| *package.name == "interop");
    let targets = interop
        .map(|package| package.targets.as_slice())
        .unwrap_or_default();
    Ok(targets
        .iter()
        .filter(|target| target.kind.contains(&TargetKind::Test))
        .map(|target| target.name.clone())
        .collect())
}
