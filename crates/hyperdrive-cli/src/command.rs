//! The commands, a file each. They know the arguments and the client, and nothing below it.

mod cat;
mod change;
mod clone;
mod create;
mod destroy;
mod dht_node;
mod diff;
mod info;
mod keep;
mod log;
mod ls;
mod mount;
mod seed;
mod share;
mod stat;
mod status;
mod tag;

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
        Command::Create(args) => create::run(args, global, signals).await,
        Command::Put(args) => change::put(args, global, signals).await,
        Command::Rm(args) => change::rm(args, global, signals).await,
        Command::Mkdir(args) => change::mkdir(args, global, signals).await,
        Command::Mv(args) => change::mv(args, global, signals).await,
        Command::Ln(args) => change::ln(args, global, signals).await,
        Command::Mount(args) => mount::mount(args, global, signals).await,
        Command::Unmount(args) => mount::unmount(args, global, signals).await,
        Command::Keep(args) => keep::keep(args, global, signals).await,
        Command::Clear(args) => keep::clear(args, global, signals).await,
        Command::Destroy(args) => destroy::run(args, global, signals).await,
        Command::Diff(args) => diff::run(args, global, signals).await,
        Command::Log(args) => log::run(args, global, signals).await,
        Command::Tag(args) => tag::run(args, global, signals).await,
        Command::Revert(args) => change::revert(args, global, signals).await,
        Command::Status(args) => status::run(args, global, signals).await,
        Command::DhtNode(args) => dht_node::run(args, global, signals).await,
    }
}
