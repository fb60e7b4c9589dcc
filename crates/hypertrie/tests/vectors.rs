//! What the reference writes, we write, and read as it does.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{apply, blocks, first_byte, list, open, trie_of, vectors};
use futures_lite::future::block_on;
use hypertrie::{GetOptions, IterOptions, Options, Trie};
use serde_json::{Value, json};

/// Writes that we refuse or make better; see `docs/formats/trie.md`.
const WRITTEN_DIFFERENTLY: [&str; 3] = [
    "root-key-reset",
    "batch-reset-pointer",
    "siphash-collision-delete",
];

fn scenarios() -> Vec<Value> {
    vectors()["scenarios"].as_array().unwrap().clone()
}

fn options(scenario: &Value) -> Options {
    match scenario["hash"].as_str() {
        Some("first-byte") => Options::new().component_hash(first_byte),
        _ => Options::new(),
    }
}

/// The scenario's log as the reference wrote it.
fn written(scenario: &Value) -> Trie {
    let blocks: Vec<Vec<u8>> = scenario["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| hex::decode(block.as_str().unwrap()).unwrap())
        .collect();
    trie_of(&blocks, options(scenario))
}

fn iter_options(value: &Value) -> IterOptions {
    let is = |name: &str| value[name].as_bool().unwrap_or(false);
    IterOptions::new()
        .recursive(value["recursive"].as_bool().unwrap_or(true))
        .reverse(is("reverse"))
        .gt(is("gt"))
        .hidden(is("hidden"))
}

#[test]
fn blocks_are_the_reference_s() {
    for scenario in scenarios() {
        let name = scenario["name"].as_str().unwrap();
        if WRITTEN_DIFFERENTLY.contains(&name) {
            continue;
        }
        let trie = open(common::feed(), options(&scenario));
        apply(&trie, scenario["ops"].as_array().unwrap());
        assert_eq!(json!(blocks(&trie)), scenario["blocks"], "{name}");
        assert_eq!(trie.version(), scenario["version"], "{name}");
    }
}

#[test]
fn listings_are_the_reference_s() {
    for scenario in scenarios() {
        let trie = written(&scenario);
        for listing in scenario["lists"].as_array().into_iter().flatten() {
            let prefix = listing["prefix"].as_str().unwrap();
            let nodes = list(&trie, prefix, iter_options(&listing["opts"]));
            let nodes: Vec<_> = nodes
                .iter()
                .map(|node| json!([node.seq, node.key]))
                .collect();
            assert_eq!(
                json!(nodes),
                listing["nodes"],
                "{} {listing}",
                scenario["name"]
            );
        }
    }
}

#[test]
fn lookups_are_the_reference_s() {
    for scenario in scenarios() {
        let trie = written(&scenario);
        for lookup in scenario["gets"].as_array().unwrap() {
            let is = |name: &str| lookup[name].as_bool().unwrap_or(false);
            let options = GetOptions::new()
                .hidden(is("hidden"))
                .closest(is("closest"))
                .prefix(is("prefix"));
            let node = block_on(trie.get_with(lookup["key"].as_str().unwrap(), options)).unwrap();
            let node = node.map(|node| {
                let value = node
                    .value
                    .map(|value| String::from_utf8(value.to_vec()).unwrap());
                json!({ "seq": node.seq, "key": node.key, "value": value, "flags": node.flags,
                    "hidden": node.hidden })
            });
            assert_eq!(
                json!(node),
                lookup["result"],
                "{} {lookup}",
                scenario["name"]
            );
        }
    }
}
