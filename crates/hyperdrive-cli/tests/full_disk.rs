//! A full disk ends in status 10 with what was stored before intact.
//!
//! Needs a small file system of its own: mounts a tmpfs where the system lets it, as root or
//! through `sudo -n`. Elsewhere the library's tests with failing storage stand for it.
#![cfg(target_os = "linux")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Place, noise, tree, write};

/// A file system of a few MiB, gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, mib: u32) -> Option<Self> {
        let options = format!("size={mib}m,mode=0777");
        let arguments = ["mount", "-t", "tmpfs", "-o", &options, "tmpfs"];
        let mounted = privileged(&arguments, at);
        if !mounted && std::env::var_os("CI").is_some() {
            panic!("CI must be able to mount a tmpfs at {}", at.display());
        }
        mounted.then(|| Self(at.to_owned()))
    }
}

impl SmallDisk {
    fn grow(&self, mib: u32) {
        let options = format!("remount,size={mib}m");
        assert!(privileged(&["mount", "-o", &options], &self.0));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        privileged(&["umount", "-l"], &self.0);
    }
}

/// Runs a program that only root may run.
fn privileged(arguments: &[&str], path: &Path) -> bool {
    let plain = Command::new(arguments[0])
        .args(&arguments[1..])
        .arg(path)
        .stderr(Stdio::null())
        .status();
    if plain.is_ok_and(|status| status.success()) {
        return true;
    }
    let sudo = Command::new("sudo")
        .arg("-n")
        .args(arguments)
        .arg(path)
        .stderr(Stdio::null())
        .status();
    sudo.is_ok_and(|status| status.success())
}

#[test]
fn an_import_that_does_not_fit() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place.folder("disk"), 6) else {
        eprintln!("left out: no tmpfs can be mounted here");
        return;
    };
    write(&place.folder("source"), "small", "small");
    let sharing = place.share("disk/storage", "source");
    sharing.process.interrupt();
    sharing.process.end();

    write(&place.path("source"), "large", noise(1, 16 << 20));
    place
        .run("disk/storage", &["share", "source"])
        .expect(10)
        .tells("--storage");

    // What was there before is there still, even while the disk is full.
    let read = place
        .run("disk/storage", &["cat", &format!("{}small", sharing.link)])
        .expect(0);
    assert_eq!(read.text(), "small");

    // Sharing goes on once there is room.
    disk.grow(64);
    let again = place.share("disk/storage", "source");
    assert_eq!(again.link, sharing.link);
    place
        .run(
            "reader",
            &["clone", &again.link, "copy", "--peer", &again.address],
        )
        .expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn a_clone_that_does_not_fit() {
    let place = Place::new();
    let Some(_disk) = SmallDisk::mount(&place.folder("disk"), 6) else {
        eprintln!("left out: no tmpfs can be mounted here");
        return;
    };
    write(&place.folder("source"), "large", noise(1, 16 << 20));
    let sharing = place.share("author", "source");
    let args = ["clone", &sharing.link, "copy", "--peer", &sharing.address];
    place
        .run("disk/storage", &args)
        .expect(10)
        .tells("--storage");
    // The target is what is full: the storage has everything by then.
    let args = [
        "clone",
        &sharing.link,
        "disk/copy",
        "--peer",
        &sharing.address,
    ];
    place.run("reader", &args).expect(10);
    assert!(!place.path("disk/copy/large").exists());
}
