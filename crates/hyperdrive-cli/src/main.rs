//! `hyperdrive`: share a folder with one key, and read it from anywhere.
//!
//! This crate is the command line: arguments, progress, output, exit statuses. Everything else
//! (the store, the drives, the connections) belongs to `hyperdrive-daemon`.

mod args;
mod exit;
mod range;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    // Wrong usage ends the process here, with clap's message and status 2.
    let _cli = Cli::parse();
    Exit::Ok.into()
}
