//! What every storage promises, checked over each of them.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "all of this is tests"
)]

use std::io::ErrorKind;
use std::sync::Arc;

use hypercore_storage::{DiskDir, FilePool, MemoryDir, OpenMode, Storage, StorageDir};
use proptest::prelude::*;

#[path = "../examples/key_value.rs"]
#[allow(unreachable_pub)]
mod key_value;

/// Runs every case below over one storage. `$make` gives a fresh directory and what keeps it.
macro_rules! storage {
    ($name:ident, $make:expr, [$($case:ident)*]) => {
        mod $name {
            use super::*;

            $(#[test]
            fn $case() {
                let (dir, _keep) = ($make)();
                super::$case(dir);
            })*
        }
    };
}

macro_rules! storages {
    ($($name:ident: $make:expr;)*) => { $(storage!($name, $make, [
        bytes_come_back
        holes_read_as_zeros
        the_end_is_an_error
        parts_are_written_in_order
        many_parts_are_written_in_order
        truncating_cuts_and_extends
        discarding_keeps_the_length_and_the_rest
        nothing_is_written_by_writing_nothing
        huge_offsets_are_errors
        opening_follows_the_mode
        reading_only_writes_nothing
        handles_share_a_file
        folders_list_what_is_in_them
        removed_files_are_gone
        bad_names_are_refused
        a_lock_is_held_once
        a_locked_file_is_read_and_written
        threads_share_a_file
        agrees_with_a_vector
    ]);)* };
}

storages! {
    memory: || (Arc::new(MemoryDir::new()) as Dir, ());
    disk: || disk(FilePool::default());
    disk_with_one_descriptor: || disk(FilePool::new(1));
    faulty: || (Arc::new(testkit::FaultyDir::new()) as Dir, ());
    key_value_example: || (Arc::new(key_value::KeyValueDir::new()) as Dir, ());
}

type Dir = Arc<dyn StorageDir>;

fn disk(pool: FilePool) -> (Dir, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    (
        Arc::new(DiskDir::with_pool(folder.path().join("not/yet"), pool)),
        folder,
    )
}

fn create(dir: &Dir, name: &str) -> Arc<dyn Storage> {
    dir.open(name, OpenMode::Create).expect("the file opens")
}

#[track_caller]
fn check(file: &dyn Storage, expected: &[u8]) {
    assert_eq!(file.len().expect("the length"), expected.len() as u64);
    let mut bytes = vec![0xee; expected.len()];
    file.read(0, &mut bytes).expect("the bytes");
    assert_eq!(bytes, expected);
}

#[track_caller]
fn check_kind<T>(result: std::io::Result<T>, kind: ErrorKind) {
    assert_eq!(result.err().expect("an error").kind(), kind);
}

fn bytes_come_back(dir: Dir) {
    let file = create(&dir, "f");
    check(&*file, b"");
    assert!(file.is_empty().unwrap());
    file.write(0, b"hello").unwrap();
    file.write(3, b"p!").unwrap();
    check(&*file, b"help!");
    file.sync().unwrap();
    dir.sync().unwrap();
    check(&*dir.open("f", OpenMode::Existing).unwrap(), b"help!");
}

fn holes_read_as_zeros(dir: Dir) {
    let file = create(&dir, "f");
    file.write(100_000, b"x").unwrap();
    let mut expected = vec![0; 100_001];
    expected[100_000] = b'x';
    check(&*file, &expected);
}

fn the_end_is_an_error(dir: Dir) {
    let file = create(&dir, "f");
    file.write(0, b"abc").unwrap();
    check_kind(file.read(1, &mut [0; 3]), ErrorKind::UnexpectedEof);
    check_kind(file.read(3, &mut [0; 1]), ErrorKind::UnexpectedEof);
    check_kind(file.read(1 << 40, &mut [0; 1]), ErrorKind::UnexpectedEof);
    file.read(3, &mut []).unwrap();
    file.read(u64::MAX, &mut []).unwrap();
}

fn parts_are_written_in_order(dir: Dir) {
    let file = create(&dir, "f");
    file.write_vectored(2, &[b"ab", b"", b"c"]).unwrap();
    file.write_vectored(1, &[]).unwrap();
    file.write_vectored(0, &[b"", b""]).unwrap();
    check(&*file, b"\0\0abc");
}

fn many_parts_are_written_in_order(dir: Dir) {
    // More than the system takes in one call.
    let parts: Vec<[u8; 2]> = (0..2500_u16).map(u16::to_le_bytes).collect();
    let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
    let file = create(&dir, "f");
    file.write_vectored(0, &parts).unwrap();
    check(&*file, &parts.concat());
}

fn truncating_cuts_and_extends(dir: Dir) {
    let file = create(&dir, "f");
    file.write(0, b"abcdef").unwrap();
    file.truncate(2).unwrap();
    check(&*file, b"ab");
    file.truncate(4).unwrap();
    check(&*file, b"ab\0\0");
    file.truncate(0).unwrap();
    check(&*file, b"");
}

