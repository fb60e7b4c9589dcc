//! What cannot be read in a shared folder is named, and what the drive has of it stays.
#![cfg(unix)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Background, Ended, Place, Thing, tree, write};

/// Somebody without any privilege.
const NOBODY: u32 = 65_534;

/// Permissions mean nothing to the superuser, so the binary runs as somebody else where the test
/// runs as root. It is copied, since nobody else may look into the folder that it was built in.
struct Unprivileged {
    place: Place,
    binary: PathBuf,
    root: bool,
}

impl Unprivileged {
    fn new() -> Self {
        let place = Place::new();
        let dir = place.folder("author");
        let root = fs::metadata(&dir).unwrap().uid() == 0;
        let binary = place.path("hyperdrive");
        // By another process: one that another test starts meanwhile would inherit our descriptor, and
        // what is open for writing cannot be run.
        let mut copy = Command::new("cp");
        copy.arg(env!("CARGO_BIN_EXE_hyperdrive")).arg(&binary);
        assert!(copy.status().unwrap().success());
        if root {
            let above = dir.parent().unwrap();
            fs::set_permissions(above, Permissions::from_mode(0o755)).unwrap();
            chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self {
            place,
            binary,
            root,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let prepared = self.place.command("author", args);
        let mut command = Command::new(&self.binary);
        command
            .args(prepared.get_args())
            .current_dir(self.place.path(""))
            .env_remove("HYPERDRIVE_STORAGE")
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        if self.root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Shares the folder until the link is printed.
    fn share(&self) -> (String, Ended) {
        let mut process =
            Background::spawn(self.command(&["share", "source", "--listen", "127.0.0.1:0"]));
        process.address();
        let link = process.stdout_line();
        process.interrupt();
        (link, process.end())
    }
}

/// Takes away every permission for a path, and gives it back when dropped.
struct Closed(PathBuf);

impl Closed {
    fn new(path: PathBuf) -> Self {
        fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
        Self(path)
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let _ = fs::set_permissions(&self.0, Permissions::from_mode(0o755));
    }
}

fn source(place: &Place) -> PathBuf {
    let source = place.folder("source");
    for name in ["plain", "closed/one", "closed/two/three", "closed too"] {
        write(&source, name, name);
    }
    source
}

fn cloned(user: &Unprivileged, link: &str) -> Vec<(String, Thing)> {
    user.place.folder("author/copies");
    let args = ["clone", link, "author/copy", "--force"];
    Background::spawn(user.command(&args)).end().expect(0);
    tree(Path::new(&user.place.path("author/copy")))
        .into_iter()
        .collect()
}

/// A folder that could not be listed counted as an empty one: all that an earlier share had written
/// from it was removed from the drive.
#[test]
fn files_of_a_folder_that_cannot_be_listed_any_more_stay_in_the_drive() {
    let user = Unprivileged::new();
    let source = source(&user.place);
    let everything: Vec<_> = tree(&source).into_iter().collect();
    let (link, _) = user.share();
    {
        let _folder = Closed::new(source.join("closed"));
        let _file = Closed::new(source.join("closed too"));
        let (again, ended) = user.share();
        assert_eq!(again, link);
        let ended = ended.expect(3).tells("closed");
        assert!(ended.stderr.contains("Permission denied"));
    }
    assert_eq!(cloned(&user, &link), everything);

    // Once it can be read again, what is gone from it is still known to be the share's own.
    fs::remove_file(source.join("closed/one")).unwrap();
    let (_, ended) = user.share();
    assert_ne!(ended.code, Some(3), "{}", ended.stderr);
    fs::remove_dir_all(user.place.path("author/copy")).unwrap();
    let left: Vec<_> = tree(&source).into_iter().collect();
    assert_eq!(cloned(&user, &link), left);
}

#[test]
fn a_folder_that_cannot_be_listed_at_all_is_an_error_and_changes_nothing() {
    let user = Unprivileged::new();
    let source = source(&user.place);
    let everything: Vec<_> = tree(&source).into_iter().collect();
    let (link, _) = user.share();
    {
        let _closed = Closed::new(source.clone());
        let args = ["share", "source", "--listen", "127.0.0.1:0"];
        let ended = Background::spawn(user.command(&args)).end();
        ended.expect(1).tells("Permission denied");
    }
    assert_eq!(cloned(&user, &link), everything);
}
