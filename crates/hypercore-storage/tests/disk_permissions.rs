//! What is created on disk is its owner's alone.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;

use hypercore_storage::{DiskDir, OpenMode, StorageDir};

#[test]
fn created_files_and_folders_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let dir = DiskDir::new(folder.path().join("store"));
    dir.open("aa/bb/secret_key", OpenMode::Create).unwrap();
    let _lock = dir.lock("master_key").unwrap();
    let mode = |name: &str| {
        let metadata = std::fs::metadata(folder.path().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    for name in ["store", "store/aa", "store/aa/bb"] {
        assert_eq!(mode(name), 0o700, "{name}");
    }
    for name in ["store/aa/bb/secret_key", "store/master_key"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

#[test]
fn nothing_is_created_before_a_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let dir = DiskDir::new(folder.path().join("store"));
    assert!(dir.list("").unwrap().is_empty());
    assert!(!dir.exists("a/b").unwrap());
    dir.open("a/b", OpenMode::Existing).unwrap_err();
    dir.sync().unwrap();
    assert!(!folder.path().join("store").exists());
}
