//! Running the harness in `benches/node`, which leads both sides through the workloads in turn.

use std::process::Command;

use anyhow::{Result, bail};

use super::results::Results;
use super::{Args, Scratch, harness_dir, node_packages};
use crate::run;

/// Runs the groups of workloads that are named, or all.
pub(super) fn measure(args: &Args, groups: &[&str], scratch: &Scratch) -> Result<Results> {
    let dir = harness_dir();
    let raw = match &args.raw {
        Some(file) => std::path::absolute(file)?,
        None => scratch.dir("results")?.join("raw.jsonl"),
    };
    let mut command = Command::new("node");
    command
        .arg(dir.join("drive.js"))
        .arg(format!("peers={}", dir.join("peers.json").display()))
        .arg(format!("out={}", raw.display()))
        .arg(format!("scratch={}", scratch.dir("work")?.display()))
        .arg(format!("runs={}", args.runs))
        .arg(format!("scale={}", args.scale))
        .arg(format!("size={}", args.size))
        // What takes the Node side minutes is asked of ours alone, and Node has to find in what we
        // leave behind what it would have written itself.
        .args(["base=node", "check=node"]);
    if !groups.is_empty() {
        command.arg(format!("only={}", groups.join(",")));
    }
    if args.mixed {
        command.arg("pairs=mixed");
    }
    command
        .env("BENCH_PEER", run::built("release", "bench-peer"))
        .env("NODE_PACKAGES", node_packages());
    if !run::passes("compare with Node", &mut command)? {
        bail!("the harness failed; its words stand above");
    }
    let results = Results::read_file(&raw)?;
    if results.is_empty() {
        bail!("there is no workload {}", groups.join(", "));
    }
    Ok(results)
}
