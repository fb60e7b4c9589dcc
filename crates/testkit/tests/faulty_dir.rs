//! What a crash leaves of a recorded directory, and how calls are made to fail.

use std::io;

use hypercore_storage::{OpenMode, StorageDir};
use testkit::{Call, Fault, FaultyDir, Keep};

fn with_file() -> (FaultyDir, std::sync::Arc<dyn hypercore_storage::Storage>) {
    let dir = FaultyDir::with_files([("f".to_owned(), b"old".to_vec())]);
    let file = dir
        .open("f", OpenMode::Existing)
        .expect("the file is there");
    (dir, file)
}

#[test]
fn a_synced_write_survives_and_a_later_one_may_not() {
    let (dir, file) = with_file();
    file.write(0, b"new").unwrap();
    file.sync().unwrap();
    file.write(1, b"EWER").unwrap();
    let at = dir.log_len();
    assert_eq!(dir.crash(at, Keep::Nothing).files()["f"], b"new");
    assert_eq!(dir.crash(at, Keep::All).files()["f"], b"nEWER");
    assert_eq!(dir.crash(at, Keep::Torn(2)).files()["f"], b"nEW");
    assert_eq!(dir.crash(0, Keep::All).files()["f"], b"old");
}

#[test]
fn a_file_that_was_synced_without_its_directory_may_be_missing() {
    let dir = FaultyDir::new();
    let file = dir.open("f", OpenMode::Create).unwrap();
    file.write(0, b"x").unwrap();
    file.sync().unwrap();
    assert!(dir.crash(dir.log_len(), Keep::Nothing).files().is_empty());
    dir.sync().unwrap();
    assert_eq!(dir.crash(dir.log_len(), Keep::Nothing).files()["f"], b"x");
}

#[test]
fn a_removed_file_comes_back_until_the_directory_is_synced() {
    let (dir, _) = with_file();
    dir.remove("f").unwrap();
    assert_eq!(dir.crash(dir.log_len(), Keep::Nothing).files()["f"], b"old");
    dir.sync().unwrap();
    assert!(dir.crash(dir.log_len(), Keep::Nothing).files().is_empty());
}

#[test]
fn a_file_that_replaces_another_of_its_name_stays() {
    let (dir, _) = with_file();
    dir.remove("f").unwrap();
    let file = dir.open("f", OpenMode::Create).unwrap();
    file.write(0, b"second").unwrap();
    file.sync().unwrap();
    dir.sync().unwrap();
    assert_eq!(
        dir.crash(dir.log_len(), Keep::Nothing).files()["f"],
        b"second"
    );
}

#[test]
fn sectors_of_one_write_survive_each_on_its_own() {
    let dir = FaultyDir::with_files([("f".to_owned(), vec![0; 1536])]);
    let file = dir.open("f", OpenMode::Existing).unwrap();
    file.write(100, &[1; 1100]).unwrap();
    let at = dir.log_len();
    assert_eq!(dir.pieces(at), 3);
    for mask in 0..8_u64 {
        let bytes = dir.crash(at, Keep::Mask(mask)).files()["f"].clone();
        for (bit, probe) in [100, 512, 1024].into_iter().enumerate() {
            assert_eq!(
                u64::from(bytes[probe]),
                mask >> bit & 1,
                "mask {mask} byte {probe}"
            );
        }
    }
}

#[test]
fn a_seed_repeats_its_crash_and_seeds_differ() {
    let dir = FaultyDir::new();
    for n in 0..20_u8 {
        dir.open(&n.to_string(), OpenMode::Create)
            .unwrap()
            .write(0, &[n])
            .unwrap();
    }
    let crash = |seed| dir.crash(dir.log_len(), Keep::Seed(seed)).files();
    assert_eq!(crash(1), crash(1));
    assert_ne!(crash(1), crash(2));
}

#[test]
fn the_chosen_call_fails_and_nothing_else() {
    let (dir, file) = with_file();
    dir.inject(
        Fault::new(io::ErrorKind::StorageFull)
            .on(&[Call::Write])
            .after(1),
    );
    file.write(0, b"1").unwrap();
    assert_eq!(
        file.write(0, b"2").unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    file.write(2, b"3").unwrap();
    file.sync().unwrap();
    assert_eq!(dir.files()["f"], b"1l3");
    assert_eq!(dir.calls(&[Call::Write]), 3);
}

#[test]
fn a_torn_write_fails_half_done() {
    let (dir, file) = with_file();
    dir.inject(Fault::new(io::ErrorKind::Other).on(&[Call::Write]).torn(2));
    assert!(file.write(0, b"NEW").is_err());
    assert_eq!(dir.files()["f"], b"NEd");
}

#[test]
fn a_lasting_fault_ends_when_it_is_healed() {
    let (dir, file) = with_file();
    dir.inject(
        Fault::new(io::ErrorKind::Other)
            .on(&[Call::Sync])
            .file("f")
            .forever(),
    );
    assert!(file.sync().is_err());
    assert!(file.sync().is_err());
    dir.heal();
    file.sync().unwrap();
}

#[test]
fn a_lock_is_held_once() {
    let dir = FaultyDir::new();
    let lock = dir.lock("f").unwrap();
    assert_eq!(dir.lock("f").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(lock);
    dir.lock("f").unwrap();
}
