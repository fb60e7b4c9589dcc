//! A folder's files and its lock take no descriptors while nobody uses them, and nobody writes over
//! what another program wrote meanwhile.
#![cfg(unix)]

use std::io;
use std::path::Path;
use std::sync::Arc;

use hypercore_storage::{DiskDir, FilePool, Lock, LockLost, OpenMode, Storage, StorageDir};

/// One folder with a lock and two files, and a pool that has room for them alone.
struct Setting {
    dir: DiskDir,
    lock: Lock,
    files: [Arc<dyn Storage>; 2],
    pool: FilePool,
    folder: tempfile::TempDir,
}

fn setting() -> Setting {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let pool = FilePool::new(3);
    let dir = DiskDir::with_pool(folder.path(), pool.clone());
    let lock = dir.lock("log/locked").unwrap();
    let files = ["log/locked", "log/other"].map(|name| dir.open(name, OpenMode::Create).unwrap());
    for file in &files {
        file.write(0, b"abc").unwrap();
        file.sync().unwrap();
    }
    Setting {
        dir,
        lock,
        files,
        pool,
        folder,
    }
}

impl Setting {
    /// Uses other files until those of the folder are closed.
    fn use_others(&self) {
        for name in ["x/a", "y/b", "z/c"] {
            let _lock = self.dir.lock(&format!("{name}.lock")).unwrap();
            let file = self.dir.open(name, OpenMode::Create).unwrap();
            file.write(0, b"x").unwrap();
            file.sync().unwrap();
        }
        let _more = ["1", "2", "3"].map(|name| self.dir.open(name, OpenMode::Create).unwrap());
        assert!(self.pool.open_files() <= 3);
    }
}

/// Takes the folder's lock as another program does.
fn take(folder: &Path) -> io::Result<Lock> {
    DiskDir::new(folder).lock("log/locked")
}

#[test]
fn a_lock_that_rests_is_let_go_of_with_the_files_and_taken_again_for_them() {
    let setting = setting();
    setting.lock.rest();
    assert!(
        take(setting.folder.path()).is_err(),
        "nobody wants its descriptors yet"
    );
    setting.use_others();
    drop(take(setting.folder.path()).unwrap());
    for file in &setting.files {
        let mut bytes = [0; 3];
        file.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"abc");
        assert!(take(setting.folder.path()).is_err());
    }
}

#[test]
fn a_lock_stays_while_something_is_unfinished() {
    let setting = setting();
    setting.use_others();
    assert!(
        take(setting.folder.path()).is_err(),
        "its holder does not rest"
    );
    setting.lock.rest();
    setting.files[1].write(0, b"A").unwrap();
    setting.use_others();
    assert!(
        take(setting.folder.path()).is_err(),
        "something was written since"
    );
    setting.files[1].sync().unwrap();
    setting.use_others();
    assert!(
        take(setting.folder.path()).is_err(),
        "synced is not finished"
    );
    setting.lock.rest();
    setting.use_others();
    take(setting.folder.path()).unwrap();
}

#[test]
fn who_comes_back_while_another_has_the_files_is_told_and_may_try_again() {
    let setting = setting();
    setting.lock.rest();
    setting.use_others();
    let theirs = take(setting.folder.path()).unwrap();
    let error = setting.files[1].write(0, b"mine").unwrap_err();
    assert_eq!(LockLost::of(&error), Some(LockLost::Held));
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    drop(theirs);
    setting.files[1].write(0, b"mine").unwrap();
    let written = std::fs::read(setting.folder.path().join("log/other")).unwrap();
    assert_eq!(written, b"mine");
}

