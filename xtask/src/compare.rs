//! `cargo xtask bench-compare`: the same work here and in the Node packages, in turn.
//!
//! It reports and never gates. What is measured, and how fair that is, stands in
//! `benches/node/README.md`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{node, run};

mod contestant;
mod process;
mod report;
mod tree;

use contestant::Contestant;
use report::{Figures, Report};

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files in the tree to import and clone. Without it, the toolchain's documentation where it is
    /// installed, else 10,000 generated files.
    #[arg(long, value_name = "N")]
    files: Option<u32>,
    /// Blocks to append and to replicate.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    blocks: u32,
    /// Size of the one large file, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    large: u32,
    /// How often to run each side of each workload.
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: u32,
    /// Only workloads whose name contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Where to work; a directory of its own below the target directory without it.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// Compares, and prints a table. `false` never: figures do not fail.
pub(crate) fn run(args: &Args) -> Result<bool> {
    if let Err(why) = node::prepare() {
        bail!("there is nothing to compare with: {why:#}");
    }
    build()?;
    let scratch = Scratch::new(args.scratch.as_deref())?;
    let mut report = Report::default();
    for workload in workloads(args, &scratch)? {
        for round in 0..args.runs {
            for contestant in [Contestant::Ours, Contestant::Node] {
                let dir = scratch.fresh("run")?;
                eprintln!(
                    "{}, run {} of {}: {contestant}",
                    workload.name,
                    round + 1,
                    args.runs
                );
                let figures = (workload.measure)(contestant, &dir)
                    .with_context(|| format!("{}: {contestant}", workload.name))?;
                report.add(&workload.name, contestant, figures);
            }
        }
    }
    println!("\n{report}");
    Ok(true)
}

/// Something that both sides can do.
struct Workload {
    name: String,
    measure: Box<Measure>,
}

/// Runs one side in an empty directory.
type Measure = dyn Fn(Contestant, &Path) -> Result<Figures>;

/// Builds our side as it would be installed.
fn build() -> Result<()> {
    let mut command = run::cargo();
    command.args([
        "build",
        "--release",
        "--locked",
        "--package",
        "hyperdrive-cli",
    ]);
    command.args(["--package", "benches"]);
    if !run::passes("build", &mut command)? {
        bail!("the release build failed");
    }
    Ok(())
}

/// The workloads that were asked for, with the trees that they need.
fn workloads(args: &Args, scratch: &Scratch) -> Result<Vec<Workload>> {
    let blocks = args.blocks;
    let mut all = vec![
        workload(format!("append {blocks} blocks"), move |side, dir| {
            contestant::append(side, dir, "append", blocks)
        }),
        workload(
            format!("append {blocks} blocks in one batch"),
            move |side, dir| contestant::append(side, dir, "append-batch", blocks),
        ),
        workload(format!("replicate {blocks} blocks"), move |side, dir| {
            contestant::replicate(side, dir, blocks)
        }),
    ];

    let large = scratch.dir("large")?;
    let wanted = |name: &str| {
        args.only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    };
    let large_name = format!("{} MiB", args.large);
    let (tree_name, tree_source) = tree::choose(args.files)?;
    for (thing, source) in [(large_name, None), (tree_name, Some(tree_source))] {
        let (import, download) = (format!("import {thing}"), format!("download {thing}"));
        if !wanted(&import) && !wanted(&download) {
            continue;
        }
        let folder = match source {
            None => tree::one_file(&large, args.large)?,
            Some(source) => source.folder(&scratch.dir("tree")?)?,
        };
        let imported = folder.clone();
        all.push(workload(import, move |side, dir| {
            contestant::import(side, dir, &imported)
        }));
        all.push(workload(download, move |side, dir| {
            contestant::download(side, dir, &folder)
        }));
    }
    all.retain(|workload| wanted(&workload.name));
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

/// A directory to work in, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(chosen: Option<&Path>) -> Result<Self> {
        let dir = match chosen {
            Some(dir) => dir.join("bench-compare"),
            None => run::target_dir().join("bench-compare"),
        };
        if dir.exists() {
            bail!(
                "{} is left over from another run; remove it first",
                dir.display()
            );
        }
        fs::create_dir_all(&dir)?;
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
