//! A folder that `hyperdrive share` serves, and the Node peers that read it.

use std::path::{Path, PathBuf};

use interop::{Peer, Program, Running};
use serde_json::json;
use tempfile::TempDir;

/// A shared folder, its storage, and the program that serves it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) scratch: TempDir,
    pub(crate) running: Running,
    pub(crate) key: String,
    pub(crate) port: u16,
}

impl Shared {
    /// Shares what `make` puts into a folder.
    #[track_caller]
    pub(crate) fn new(make: impl FnOnce(&Path)) -> Self {
        let scratch = TempDir::new().expect("a directory");
        std::fs::create_dir(scratch.path().join("folder")).expect("a folder");
        make(&scratch.path().join("folder"));
        Self::start(scratch, &[])
    }

    /// Shares it, and follows its changes.
    #[track_caller]
    pub(crate) fn watched(make: impl FnOnce(&Path)) -> Self {
        let scratch = TempDir::new().expect("a directory");
        std::fs::create_dir(scratch.path().join("folder")).expect("a folder");
        make(&scratch.path().join("folder"));
        Self::start(scratch, &["--watch"])
    }

    #[track_caller]
    pub(crate) fn start(scratch: TempDir, more: &[&str]) -> Self {
        let folder = scratch.path().join("folder");
        let folder = folder.to_str().expect("a temporary path is UTF-8");
        let arguments = ["share", folder, "--listen", "127.0.0.1:0"];
        let arguments = arguments.iter().chain(more);
        let mut running = Program::new(&scratch.path().join("storage"), arguments).start();
        let key = running.key();
        let port = running.port();
        Self {
            scratch,
            running,
            key,
            port,
        }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.scratch.path().join("folder")
    }

    /// A Node peer with an empty copy of the drive, connected and up to date.
    #[track_caller]
    pub(crate) fn reader(&self) -> Peer {
        let mut node = Peer::start();
        let copy = TempDir::new_in(self.scratch.path())
            .expect("a directory")
            .keep();
        node.ask("drive.open", json!({ "dir": copy, "key": self.key }));
        node.ask("dial", json!({ "port": self.port }));
        node.ask("drive.update", json!({}));
        node
    }

    /// Ends the program. The folder and the storage stay.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn end(self) -> (TempDir, interop::Finished) {
        let Self {
            scratch, running, ..
        } = self;
        (scratch, running.terminate())
    }
}
