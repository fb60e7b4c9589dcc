//! `cargo xtask fault ID…`: the tests that prove rows of the fault matrix, each alone.
//!
//! A test belongs to the row that its name says: `fault_s1_power_cut_after_each_call_of_append`
//! proves a part of S1. What a test prints as `seed N` stands in the report.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::{node, run};

mod find;
mod program;
mod rows;

use find::FaultTest;
use program::{Outcome, Verdict};
use rows::{ROWS, Row};

/// Which rows to prove.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rows of the matrix: `S1`, `w8`, …
    #[arg(value_name = "ID", required_unless_present_any = ["all", "list"])]
    ids: Vec<String>,
    /// Every row that has a test.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// List the rows, say which tests they have, and do nothing.
    #[arg(long)]
    list: bool,
    /// With the optimisations of a release, for the long variants that the tests take from the
    /// environment (`CRASH_POINTS`, `SEQUENCES`).
    #[arg(long)]
    release: bool,
    /// How long one test may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    limit: u64,
}

/// What any row may take, in MiB: 64 over an idle process, which has 8.
const MEMORY_MIB: u64 = 64 + 8;

/// Proves the rows. `false` when one of them is not proved.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let rows = chosen(args)?;
    if args.list {
        list(&rows);
        return Ok(true);
    }
    let mut failed = Vec::new();
    for row in &rows {
        failed.extend(row.lacks().map(|why| format!("{}: {why}", row.row.id)));
    }
    let mut wanted = Vec::new();
    let tests = || rows.iter().flat_map(|row| &row.tests);
    let node = if tests().any(FaultTest::with_node) {
        node::prepare()
    } else {
        Ok(())
    };
    for test in tests() {
        match &node {
            Err(why) if test.with_node() => {
                println!("{} is left out, because {why:#}", test.function);
                if run::in_ci() {
                    failed.push(format!("{}: left out", test.function));
                }
            }
            _ => wanted.push(test.clone()),
        }
    }

    let tests = program::build(&wanted, args.release)?;
    let mut passed = 0;
    for row in rows {
        println!("\n{}: {}", row.row.id, row.row.what);
        for test in tests.iter().filter(|it| row.tests.contains(&it.test)) {
            let name = format!("{} {}", test.test.package, test.test.function);
            let outcome = test.run(Duration::from_secs(args.limit), |line| {
                println!("    | {line}");
            })?;
            println!("  {name}: {}", report(&outcome));
            if is_good(&outcome) {
                passed += 1;
            } else {
                failed.push(format!("{}: {name}", row.row.id));
            }
        }
    }
    println!("\n{passed} passed, {} failed", failed.len());
    for failure in &failed {
        println!("not proved: {failure}");
    }
    Ok(failed.is_empty())
}

/// A row and the tests that name it.
#[derive(Debug)]
struct Covered {
    row: &'static Row,
    tests: Vec<FaultTest>,
}

impl Covered {
    /// What the row asks for and does not have.
    fn lacks(&self) -> Option<&'static str> {
        if self.tests.is_empty() {
            Some("no test")
        } else if self.row.both && !self.tests.iter().any(FaultTest::with_node) {
            Some("no test with Node, which this row asks for")
        } else {
            None
        }
    }
}

/// The rows that were asked for. Without names: all of them to list, those with tests to prove.
fn chosen(args: &Args) -> Result<Vec<Covered>> {
    let tests = find::all()?;
    let cover = |row: &'static Row| Covered {
        row,
        tests: tests
            .iter()
            .filter(|test| row.id.eq_ignore_ascii_case(&test.id))
            .cloned()
            .collect(),
    };
    if args.ids.is_empty() {
        let mut rows: Vec<_> = ROWS.iter().map(cover).collect();
        rows.retain(|row| args.list || !row.tests.is_empty());
        return Ok(rows);
    }
    let mut rows = Vec::new();
    for id in &args.ids {
        match rows::find(id) {
            Some(row) => rows.push(cover(row)),
            None => bail!("there is no row `{id}`; `cargo xtask fault --list` names them"),
        }
    }
    Ok(rows)
}

fn list(rows: &[Covered]) {
    for row in rows {
        let sign = if row.lacks().is_none() { 'x' } else { ' ' };
        println!("[{sign}] {:4} {}", row.row.id, row.row.what);
        for test in &row.tests {
            println!("           {} {}", test.package, test.function);
        }
        if let Some(why) = row.lacks().filter(|_| !row.tests.is_empty()) {
            println!("           {why}");
        }
    }
    let proved = rows.iter().filter(|row| row.lacks().is_none()).count();
    println!("{proved} of {} rows have their tests", rows.len());
}

fn is_good(outcome: &Outcome) -> bool {
    outcome.verdict == Verdict::Passed && !is_over(outcome)
}

fn is_over(outcome: &Outcome) -> bool {
    outcome.memory.is_some_and(|bytes| bytes > MEMORY_MIB << 20)
}

/// Seed, verdict, peak memory, time.
fn report(outcome: &Outcome) -> String {
    let verdict = match outcome.verdict {
        Verdict::Passed if is_over(outcome) => {
            format!("FAILED, takes more than {MEMORY_MIB} MiB")
        }
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed => "FAILED".to_owned(),
        Verdict::Hung => "FAILED, did not end".to_owned(),
    };
    let seed = match outcome.seeds.as_slice() {
        [] => "no seed".to_owned(),
        seeds => format!("seed {}", seeds.join(" ")),
    };
    let memory = outcome.memory.map_or_else(
        || "memory unknown".to_owned(),
        |bytes| {
            let tenths = (bytes * 10) >> 20;
            format!("{}.{} MiB", tenths / 10, tenths % 10)
        },
    );
    let seconds = outcome.took.as_secs_f64();
    format!("{verdict}, {seed}, {memory}, {seconds:.2} s")
}
