//! The committed seeds are what the vectors give, and the corpora stay small.

use std::fs;

use hyperdrive_fuzz::{TARGETS, corpus, mutate, seed};

#[test]
fn seeds_are_those_of_the_vectors() {
    for (target, name, bytes) in seed::all() {
        let path = corpus(target).join(&name);
        let committed = fs::read(&path).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; run `cargo run --bin seed` in fuzz/",
                path.display()
            )
        });
        assert!(committed == bytes, "{} is stale", path.display());
    }
}

#[test]
fn corpora_stay_small() {
    let all = TARGETS
        .iter()
        .map(|target| mutate::read_corpus(&corpus(target.0)).expect("it is there"));
    let total: usize = all.flatten().map(|input| input.len()).sum();
    assert!(total < 2 << 20, "{total} bytes");
}
