//! `cargo xtask compare`: the same work here and in the Node packages, in turn, with the ratios and
//! the targets.
//!
//! It reports and never gates. Two kinds of workloads: those of the harness in `benches/node`, which
//! runs `bench-peer` and its Node twin layer by layer, and whole folders imported and downloaded
//! with the programs that a user runs. What is measured, and how fair that is, stands in
//! `benches/node/README.md`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{node, run};

mod folder;
mod harness;
mod results;
mod table;
mod targets;

use results::Results;

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Workloads: groups of the harness (`w1`, `w3-1024`, `w5`, …), `import`, `download`. All of
    /// them when none is named.
    #[arg(value_name = "WORKLOAD")]
    workloads: Vec<String>,
    /// How often to run each side of each workload.
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: u32,
    /// How much work: `ratios` is what the targets need, `quick` a glance, `full` takes an hour.
    #[arg(long, default_value = "ratios", value_parser = ["quick", "ratios", "full"])]
    scale: String,
    /// Enlarges the workloads of `ratios` by a factor.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    size: f64,
    /// Every client against every server: ours with Node on either side.
    #[arg(long)]
    mixed: bool,
    /// Print every metric, not only those that have targets.
    #[arg(long)]
    every_metric: bool,
    /// Files in the tree to import and download. Without it, the toolchain's documentation where it
    /// is installed, else 10,000 generated files.
    #[arg(long, value_name = "N")]
    files: Option<u32>,
    /// Size of the one large file to import and download, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    large: u32,
    /// Keep the harness's raw results in this file; more runs add to it.
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
    /// Measure nothing: print the table of raw results.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workloads", "raw"])]
    results: Option<PathBuf>,
    /// Where to work; a directory of its own below the target directory without it.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// Compares, and prints tables. `false` when a side could not do what the other did.
pub(crate) fn run(args: &Args) -> Result<bool> {
    if let Some(file) = &args.results {
        return Ok(show(&Results::read_file(file)?, args));
    }
    if let Err(why) = node::prepare() {
        bail!("there is nothing to compare with: {why:#}");
    }
    let (folders, groups): (Vec<_>, Vec<_>) = args
        .workloads
        .iter()
        .map(String::as_str)
        .partition(|name| folder::NAMES.contains(name));
    let all = args.workloads.is_empty();
    let scratch = Scratch::new(args.scratch.as_deref())?;
    let mut whole = true;
    if all || !groups.is_empty() {
        build("benches")?;
        let results = harness::measure(args, &groups, &scratch)?;
        whole = show(&results, args);
    }
    if all || !folders.is_empty() {
        build("hyperdrive-cli")?;
        let report = folder::measure(args, &folders, &scratch)?;
        println!("\n{report}");
    }
    Ok(whole)
}

/// Prints what the harness found. `false` when something is missing.
fn show(results: &Results, args: &Args) -> bool {
    println!("\n{}", table::Table::new(results, args.every_metric));
    results.missing.is_empty()
}

/// Builds our side as it would be installed.
fn build(package: &str) -> Result<()> {
    let mut command = run::cargo();
    command.args(["build", "--release", "--locked", "--package", package]);
    if !run::passes("build", &mut command)? {
        bail!("the release build failed");
    }
    Ok(())
}

/// The folder that holds the harness.
fn harness_dir() -> PathBuf {
    run::root().join("benches/node")
}

/// The Node packages, as the interop tests have them.
fn node_packages() -> PathBuf {
    run::root().join("crates/interop/node/node_modules")
}

/// A directory to work in, removed at the end.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new(chosen: Option<&Path>) -> Result<Self> {
        let dir = match chosen {
            Some(dir) => dir.join("compare"),
            None => run::target_dir().join("compare"),
        };
        if dir.exists() {
            bail!(
                "{} is left over from another run; remove it first",
                dir.display()
            );
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot work in {}", dir.display()))?;
        Ok(Self(dir))
    }

    fn dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.0.join(name);
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// The directory of this name, emptied.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let dir = self.0.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        self.dir(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}
