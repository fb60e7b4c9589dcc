//! A power cut or a failing call at any point of making a store and its first cores.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;

use corestore::{Corestore, Options};
use hypercore_crypto::KeyPair;
use testkit::{Call, Fault, FaultyDir, Keep};

fn work(dir: &FaultyDir) -> Result<(), Box<dyn Error>> {
    let store = Corestore::open(Arc::new(dir.clone()), Options::new())?;
    let feed = store.default_feed()?;
    feed.append(b"one")?;
    store.get_by_key_pair(&KeyPair::from_seed(&[1; 32]))?;
    store.create()?;
    store.flush()?;
    feed.append(b"two")?;
    Ok(store.close()?)
}

/// Opens what a crash left, and checks that it can go on.
#[track_caller]
fn check_goes_on(after: &FaultyDir) {
    work(after).unwrap_or_else(|error| panic!("{error:?}: {:?}", after.files().keys()));
    let store = Corestore::open(Arc::new(after.clone()), Options::new()).unwrap();
    for core in store.list() {
        store.get(&core.unwrap().public_key()).unwrap();
    }
}

#[test]
fn a_power_cut_at_any_point_leaves_a_store_that_opens() {
    let dir = FaultyDir::new();
    work(&dir).unwrap();
    for at in 0..=dir.log_len() {
        check_goes_on(&dir.crash(at, Keep::Nothing));
        check_goes_on(&dir.crash(at, Keep::All));
        check_goes_on(&dir.crash(at, Keep::Torn(1)));
        for seed in 0..8 {
            check_goes_on(&dir.crash(at, Keep::Seed(seed)));
        }
    }
}

#[test]
fn what_was_flushed_survives_with_its_keys() {
    let dir = FaultyDir::new();
    let store = Corestore::open(Arc::new(dir.clone()), Options::new()).unwrap();
    let feed = store.create().unwrap();
    feed.append(b"kept").unwrap();
    store.flush().unwrap();
    let after = dir.crash(dir.log_len(), Keep::Nothing);
    let store = Corestore::open(Arc::new(after), Options::new()).unwrap();
    let again = store.get(&feed.public_key()).unwrap();
    assert!(again.is_writable());
    assert_eq!(again.get_local(0).unwrap().as_deref(), Some(&b"kept"[..]));
}

#[test]
fn a_failing_call_is_reported_and_nothing_breaks() {
    let calls = {
        let dir = FaultyDir::new();
        work(&dir).unwrap();
        dir.calls(Call::ALL)
    };
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        for n in 0..calls {
            let dir = FaultyDir::new();
            dir.inject(Fault::new(kind).after(n).torn(1));
            let result = work(&dir);
            dir.heal();
            // Some calls may fail without harm: the note of who holds the store, for one.
            drop(result);
            check_goes_on(&dir);
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_no_damage() {
    let dir = FaultyDir::new();
    work(&dir).unwrap();
    let before = dir.files();
    dir.inject(
        Fault::new(ErrorKind::StorageFull)
            .on(&[Call::Create, Call::Write])
            .forever(),
    );
    let refused = work(&dir);
    assert!(refused.is_err());
    dir.heal();
    for (name, bytes) in before {
        // Beside the note of who holds the store, nothing was touched.
        assert!(
            dir.files().get(&name).is_some_and(|now| *now == bytes),
            "{name}"
        );
    }
    check_goes_on(&dir);
}
