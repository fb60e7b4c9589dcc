//! A drive that Node serves, and the `hyperdrive` commands that read it.

use std::path::{Path, PathBuf};

use interop::{Finished, Peer, Program, Running};
use serde_json::json;
use tempfile::TempDir;

/// A Node peer that serves a drive of its own.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) scratch: TempDir,
    pub(crate) node: Peer,
    pub(crate) key: String,
    pub(crate) port: u64,
}

impl Served {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let scratch = TempDir::new().expect("a directory");
        let mut node = Peer::start();
        let state = node.ask("drive.open", json!({ "dir": scratch.path().join("node") }));
        let key = state["key"].as_str().expect("a drive has a key").to_owned();
        let port = node.ask("listen", json!({}))["port"]
            .as_u64()
            .expect("a port is a number");
        Self {
            scratch,
            node,
            key,
            port,
        }
    }

    /// Serves what `make` puts into a folder, which is returned.
    #[track_caller]
    pub(crate) fn folder(make: impl FnOnce(&Path)) -> (Self, PathBuf) {
        let mut served = Self::new();
        let folder = served.scratch.path().join("folder");
        std::fs::create_dir(&folder).expect("a folder");
        make(&folder);
        served.node.ask("drive.import", json!({ "folder": folder }));
        (served, folder)
    }

    /// Writes a small file.
    #[track_caller]
    pub(crate) fn write(&mut self, path: &str, text: &str) {
        self.node
            .ask("drive.write", json!({ "path": path, "text": text }));
    }

    /// Makes a link.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.node
            .ask("drive.symlink", json!({ "path": path, "target": target }));
    }

    /// Where [`clone`](Self::clone) writes to.
    pub(crate) fn target(&self) -> PathBuf {
        self.scratch.path().join("target")
    }

    /// Clones the drive to its end.
    #[track_caller]
    pub(crate) fn clone(&self) -> Finished {
        self.clone_of("", &[]).wait()
    }

    /// Clones a version (`+2`, or nothing for the newest), with more arguments.
    #[track_caller]
    pub(crate) fn clone_of(&self, version: &str, more: &[&str]) -> Running {
        let target = self.target();
        let link = format!("hyper://{}{version}/", self.key);
        let target = target.to_str().expect("a temporary path is UTF-8");
        self.command(&[&["clone", &link, target], more].concat())
    }

    /// Starts a command that may ask Node for blocks, with one storage for all of a test.
    #[track_caller]
    pub(crate) fn command(&self, arguments: &[&str]) -> Running {
        let peer = format!("127.0.0.1:{}", self.port);
        let arguments = arguments.iter().copied().chain(["--peer", &peer]);
        Program::new(&self.scratch.path().join("storage"), arguments).start()
    }
}
