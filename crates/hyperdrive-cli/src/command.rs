//! The commands, a file each. They know the arguments and the client, and nothing below it.

mod cat;
mod clone;
mod info;
mod ls;
mod seed;
mod share;
mod stat;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;

/// Runs a command to its end. The exit status of a failure is in the failure.
pub(crate) async fn run(cli: Cli, signals: Signals) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Share(args) => share::run(args, global, signals).await,
        Command::Clone(args) => clone::run(args, global, signals).await,
        Command::Ls(args) => ls::run(args, global, signals).await,
        Command::Cat(args) => cat::run(args, global, signals).await,
        Command::Stat(args) => stat::run(args, global, signals).await,
        Command::Seed(args) => seed::run(args, global, signals).await,
        Command::Info(args) => info::run(args, global, signals).await,
    }
}
