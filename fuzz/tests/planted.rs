//! Every target finds the fault that is planted into it, by mutation and within so many inputs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hyperdrive_fuzz::mutate::{self, Limit};
use hyperdrive_fuzz::{TARGETS, Target, corpus, plant};

/// Inputs until the fault must be found.
const RUNS: u64 = 5_000;

#[test]
fn planted_faults_are_found() {
    let artifacts = tempfile::tempdir().expect("there is room for findings");
    let complaints: Vec<_> = TARGETS
        .iter()
        .filter_map(|target| find(*target, artifacts.path()).err())
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn find((name, target): Target, artifacts: &Path) -> Result<(), String> {
    let panics = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| target(input))).is_err();
    let seeds = mutate::read_corpus(&corpus(name)).expect("the corpus can be read");
    if plant::in_force(|| seeds.iter().any(|seed| panics(seed))) {
        return Err(format!("{name}: a seed alone finds the plant"));
    }
    let run = || mutate::run((name, target), Limit::Runs(RUNS), 1, artifacts);
    let report = plant::in_force(run).expect("findings can be written");
    let Some(finding) = report.finding else {
        return Err(format!("{name}: nothing found in {} inputs", report.runs));
    };
    println!("{name}: found after {} inputs", report.runs);

    // What was kept shows the fault, and no other.
    let input = std::fs::read(finding).expect("the finding was written");
    if panics(&input) || !plant::in_force(|| panics(&input)) {
        return Err(format!("{name}: the input that was kept does not show it"));
    }
    Ok(())
}