#[test]
fn what_another_program_changed_is_never_written_over() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("longer", |path| {
            let file = std::fs::OpenOptions::new().append(true).open(path);
            io::Write::write_all(&mut file.unwrap(), b"d").unwrap();
        }),
        ("later", |path| {
            let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            let time = file.metadata().unwrap().modified().unwrap();
            file.set_modified(time + std::time::Duration::from_secs(1))
                .unwrap();
        }),
        ("replaced", |path| {
            let time = std::fs::metadata(path).unwrap().modified().unwrap();
            let new = path.with_extension("new");
            std::fs::write(&new, b"abc").unwrap();
            std::fs::rename(&new, path).unwrap();
            let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_modified(time).unwrap();
        }),
        ("gone", |path| std::fs::remove_file(path).unwrap()),
        ("empty", |path| std::fs::write(path, b"").unwrap()),
    ];
    for (what, change) in changes {
        // Whichever file it is, none of them is used any longer.
        for name in ["log/locked", "log/other"] {
            let setting = setting();
            setting.lock.rest();
            setting.use_others();
            let path = setting.folder.path().join(name);
            change(&path);
            let theirs = std::fs::read(&path).ok();
            for _ in 0..2 {
                for file in &setting.files {
                    let error = file.write(0, b"mine").unwrap_err();
                    let lost = LockLost::of(&error);
                    assert_eq!(lost, Some(LockLost::Changed), "{what} {name}: {error}");
                    assert_eq!(
                        file.read(0, &mut [0]).map_err(|error| LockLost::of(&error)),
                        Err(Some(LockLost::Changed))
                    );
                }
            }
            assert_eq!(std::fs::read(&path).ok(), theirs, "{what} {name}");
            // The lock is the other's to take.
            drop(setting.files);
            if path.exists() {
                take(setting.folder.path()).unwrap();
            }
        }
    }
}

#[test]
fn a_file_that_comes_into_being_later_needs_the_lock_too() {
    let setting = setting();
    setting.lock.rest();
    setting.use_others();
    let theirs = take(setting.folder.path()).unwrap();
    let error = setting.dir.open("log/third", OpenMode::Create).unwrap_err();
    assert_eq!(LockLost::of(&error), Some(LockLost::Held));
    assert!(!setting.folder.path().join("log/third").exists());
    drop(theirs);
    setting.dir.open("log/third", OpenMode::Create).unwrap();
    assert!(take(setting.folder.path()).is_err());
}

#[test]
fn two_handles_on_one_file_do_not_take_each_other_for_strangers() {
    let setting = setting();
    let again = setting.dir.open("log/other", OpenMode::Existing).unwrap();
    setting.lock.rest();
    setting.use_others();
    again.write(0, b"ABCDEF").unwrap();
    again.sync().unwrap();
    setting.lock.rest();
    setting.use_others();
    drop(take(setting.folder.path()).unwrap());
    let mut bytes = [0; 6];
    setting.files[1].read(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"ABCDEF");
}

#[test]
fn files_outlive_their_lock() {
    for rest in [false, true] {
        let setting = setting();
        if rest {
            setting.lock.rest();
            setting.use_others();
        }
        drop(setting.lock);
        let theirs = take(setting.folder.path()).unwrap();
        for file in &setting.files {
            file.write(0, b"A").unwrap();
        }
        drop(theirs);
        drop(setting.files);
        setting.dir.lock("log/locked").unwrap();
    }
}

#[test]
fn two_holders_in_one_program_do_not_get_in_each_others_way() {
    let setting = setting();
    setting.lock.rest();
    setting.use_others();
    let second = setting.dir.lock("log/locked").unwrap();
    let theirs = setting.dir.open("log/other", OpenMode::Existing).unwrap();
    theirs.write(0, b"theirs").unwrap();
    let error = setting.files[1].write(0, b"mine").unwrap_err();
    assert_eq!(LockLost::of(&error), Some(LockLost::Held));
    theirs.sync().unwrap();
    drop((theirs, second));
    // What is opened now belongs to the first, who has lost the files.
    let error = setting
        .dir
        .open("log/other", OpenMode::Existing)
        .unwrap_err();
    assert_eq!(LockLost::of(&error), Some(LockLost::Changed));
    drop((setting.files, setting.lock));
    setting.dir.open("log/other", OpenMode::Existing).unwrap();
}