fn discarding_keeps_the_length_and_the_rest(dir: Dir) {
    let file = create(&dir, "f");
    file.write(0, &[7; 50_000]).unwrap();
    file.discard(10_000, 30_000).unwrap();
    file.discard(0, 0).unwrap();
    assert_eq!(file.len().unwrap(), 50_000);
    let mut bytes = vec![0; 50_000];
    file.read(0, &mut bytes).unwrap();
    assert_eq!(bytes[..10_000], [7; 10_000]);
    assert_eq!(bytes[40_000..], [7; 10_000]);
    assert!(bytes.iter().all(|byte| matches!(byte, 0 | 7)));
    // Beyond the end is allowed and changes nothing but what lies before it.
    file.discard(49_999, u64::MAX).unwrap();
    file.discard(1 << 40, 1).unwrap();
    assert_eq!(file.len().unwrap(), 50_000);
}

fn nothing_is_written_by_writing_nothing(dir: Dir) {
    let file = create(&dir, "f");
    file.write(10, b"").unwrap();
    check(&*file, b"");
}

fn huge_offsets_are_errors(dir: Dir) {
    let file = create(&dir, "f");
    for offset in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1] {
        check_kind(file.write(offset, b"x"), ErrorKind::FileTooLarge);
        check_kind(
            file.write_vectored(offset, &[b"x", b"y"]),
            ErrorKind::FileTooLarge,
        );
        check_kind(file.read(offset, &mut [0]), ErrorKind::UnexpectedEof);
    }
    check_kind(file.truncate(u64::MAX), ErrorKind::FileTooLarge);
    file.discard(u64::MAX, u64::MAX).unwrap();
    check(&*file, b"");
}

fn opening_follows_the_mode(dir: Dir) {
    check_kind(dir.open("f", OpenMode::Existing), ErrorKind::NotFound);
    check_kind(dir.open("a/b/f", OpenMode::ReadOnly), ErrorKind::NotFound);
    assert!(!dir.exists("f").unwrap());
    create(&dir, "f").write(0, b"x").unwrap();
    assert!(dir.exists("f").unwrap());
    check(&*create(&dir, "f"), b"x");
    check(&*dir.open("f", OpenMode::ReadOnly).unwrap(), b"x");
}

fn reading_only_writes_nothing(dir: Dir) {
    create(&dir, "f").write(0, b"x").unwrap();
    let file = dir.open("f", OpenMode::ReadOnly).unwrap();
    check_kind(file.write(0, b"y"), ErrorKind::PermissionDenied);
    check_kind(file.write_vectored(0, &[b"y"]), ErrorKind::PermissionDenied);
    check_kind(file.truncate(0), ErrorKind::PermissionDenied);
    file.sync().unwrap();
    check(&*file, b"x");
}

fn handles_share_a_file(dir: Dir) {
    let (one, other) = (create(&dir, "a/f"), create(&dir, "a/f"));
    one.write(0, b"one").unwrap();
    check(&*other, b"one");
    check(
        &*dir.subdir("a").open("f", OpenMode::Existing).unwrap(),
        b"one",
    );
}

fn folders_list_what_is_in_them(dir: Dir) {
    assert!(dir.list("").unwrap().is_empty());
    for name in ["b/x/1", "b/y", "a", "b.c", "bb/z"] {
        create(&dir, name);
    }
    assert_eq!(dir.list("").unwrap(), ["a", "b", "b.c", "bb"]);
    assert_eq!(dir.list("b").unwrap(), ["x", "y"]);
    assert_eq!(dir.subdir("b").list("").unwrap(), ["x", "y"]);
    assert_eq!(dir.subdir("b").list("x").unwrap(), ["1"]);
    assert!(dir.list("nowhere").unwrap().is_empty());
    assert!(!dir.exists("b").unwrap(), "a folder is no file");
}

fn removed_files_are_gone(dir: Dir) {
    check_kind(dir.remove("a/f"), ErrorKind::NotFound);
    create(&dir, "a/f").write(0, b"old").unwrap();
    dir.remove("a/f").unwrap();
    assert!(!dir.exists("a/f").unwrap());
    check_kind(dir.remove("a/f"), ErrorKind::NotFound);
    check(&*create(&dir, "a/f"), b"");
    dir.sync().unwrap();
}

