use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::control::Door;
use crate::record;

/// Who holds the store, as others on this machine learn it.
///
/// A hint only: the lock on the store says whether anybody holds it at all. After a crash the file
/// stays behind, and whoever takes the lock next replaces or removes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Running {
    /// The process.
    pub(crate) pid: u32,
    /// Where it answers peers on this machine, once it does.
    pub(crate) address: Option<SocketAddr>,
    /// Whether it stays (`share`, `seed`, `clone`) or is about to end.
    pub(crate) stays: bool,
    /// Where it can be asked for more than peers may know, if it stays.
    #[serde(default)]
    pub(crate) door: Option<Door>,
}

impl Running {
    /// What the file says. A file that cannot be read says nothing.
    pub(crate) fn load(path: &Path) -> Option<Self> {
        record::load(path).ok().flatten()
    }
}

/// The file while this process holds the store. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Announcement {
    path: PathBuf,
    running: Running,
    /// Where it answers peers, which may be every address.
    listening: Option<SocketAddr>,
}

impl Announcement {
    /// Says that this process holds the store. `None` if that cannot be written, on a full disk
    /// perhaps: others then find the lock, and nobody to ask.
    pub(crate) fn new(path: PathBuf, stays: bool) -> Option<Self> {
        let running = Running {
            pid: std::process::id(),
            address: None,
            stays,
            door: None,
        };
        // An older file is somebody's who is gone.
        let _ = fs::remove_file(&path);
        record::save(&path, &running).ok()?;
        Some(Self {
            path,
            running,
            listening: None,
        })
    }

    /// Says where this process answers, if that can be written. A wildcard address is told as the
    /// loopback one.
    pub(crate) fn answers_at(&mut self, mut address: SocketAddr) {
        self.listening = Some(address);
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        self.running.address = Some(address);
        let _ = record::save(&self.path, &self.running);
    }

    /// Says where this process can be asked, if that can be written. Only this user can read it.
    pub(crate) fn has_door(&mut self, door: Door) {
        self.running.door = Some(door);
        let _ = record::save(&self.path, &self.running);
    }

    /// Where it answers peers.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listening
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Removing fails when somebody cleaned up by hand, which is just as well.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_there_while_announced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("storage/node.json");
        assert_eq!(Running::load(&path), None);
        let mut announcement = Announcement::new(path.clone(), true).unwrap();
        assert_eq!(Running::load(&path).unwrap().pid, std::process::id());
        announcement.answers_at("0.0.0.0:4000".parse().unwrap());
        let loopback = "127.0.0.1:4000".parse().unwrap();
        assert_eq!(Running::load(&path).unwrap().address, Some(loopback));
        drop(announcement);
        assert!(!path.exists());
    }

    #[test]
    fn nonsense_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.json");
        for text in ["", "{}", "{\"pid\":-1}", "\u{0}\u{0}\u{0}"] {
            fs::write(&path, text).unwrap();
            assert_eq!(Running::load(&path), None);
        }
    }
}
