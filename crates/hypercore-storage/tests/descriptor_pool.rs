//! Many files, few descriptors.

use std::sync::Arc;

use hypercore_storage::{DiskDir, FilePool, OpenMode, Storage, StorageDir};

fn dir(limit: usize) -> (DiskDir, FilePool, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let pool = FilePool::new(limit);
    (
        DiskDir::with_pool(folder.path(), pool.clone()),
        pool,
        folder,
    )
}

fn read(file: &dyn Storage) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().expect("the length")).expect("small")];
    file.read(0, &mut bytes).expect("the bytes");
    bytes
}

#[test]
fn descriptors_stay_within_the_limit() {
    let (dir, pool, _keep) = dir(10);
    let files: Vec<_> = (0..200_u32)
        .map(|n| dir.open(&format!("{n}"), OpenMode::Create).unwrap())
        .collect();
    for round in 0..3 {
        for (n, file) in files.iter().enumerate() {
            file.write(round * 8, &n.to_le_bytes()).unwrap();
            assert!(pool.open_files() <= 10);
        }
    }
    for (n, file) in files.iter().enumerate() {
        file.sync().unwrap();
        assert_eq!(read(&**file), n.to_le_bytes().repeat(3));
    }
    assert!(pool.open_files() <= 10);
    drop(files);
    assert_eq!(pool.open_files(), 0);
}

#[test]
fn a_pool_is_shared_by_directories() {
    let (one, pool, folder) = dir(4);
    let other = DiskDir::with_pool(folder.path().join("other"), pool.clone());
    let files: Vec<_> = (0..8)
        .flat_map(|n| {
            let name = format!("{n}");
            [&one, &other].map(|dir| dir.open(&name, OpenMode::Create).unwrap())
        })
        .collect();
    assert_eq!(pool.open_files(), 4);
    drop(files);
}

#[test]
fn what_nobody_synced_is_written_all_the_same_when_its_descriptor_goes() {
    let (dir, pool, folder) = dir(1);
    let file = dir.open("a", OpenMode::Create).unwrap();
    file.write(0, b"first").unwrap();
    let other = dir.open("b", OpenMode::Create).unwrap();
    other.write(0, b"second").unwrap();
    assert_eq!(pool.open_files(), 1);
    file.sync().unwrap();
    assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"first");
    assert_eq!(std::fs::read(folder.path().join("b")).unwrap(), b"second");
}

#[test]
fn a_lock_outlasts_any_number_of_other_files() {
    let (dir, pool, folder) = dir(1);
    let _lock = dir.lock("locked").unwrap();
    let file = dir.open("locked", OpenMode::Existing).unwrap();
    for n in 0..20 {
        dir.open(&format!("{n}"), OpenMode::Create)
            .unwrap()
            .write(0, b"x")
            .unwrap();
        file.write(0, b"y").unwrap();
    }
    assert!(pool.open_files() <= 1);
    let elsewhere = DiskDir::new(folder.path());
    assert_eq!(
        elsewhere.lock("locked").unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

/// A handle is on one file. Its name may come to mean another one while its descriptor is closed;
/// writing to that would damage a file that the handle's owner never opened.
#[cfg(unix)]
#[test]
fn a_handle_never_reaches_the_file_that_took_its_name() {
    let (dir, _pool, folder) = dir(1);
    let file = dir.open("a", OpenMode::Create).unwrap();
    file.write(0, b"mine").unwrap();
    let _other = dir.open("b", OpenMode::Create).unwrap();
    std::fs::write(folder.path().join("new"), b"theirs").unwrap();
    std::fs::rename(folder.path().join("new"), folder.path().join("a")).unwrap();
    file.write(0, b"oops").unwrap_err();
    assert_eq!(std::fs::read(folder.path().join("a")).unwrap(), b"theirs");
}

#[test]
fn threads_fight_over_few_descriptors() {
    let (dir, pool, _keep) = dir(2);
    let files: Arc<Vec<_>> = Arc::new(
        (0..16)
            .map(|n| dir.open(&format!("{n}"), OpenMode::Create).unwrap())
            .collect(),
    );
    let threads: Vec<_> = (0..4_u8)
        .map(|thread| {
            let files = files.clone();
            std::thread::spawn(move || {
                for round in 0..200_usize {
                    let file = &files[(round * 7 + usize::from(thread) * 3) % files.len()];
                    file.write(u64::from(thread), &[thread]).unwrap();
                    let mut byte = [0];
                    file.read(u64::from(thread), &mut byte).unwrap();
                    assert_eq!(byte, [thread]);
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert!(pool.open_files() <= 2);
}
