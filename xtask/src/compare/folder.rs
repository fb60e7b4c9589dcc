//! Whole folders, with the programs that a user runs: `hyperdrive share` and `clone` here, a Node
//! program that does the same there.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Args, Scratch};

mod contestant;
mod process;
mod report;
mod tree;

use contestant::Contestant;
use report::Figures;
pub(super) use report::Report;

/// The workloads of this kind.
pub(super) const NAMES: [&str; 2] = ["import", "download"];

/// Runs the workloads that are named, or both, over a tree and over one large file.
pub(super) fn measure(args: &Args, names: &[&str], scratch: &Scratch) -> Result<Report> {
    let mut report = Report::default();
    for workload in workloads(args, names, scratch)? {
        for round in 1..=args.runs {
            for contestant in [Contestant::Ours, Contestant::Node] {
                let dir = scratch.fresh("run")?;
                eprintln!(
                    "{}, run {round} of {}: {contestant}",
                    workload.name, args.runs
                );
                let figures = (workload.measure)(contestant, &dir)
                    .with_context(|| format!("{}: {contestant}", workload.name))?;
                report.add(&workload.name, contestant, figures);
            }
        }
    }
    Ok(report)
}

/// Something that both sides can do.
struct Workload {
    name: String,
    measure: Box<Measure>,
}

/// Runs one side in an empty directory.
type Measure = dyn Fn(Contestant, &Path) -> Result<Figures>;

/// The workloads, with the folders that they need.
fn workloads(args: &Args, names: &[&str], scratch: &Scratch) -> Result<Vec<Workload>> {
    let (tree_name, tree) = tree::choose(args.files)?;
    let tree = tree.folder(&scratch.dir("tree")?)?;
    let large = tree::one_file(&scratch.dir("large")?, args.large)?;
    let mut all = Vec::new();
    for (thing, folder) in [(tree_name, tree), (format!("{} MiB", args.large), large)] {
        if names.is_empty() || names.contains(&"import") {
            let folder = folder.clone();
            all.push(workload(format!("import {thing}"), move |side, dir| {
                contestant::import(side, dir, &folder)
            }));
        }
        if names.is_empty() || names.contains(&"download") {
            all.push(workload(format!("download {thing}"), move |side, dir| {
                contestant::download(side, dir, &folder)
            }));
        }
    }
    Ok(all)
}

fn workload(
    name: String,
    measure: impl Fn(Contestant, &Path) -> Result<Figures> + 'static,
) -> Workload {
    Workload {
        name,
        measure: Box::new(measure),
    }
}
