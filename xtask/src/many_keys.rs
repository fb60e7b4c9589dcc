//! A trie of very many keys: built, looked into and listed in bounded memory, and in a time that grows
//! no faster than n log n.
//!
//! Growth is judged between the smallest and the largest. A trie's memory holds the smallest whole and
//! not the largest, so what reading blocks costs counts as growth too, as it does for whoever waits.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many keys the largest trie has. Others have a half, a quarter and an eighth of that.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    keys: u32,
    /// All keys in one folder, or in a hundred folders of a hundred.
    #[arg(long, default_value = "flat", value_parser = ["flat", "deep"])]
    layout: String,
}

/// Builds, reads and lists tries of four sizes, and prints what each costs. `false` when the memory or
/// the growth is too much.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let mut build = run::cargo();
    build.args(["build", "--release", "--locked", "--package", "benches"]);
    if !run::passes("build", &mut build)? {
        bail!("the release build failed");
    }
    let dir = run::target_dir().join("many-keys");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    let sizes = [8, 4, 2, 1].map(|part| args.keys / part);
    let measured = sizes.iter().map(|keys| measure(args, *keys, &dir));
    let measured = measured.collect::<Result<Vec<_>>>();
    fs::remove_dir_all(&dir)?;
    Ok(report(&measured?))
}

/// What a trie of one size costs.
#[derive(Debug)]
struct Costs {
    keys: u32,
    /// Of the process that used most, in MiB.
    memory: f64,
    /// Processor time of one operation on each key, in microseconds, as [`OPERATIONS`] has them.
    each: Vec<f64>,
}

fn measure(args: &Args, keys: u32, dir: &Path) -> Result<Costs> {
    let place = dir.join(keys.to_string());
    let common = [
        format!("dir={}", place.display()),
        format!("n={keys}"),
        format!("layout={}", args.layout),
    ];
    let run = |workload: &str, more: &[&str]| -> Result<Value> {
        run::announce(&format!("{workload}, {keys} keys"));
        let mut command = std::process::Command::new(run::built("release", "bench-peer"));
        let output = run::read(command.arg(workload).args(&common).args(more))?;
        let line = output.lines().last().context("the workload said nothing")?;
        println!("{line}");
        Ok(serde_json::from_str::<Value>(line)?["metrics"].take())
    };
    let built = run("w4-build", &["storage=disk", "batch=1000"])?;
    let read = run("w4-read", &["gets=100000"])?;
    fs::remove_dir_all(&place)?;
    let figure = |metrics: &Value, name: &str| {
        let figure = metrics[name].as_f64();
        figure.with_context(|| format!("there is no `{name}`"))
    };
    let memory = figure(&built, "peak_rss_mib")?.max(figure(&read, "peak_rss_mib")?);
    let from = [&built, &read, &read];
    let each = from.iter().zip(OPERATIONS);
    Ok(Costs {
        keys,
        memory,
        each: each
            .map(|(metrics, (_, name))| figure(metrics, name))
            .collect::<Result<_>>()?,
    })
}

fn report(measured: &[Costs]) -> bool {
    println!("\n| keys | memory, MiB | put, µs | get, µs | list, µs |");
    println!("| --- | --- | --- | --- | --- |");
    for costs in measured {
        let each: Vec<_> = costs.each.iter().map(|it| format!("{it:.2}")).collect();
        let (keys, memory) = (costs.keys, costs.memory);
        println!("| {keys} | {memory:.0} | {} |", each.join(" | "));
    }
    let [first, .., last] = measured else {
        return false;
    };
    let mut fits = last.memory <= POOL_MIB + MAX_MIB;
    if !fits {
        eprintln!(
            "{:.0} MiB: more than {MAX_MIB} beside the data",
            last.memory
        );
    }
    // Of each key: the logarithm, as all of them take n · log n.
    let expected = f64::from(last.keys).ln() / f64::from(first.keys).ln();
    let pairs = first.each.iter().zip(&last.each).zip(OPERATIONS);
    for ((before, after), (what, _)) in pairs {
        let growth = after / before;
        let verdict = growth <= expected * NOISE;
        println!("{what}: {growth:.2} times as much for each key; n log n is {expected:.2}");
        if !verdict {
            eprintln!("{what}: grows faster than n log n");
        }
        fits &= verdict;
    }
    fits
}

/// What is done to each key, and the metric that says what it costs.
const OPERATIONS: [(&str, &str); 3] = [
    ("put", "cpu_us_per_put"),
    ("get", "cpu_us_per_get"),
    ("list", "iterate_cpu_us"),
];

/// What all of it may take.
const MAX_MIB: f64 = 256.0;

/// The data that values are cut from lies in the memory of the measuring program.
const POOL_MIB: f64 = 16.0;

/// How much may be put down to the machine and its caches.
const NOISE: f64 = 1.3;
