//! What the reference writes, we write, and read as it does.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{apply, blocks, changes, drain, first_byte, list, open, put, trie_of, vectors};
use futures_lite::future::block_on;
use hypertrie::{DiffOptions, GetOptions, HistoryOptions, IterOptions, Node, Options, Trie};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

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

/// The nodes' seqs and keys.
fn places(nodes: &[Node]) -> Value {
    nodes
        .iter()
        .map(|node| json!([node.seq, node.key]))
        .collect()
}

#[test]
fn history_is_the_reference_s_until_it_is_emptied() {
    for scenario in scenarios() {
        let trie = written(&scenario);
        let nodes = drain(trie.history(HistoryOptions::new()));
        let expected = scenario["history"].as_array().unwrap();
        // The reference ends where the trie was empty; we go on.
        let count = expected.len();
        assert_eq!(
            places(&nodes[..count]),
            scenario["history"],
            "{}",
            scenario["name"]
        );
        if !WRITTEN_DIFFERENTLY.contains(&scenario["name"].as_str().unwrap()) {
            let mut reversed = drain(trie.history(HistoryOptions::new().reverse(true)));
            reversed.reverse();
            assert_eq!(reversed, nodes);
        }
    }
}

#[test]
fn differences_are_the_reference_s() {
    for scenario in scenarios() {
        let name = scenario["name"].as_str().unwrap();
        // The reference pairs colliding nodes wrongly; `collisions.rs` has what is right.
        if name.starts_with("siphash-collision") {
            continue;
        }
        let trie = written(&scenario);
        for diff in scenario["diffs"].as_array().into_iter().flatten() {
            let is = |name: &str| diff["opts"][name].as_bool().unwrap_or(false);
            let options = DiffOptions::new()
                .hidden(is("hidden"))
                .skip_left_null(is("skipLeftNull"))
                .skip_right_null(is("skipRightNull"));
            let entries = changes(trie.diff(diff["version"].as_u64().unwrap(), "", options));
            assert_eq!(json!(entries), diff["entries"], "{name} {diff}");
        }
    }
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn listing(trie: &Trie, prefix: &str, options: IterOptions) -> String {
    let nodes = list(trie, prefix, options);
    let lines: Vec<_> = nodes
        .iter()
        .map(|node| format!("{} {}", node.seq, node.key))
        .collect();
    lines.join("\n")
}

#[test]
fn random_operations_end_as_in_the_reference() {
    for vector in vectors()["fuzz"].as_array().unwrap() {
        let trie = common::trie();
        apply(&trie, vector["ops"].as_array().unwrap());
        assert_eq!(trie.version(), vector["version"]);
        let blocks = blocks(&trie);
        for (block, expected) in blocks
            .iter()
            .step_by(64)
            .zip(vector["blocksEvery64"].as_array().unwrap())
        {
            assert_eq!(block, expected);
        }
        assert_eq!(sha256(&blocks.concat()), vector["blocksSha256"]);

        let all = IterOptions::new();
        assert_eq!(sha256(&listing(&trie, "", all)), vector["listSha256"]);
        assert_eq!(
            sha256(&listing(&trie, "", all.reverse(true))),
            vector["listReverseSha256"]
        );
        assert_eq!(
            sha256(&listing(&trie, "", all.hidden(true))),
            vector["listHiddenSha256"]
        );
        let flat = list(&trie, "", all.recursive(false));
        assert_eq!(places(&flat), vector["listNonRecursive"]);
        let flat = list(&trie, "d3", all.recursive(false).gt(true));
        assert_eq!(places(&flat), vector["listD3NonRecursiveGt"]);

        let half = vector["halfVersion"].as_u64().unwrap();
        assert_eq!(
            sha256(&listing(&trie.checkout(half), "", all)),
            vector["halfListSha256"]
        );
        let changes = changes(trie.diff(half, "", DiffOptions::new()));
        assert_eq!(changes.len() as u64, vector["diffHalfCount"]);
        let lines: Vec<_> = changes
            .iter()
            .map(|(key, l, r)| format!("{key} {l} {r}"))
            .collect();
        assert_eq!(sha256(&lines.join("\n")), vector["diffHalfSha256"]);
    }
}

#[test]
fn checkpoints_are_the_reference_s() {
    let vector = &vectors()["checkpoints"];
    let trie = common::trie();
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        put(&trie, key, &format!("v:{key}"));
    }
    let options = IterOptions::new();
    let mut iter = trie.iter("", options);
    assert_eq!(iter.checkpoint(), None);
    for step in vector["iterator"].as_array().unwrap() {
        let node = block_on(iter.next()).unwrap().unwrap();
        assert_eq!(json!([node.seq, node.key]), step["after"]);
        assert_eq!(hex::encode(iter.checkpoint().unwrap()), step["checkpoint"]);
    }
    let second = hex::decode(vector["iterator"][1]["checkpoint"].as_str().unwrap()).unwrap();
    let rest = drain(trie.resume_iter("", options, &second).unwrap());
    assert_eq!(places(&rest), vector["resumedAfterSecond"]);

    let options = DiffOptions::new();
    let mut diff = trie.diff(3, "", options);
    for (step, expected) in vector["diffAgainst3"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let change = block_on(diff.next()).unwrap().unwrap();
        let seq = |node: Option<Node>| node.map_or(0, |node| node.seq);
        assert_eq!(
            json!([change.key, seq(change.left), seq(change.right)]),
            expected["after"]
        );
        let checkpoint = diff.checkpoint().unwrap();
        assert_eq!(hex::encode(&checkpoint), expected["checkpoint"]);
        let rest = changes(trie.resume_diff(3, "", options, &checkpoint).unwrap());
        assert_eq!(rest, changes(trie.diff(3, "", options))[step + 1..]);
    }
}

#[test]
fn headers_are_the_reference_s() {
    for vector in vectors()["headers"].as_array().unwrap() {
        let metadata = vector["metadata"]
            .as_str()
            .map(|hex| hex::decode(hex).unwrap());
        let subtype = vector["subtype"].as_str();
        let mut options = Options::new();
        if let Some(metadata) = &metadata {
            options = options.metadata(metadata.clone());
        }
        if let Some(subtype) = subtype {
            options = options.subtype(subtype);
        }
        let trie = open(common::feed(), options);
        assert_eq!(json!(blocks(&trie)), json!([vector["hex"]]));
        assert_eq!(block_on(trie.metadata()).unwrap(), metadata);
        assert_eq!(block_on(trie.subtype()).unwrap().as_deref(), subtype);
    }
}
