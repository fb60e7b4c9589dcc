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
    let mut all_pass = true;
    for target in chosen {
        let mut command = if libfuzzer {
            with_libfuzzer(&target, args.seconds)
        } else {
            on_stable(&target, args.seconds)
        };
        all_pass &= run::passes(
            &format!("fuzz {target} for {} s", args.seconds),
            &mut command,
        )?;
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

fn with_libfuzzer(target: &str, seconds: u64) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(run::root());
    command.args([
        "+nightly",
        "fuzz",
        "run",
        target,
        "--",
        "-timeout=1",
        "-rss_limit_mb=256",
    ]);
    command.arg(format!("-max_total_time={seconds}"));
    command
}

fn on_stable(target: &str, seconds: u64) -> Command {
    let mut command = run::cargo();
    command.args(["run", "--quiet", "--release", "--locked", "--manifest-path"]);
    command.args(["fuzz/Cargo.toml", "--bin", "mutate", "--", target]);
    command.args(["--seconds", &seconds.to_string()]);
    command
}