fn bad_names_are_refused(dir: Dir) {
    create(&dir, "a/f");
    for name in [
        "", "..", "../f", "a/../f", "a/..", "/f", "a//f", "./f", "a/", "a\\f", "C:f", "\0",
    ] {
        check_kind(dir.open(name, OpenMode::Create), ErrorKind::InvalidInput);
        check_kind(dir.remove(name), ErrorKind::InvalidInput);
        check_kind(dir.exists(name), ErrorKind::InvalidInput);
        check_kind(dir.lock(name), ErrorKind::InvalidInput);
        check_kind(
            dir.subdir(name).open("f", OpenMode::Create),
            ErrorKind::InvalidInput,
        );
        check_kind(
            dir.subdir("a").open(name, OpenMode::Create),
            ErrorKind::InvalidInput,
        );
        if !name.is_empty() {
            check_kind(dir.list(name), ErrorKind::InvalidInput);
        }
    }
    assert_eq!(dir.list("").unwrap(), ["a"]);
}

fn a_lock_is_held_once(dir: Dir) {
    let lock = dir.lock("a/f").unwrap();
    assert!(dir.exists("a/f").unwrap());
    check_kind(dir.lock("a/f"), ErrorKind::WouldBlock);
    check_kind(dir.subdir("a").lock("f"), ErrorKind::WouldBlock);
    let other = dir.lock("a/g").unwrap();
    drop(lock);
    let again = dir.lock("a/f").unwrap();
    drop((other, again));
}

fn a_locked_file_is_read_and_written(dir: Dir) {
    let lock = dir.lock("f").unwrap();
    let file = create(&dir, "f");
    file.write(0, b"mine").unwrap();
    check(&*dir.open("f", OpenMode::ReadOnly).unwrap(), b"mine");
    drop(lock);
    // The file outlives the lock, and does not keep it.
    let _lock = dir.lock("f").unwrap();
    file.write(4, b"!").unwrap();
    file.sync().unwrap();
    check(&*file, b"mine!");
}

fn threads_share_a_file(dir: Dir) {
    let file = create(&dir, "f");
    let threads: Vec<_> = (0..8_u8)
        .map(|n| {
            let (file, dir) = (file.clone(), dir.clone());
            std::thread::spawn(move || {
                for round in 0..50 {
                    let own = create(&dir, &format!("own/{n}"));
                    own.write(round, &[n]).unwrap();
                    file.write(u64::from(n) * 50 + round, &[n]).unwrap();
                    if round % 10 == 0 {
                        file.sync().unwrap();
                        own.sync().unwrap();
                        dir.sync().unwrap();
                    }
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let expected: Vec<u8> = (0..8).flat_map(|n| [n; 50]).collect();
    check(&*file, &expected);
    for n in 0..8 {
        check(&*create(&dir, &format!("own/{n}")), &[n; 50]);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Truncate(u64),
    Discard(u64, u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    // Near the edges of pages and sectors, where mistakes live.
    let offset =
        || (0..4_u64, 0..6_u64).prop_map(|(page, off)| (page * 16_384 + off).saturating_sub(3));
    prop_oneof![
        4 => (offset(), prop::collection::vec(1..255_u8, 0..40)).prop_map(|(at, data)| Step::Write(at, data)),
        1 => offset().prop_map(Step::Truncate),
        1 => (offset(), offset()).prop_map(|(at, len)| Step::Discard(at, len)),
        1 => Just(Step::Reopen),
    ]
}

/// Random steps against a vector; discarded bytes may be zero or as before.
fn agrees_with_a_vector(dir: Dir) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
    let steps = prop::collection::vec(step(), 1..30);
    runner
        .run(&steps, |steps| {
            let mut file = create(&dir, "f");
            file.truncate(0).unwrap();
            let mut model: Vec<u8> = Vec::new();
            let mut loose: Vec<bool> = Vec::new();
            for step in steps {
                match step {
                    Step::Write(at, data) => {
                        file.write(at, &data).unwrap();
                        let (start, end) = (at as usize, at as usize + data.len());
                        if !data.is_empty() && model.len() < end {
                            model.resize(end, 0);
                            loose.resize(end, false);
                        }
                        if !data.is_empty() {
                            model[start..end].copy_from_slice(&data);
                            loose[start..end].fill(false);
                        }
                    }
                    Step::Truncate(len) => {
                        file.truncate(len).unwrap();
                        model.resize(len as usize, 0);
                        loose.resize(len as usize, false);
                    }
                    Step::Discard(at, len) => {
                        file.discard(at, len).unwrap();
                        let end = (at as usize + len as usize).min(model.len());
                        if (at as usize) < end {
                            loose[at as usize..end].fill(true);
                        }
                    }
                    Step::Reopen => file = create(&dir, "f"),
                }
                let mut bytes = vec![0xee; model.len()];
                prop_assert_eq!(file.len().unwrap(), model.len() as u64);
                file.read(0, &mut bytes).unwrap();
                for (at, (byte, expected)) in bytes.iter().zip(&model).enumerate() {
                    let fits = byte == expected || loose[at] && *byte == 0;
                    prop_assert!(fits, "byte {at} is {byte}, not {expected}");
                }
            }
            Ok(())
        })
        .unwrap();
}
