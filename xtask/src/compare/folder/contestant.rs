//! The two sides, and how each is told to do a workload.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::process::Process;
use super::report::Figures;
use super::tree;
use crate::compare::{harness_dir, node_packages};
use crate::run;

/// Whose code does the work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Contestant {
    Ours,
    Node,
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "ours",
            Self::Node => "Node",
        })
    }
}

/// The Node program that imports, serves and downloads folders.
fn node() -> Command {
    let mut command = Command::new("node");
    command.arg(harness_dir().join("folder.js"));
    command.env("NODE_PATH", node_packages());
    command
}

/// Imports a folder into a fresh drive.
pub(super) fn import(side: Contestant, dir: &Path, folder: &Path) -> Result<Figures> {
    let storage = dir.join("storage");
    let (took, memory) = match side {
        Contestant::Ours => {
            let mut share = Process::start(&mut share(&storage, folder))?;
            let (_link, took) = share.line()?;
            (took, share.terminate()?)
        }
        Contestant::Node => {
            let mut peer = Process::start(node().arg("import").arg(&storage).arg(folder))?;
            let (_done, took) = peer.line()?;
            (took, peer.wait()?.0)
        }
    };
    let shared = tree::bytes(folder)?;
    let stored = tree::bytes_on_disk(&storage)?;
    Ok(Figures {
        seconds: took.as_secs_f64(),
        memory,
        stored: Some((stored, shared)),
    })
}

/// Downloads a drive from a peer of the same side, and writes its files to a folder. The time is
/// that of the whole client; the import before it is not part of it.
pub(super) fn download(side: Contestant, dir: &Path, folder: &Path) -> Result<Figures> {
    let (storage, copy) = (dir.join("storage"), dir.join("copy"));
    let target = dir.join("target");
    let (server, key, address) = serve(side, &storage, folder)?;
    let client = match side {
        Contestant::Ours => {
            let mut command = Command::new(run::built("release", "hyperdrive"));
            command.arg("clone").arg(&key).arg(&target);
            command.args(["--peer", &address, "--no-swarm"]);
            Process::start(command.arg("--storage").arg(&copy))?
        }
        Contestant::Node => {
            let mut command = node();
            command
                .arg("clone")
                .arg(&copy)
                .args([&key, &address])
                .arg(&target);
            Process::start(&mut command)?
        }
    };
    let (memory, took) = client.wait()?;
    server.terminate()?;
    let (got, sent) = (tree::bytes(&target)?, tree::bytes(folder)?);
    anyhow::ensure!(got == sent, "{got} bytes of {sent} arrived");
    let stored = tree::bytes_on_disk(&copy)?;
    Ok(Figures {
        seconds: took.as_secs_f64(),
        memory,
        stored: Some((stored, sent)),
    })
}

/// A process that serves the folder as a drive, the drive's key or link, and the address or port
/// that a client of the same side is to be given.
fn serve(side: Contestant, storage: &Path, folder: &Path) -> Result<(Process, String, String)> {
    match side {
        Contestant::Ours => {
            let mut share = Process::start(&mut share(storage, folder))?;
            let link = share.line()?.0;
            let address = share.address()?;
            Ok((share, link, address))
        }
        Contestant::Node => {
            Process::start(node().arg("import").arg(storage).arg(folder))?.wait()?;
            let mut server = Process::start(node().arg("serve-drive").arg(storage))?;
            let at = answer(&mut server)?;
            let (key, port) = (text(&at, "key")?.to_owned(), port(&at)?);
            Ok((server, key, port))
        }
    }
}

fn share(storage: &Path, folder: &Path) -> Command {
    let mut command = Command::new(run::built("release", "hyperdrive"));
    command
        .arg("share")
        .arg(folder)
        .args(["--listen", "127.0.0.1:0", "--no-swarm"]);
    command.arg("--storage").arg(storage);
    command
}

fn answer(peer: &mut Process) -> Result<Value> {
    let (line, _) = peer.line()?;
    serde_json::from_str(&line).with_context(|| format!("{line:?} is no answer"))
}

fn text<'a>(answer: &'a Value, name: &str) -> Result<&'a str> {
    answer[name]
        .as_str()
        .with_context(|| format!("the answer names no {name}"))
}

fn port(answer: &Value) -> Result<String> {
    Ok(answer["port"]
        .as_u64()
        .context("the answer names no port")?
        .to_string())
}
