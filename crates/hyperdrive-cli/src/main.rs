//! `hyperdrive`: share a folder with one key, and read it from anywhere.
//!
//! This crate is the command line: arguments, progress, output, exit statuses. Everything else
//! (the store, the drives, the connections) belongs to `hyperdrive-daemon`, and `client.rs` is the
//! only file that knows it.

mod args;
mod client;
mod command;
mod exit;
mod failure;
mod meter;
mod output;
mod progress;
mod range;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;

fn main() -> ExitCode {
    // Wrong usage ends the process here, with clap's message and status 2.
    let cli = Cli::parse();
    let ended = run(cli);
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.is_quiet() {
                eprintln!("hyperdrive: {failure}");
            }
            failure.exit().into()
        }
    }
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Other, format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        let signals = Signals::listen().map_err(|error| {
            Failure::new(Exit::Other, format!("cannot listen for signals: {error}"))
        })?;
        command::run(cli, signals).await
    })
}
