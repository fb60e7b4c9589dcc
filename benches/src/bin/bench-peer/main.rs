//! Our side of the comparison with Node: one workload a run.
//!
//! ```text
//! bench-peer <workload> key=value…
//! ```
//!
//! Workloads, arguments and metrics are those of `benches/node/README.md`. Prints JSON lines and ends
//! with 0, or with 3 when it does not offer the workload or what an argument asks for. What it
//! leaves behind is closed and complete, so that the other side can open it.

use std::env;
use std::process::ExitCode;

use anyhow::Result;

mod args;
mod drive;
mod log;
mod meter;
mod network;
mod replication;
mod store;
mod trie;

use args::Args;

/// How a workload that did not fail ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    Done,
    /// There is no such workload here, or not with these arguments.
    NotOffered,
}

/// The harness takes this as "not offered".
const NOT_OFFERED: u8 = 3;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match run(&Args::parse(&words)) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::NotOffered) => ExitCode::from(NOT_OFFERED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<Ended> {
    match args.workload() {
        "w1" => log::append(args),
        "w2-prepare" => log::prepare(args, 1000),
        "w2" => log::get(args),
        "w3-serve" => on_tokio(replication::serve(args)),
        "w3-fetch" => on_tokio(replication::fetch(args)),
        "w3-range" => on_tokio(replication::range(args)),
        "w4-build" => on_tokio(trie::build(args)),
        "w4-read" => on_tokio(trie::read(args)),
        "w4-serve" => on_tokio(trie::serve(args)),
        "w4-fetch" => on_tokio(trie::fetch(args)),
        "w5-import-small" => on_tokio(drive::import_small(args)),
        "w5-import-bulk" => on_tokio(drive::import_bulk(args)),
        "w5-import-large" => on_tokio(drive::import_large(args)),
        "w5-read-small" => on_tokio(drive::read_small(args)),
        "w5-read-large" => on_tokio(drive::read_large(args)),
        "w6-serve" => on_tokio(drive::serve(args)),
        "w6-fetch" => on_tokio(drive::fetch(args)),
        "w7-prepare-store" => store::prepare(args),
        "w7-open-store" => store::open(args),
        "w7-list-store" => store::list(args),
        "w7-prepare-big" => log::prepare(args, 10_000),
        "w7-open-big" => log::open_big(args),
        _ => Ok(Ended::NotOffered),
    }
}

fn on_tokio<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(future)
}
