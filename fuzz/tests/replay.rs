//! Every file of every corpus, through its target.

use std::fs;

use hyperdrive_fuzz::{TARGETS, corpus, mutate, target};
use testkit::Rng;

#[test]
fn bitfield() {
    replay("bitfield");
}

#[test]
fn dht() {
    replay("dht");
}

#[test]
fn frames() {
    replay("frames");
}

#[test]
fn handshake() {
    replay("handshake");
}

#[test]
fn lan() {
    replay("lan");
}

#[test]
fn link() {
    replay("link");
}

#[test]
fn messages() {
    replay("messages");
}

#[test]
fn proof() {
    replay("proof");
}

#[test]
fn replication() {
    replay("replication");
}

#[test]
fn session() {
    replay("session");
}

#[test]
fn stat() {
    replay("stat");
}

#[test]
fn storage() {
    replay("storage");
}

#[test]
fn trie_lookups() {
    replay("trie_lookups");
}

#[test]
fn trie_node() {
    replay("trie_node");
}

#[test]
fn trie_remote() {
    replay("trie_remote");
}

#[test]
fn trie_walk() {
    replay("trie_walk");
}

#[test]
fn utp() {
    replay("utp");
}

/// The table, the files for libFuzzer, the corpora and the tests above name the same targets.
#[test]
fn every_target_is_everywhere() {
    let this = include_str!("replay.rs");
    let mut files: Vec<String> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz_targets"))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .map(|path| {
            path.file_stem()
                .expect("it is a file")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.0).collect();
    assert_eq!(files, names);
    for name in names {
        assert!(
            this.contains(&format!("fn {name}() {{\n    replay(\"{name}\");")),
            "{name}"
        );
        assert!(corpus(name).is_dir(), "{name}");
    }
}

/// The corpus, and a few hundred mutations, the same in every run.
fn replay(name: &str) {
    let target = target(name).expect("the target is in the table");
    let inputs = mutate::read_corpus(&corpus(name)).expect("the corpus can be read");
    assert!(!inputs.is_empty());
    inputs.iter().for_each(|input| target(input));
    let mut rng = Rng::new(1);
    for _ in 0..300 {
        target(&mutate::mutate(&inputs, &mut rng));
    }
}
