//! `cargo xtask fuzz`: fuzz targets for a bounded time.
//!
//! With `cargo-fuzz` and a nightly toolchain on the machine the targets run under libFuzzer;
//! without, the same functions run on stable over mutations of their corpora.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run;

/// What to fuzz, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The target to run; all of them, one after the other, when none is named.
    target: Option<String>,
    /// How long to run each target.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// How many inputs to try with each target, however long that takes.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    runs: Option<u64>,
    /// Where mutation on stable begins; libFuzzer chooses by itself.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// List the targets and do nothing.
    #[arg(long)]
    list: bool,
    /// Mutate the corpora on stable even where cargo-fuzz is installed.
    #[arg(long)]
    stable: bool,
}

/// Runs the targets. `false` when one of them broke.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let known = targets()?;
    if args.list {
        known.iter().for_each(|name| println!("{name}"));
        return Ok(true);
    }
    let chosen = match &args.target {
        Some(name) if known.contains(name) => vec![name.clone()],
        Some(name) => bail!(
            "there is no fuzz target `{name}`; there are: {}",
            known.join(", ")
        ),
        None => known,
    };
    let libfuzzer = !args.stable && has_cargo_fuzz();
    let mut all_pass = run::passes("planted faults are found", &mut planted())?;
    for target in chosen {
        let mut command = if libfuzzer {
            with_libfuzzer(&target, args)
        } else {
            on_stable(&target, args)
        };
        let step = match args.runs {
            Some(runs) => format!("fuzz {target} with {runs} inputs"),
            None => format!("fuzz {target} for {} s", args.seconds),
        };
        all_pass &= run::passes(&step, &mut command)?;
    }
    Ok(all_pass)
}

/// Every file of `fuzz/fuzz_targets` is one target.
fn targets() -> Result<Vec<String>> {
    let dir = run::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).context("fuzz/fuzz_targets cannot be read")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

fn has_cargo_fuzz() -> bool {
    let answers = |args: &[&str]| {
        let mut command = Command::new("cargo");
        command
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    answers(&["+nightly", "--version"]) && answers(&["fuzz", "--version"])
}

/// A target is believed only after it has found a fault: every run begins with those planted.
fn planted() -> Command {
    let mut command = run::cargo();
    command.args([
        "test",
        "--quiet",
        "--release",
        "--locked",
        "--manifest-path",
    ]);
    command.args(["fuzz/Cargo.toml", "--test", "planted"]);
    // Each fault that is found is a panic.
    command.env("RUST_BACKTRACE", "0");
    command
}

fn with_libfuzzer(target: &str, args: &Args) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(run::root()).args([
        "+nightly",
        "fuzz",
        "run",
        target,
        "--",
        "-timeout=1",
        "-rss_limit_mb=256",
    ]);
    match args.runs {
        Some(runs) => command.arg(format!("-runs={runs}")),
        None => command.arg(format!("-max_total_time={}", args.seconds)),
    };
    command
}

fn on_stable(target: &str, args: &Args) -> Command {
    let mut command = run::cargo();
    command.args(["run", "--quiet", "--release", "--locked", "--manifest-path"]);
    command.args(["fuzz/Cargo.toml", "--bin", "mutate", "--", target]);
    match args.runs {
        Some(runs) => command.args(["--runs", &runs.to_string()]),
        None => command.args(["--seconds", &args.seconds.to_string()]),
    };
    command.args(["--seed", &args.seed.to_string()]);
    command
}
