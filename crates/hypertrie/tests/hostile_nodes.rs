//! Nodes made to mislead end in an error that names the block, never in a loop, other keys or a
//! crash.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{bytes, digits, drain, get, keys, node_block, put, raw_block, trie, trie_of};
use futures_lite::future::block_on;
use hypertrie::{
    DiffOptions, GetOptions, HistoryOptions, IterOptions, NodeError, Options, PutOptions, Trie,
    TrieError, decode_node,
};
use proptest::prelude::*;

/// A trie whose log has a header and these blocks.
fn forged(nodes: &[Vec<u8>]) -> Trie {
    let mut blocks = vec![b"\x0a\x09hypertrie".to_vec()];
    blocks.extend_from_slice(nodes);
    trie_of(&blocks, Options::new())
}

/// Does all that reads, and counts what comes of it.
fn exercise(trie: &Trie) -> usize {
    let mut found = 0;
    block_on(async {
        for key in ["a", "b", "a/b", "idgcmnmna", "", "x/y/z"] {
            for hidden in [false, true] {
                for (prefix, closest) in [(false, false), (true, false), (false, true)] {
                    let options = GetOptions::new()
                        .hidden(hidden)
                        .prefix(prefix)
                        .closest(closest);
                    found += usize::from(matches!(trie.get_with(key, options).await, Ok(Some(_))));
                }
                let options = IterOptions::new().hidden(hidden);
                for options in [
                    options,
                    options.recursive(false),
                    options.reverse(true).gt(true),
                ] {
                    let mut iter = trie.iter(key, options);
                    while let Ok(Some(_)) = iter.next().await {
                        found += 1;
                    }
                }
            }
            let mut diff = trie.diff(2, key, DiffOptions::new());
            while let Ok(Some(_)) = diff.next().await {
                found += 1;
            }
        }
        // Writes on top are refused or succeed; they do not hang.
        let mut batch = trie.begin().await.ok()?;
        batch.put("a", bytes("1")).await.ok();
        batch.del("b").await.ok();
        batch.remove_prefix("a").await.ok();
        batch.revert(2).await.ok();
        Some(())
    });
    found
}

#[track_caller]
fn check(newest: Vec<u8>, expected: NodeError) {
    let trie = forged(&[node_block("a", 1, &[]), newest]);
    let failures = [
        block_on(trie.get("a")).map(drop),
        block_on(trie.iter("", IterOptions::new()).next()).map(drop),
        block_on(trie.diff(1, "", DiffOptions::new()).next()).map(drop),
        block_on(trie.put("b", None)).map(drop),
        block_on(trie.del("a")).map(drop),
    ];
    for failure in failures {
        match failure {
            Err(TrieError::Corrupt { seq: 2, source }) => assert_eq!(source, expected),
            other => panic!("{other:?}"),
        }
    }
    exercise(&trie);
}

#[test]
fn fault_t1_broken_nodes_are_named() {
    check(
        node_block("b", 2, &[(1 << 31, 1, &[1])]),
        NodeError::Bucket { index: 1 << 31 },
    );
    check(
        node_block("b", 2, &[(34, 1, &[1])]),
        NodeError::Bucket { index: 34 },
    );
    check(
        node_block("b", 2, &[(32, 1 << 32, &[1])]),
        NodeError::Slots { index: 32 },
    );
    check(
        node_block("b", 2, &[(1, 1, &[2])]),
        NodeError::Target {
            index: 1,
            target: 2,
        },
    );
    check(
        node_block("b", 2, &[(1, 1, &[1 << 40])]),
        NodeError::Target {
            index: 1,
            target: 1 << 40,
        },
    );
    check(
        node_block("b", 2, &[(1, 1, &[0])]),
        NodeError::Target {
            index: 1,
            target: 0,
        },
    );
    check(raw_block(b"b", 2, &[0x80]), NodeError::Truncated);
    check(raw_block(b"b", 2, &[5, 1, 3, 1]), NodeError::Truncated);
    check(vec![0x20, 2], NodeError::NoKey);
    // Slots that say "this way" where only other ways can be named, or an overflow without names.
    let own = digits("b")[5];
    check(
        node_block("b", 2, &[(5, 1 << own, &[1])]),
        NodeError::Slots { index: 5 },
    );
    check(
        node_block("b", 2, &[(5, 1 << 5, &[1])]),
        NodeError::Slots { index: 5 },
    );
    let key = "k".repeat(65_537);
    check(
        raw_block(key.as_bytes(), 2, &[0]),
        NodeError::KeyTooLong { bytes: 65_537 },
    );
}

#[test]
fn fault_t1_blocks_that_are_no_messages_are_named() {
    for block in [
        &b"\xff"[..],
        b"\x0a\xff\xff\xff\xff\x0fa",
        b"\x0a\x01\xff",
        b"\x0b",
        b"\x0a\x05a",
    ] {
        let trie = forged(&[block.to_vec()]);
        let refused = block_on(trie.get("a"));
        assert!(
            matches!(
                refused,
                Err(TrieError::Corrupt {
                    seq: 1,
                    source: NodeError::Message(_)
                })
            ),
            "{block:?}: {refused:?}"
        );
    }
}

#[test]
fn fields_from_elsewhere_are_passed_over() {
    let mut block = node_block("a", 1, &[]);
    // Field 9 as a number, field 10 as bytes, and a seq that is none of ours.
    block.extend(b"\x48\x05\x52\x03xyz\x20\x63");
    let trie = forged(&[block]);
    assert_eq!(block_on(trie.get("a")).unwrap().unwrap().seq, 1);
}

/// A pointer from a folder to a key outside of it.
#[test]
fn fault_t1_pointers_cannot_lead_out_of_a_prefix() {
    let prefix = node_block("etc/passwd", 1, &[]);
    for index in 33..64 {
        let other = (digits("docs/a")[index] + 1) % 4;
        let bucket: (u64, u64, &[u64]) = (index as u64, 1 << other, &[1]);
        let trie = forged(&[prefix.clone(), node_block("docs/a", 2, &[bucket])]);
        let mut iter = trie.iter("docs", IterOptions::new());
        let mut failed = false;
        loop {
            match block_on(iter.next()) {
                Ok(Some(node)) => assert_eq!(node.key, "docs/a"),
                Ok(None) => break,
                Err(TrieError::Corrupt {
                    seq: 1,
                    source: NodeError::Misplaced,
                }) => failed = true,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(failed);
        exercise(&trie);
    }
}

/// Two ways to each older node double the visits at every step, were they followed.
#[test]
fn fault_t1_no_node_is_visited_twice() {
    let names: Vec<_> = (0..200).map(|i| format!("k{i}")).collect();
    let mut nodes = vec![node_block(&names[0], 1, &[])];
    for (position, name) in names.iter().enumerate().skip(1) {
        let seq = position as u64 + 1;
        // Every other branch of every digit leads to the node before.
        let own = digits(name);
        let targets = [seq - 1; 4];
        let buckets: Vec<(u64, u64, &[u64])> = (1..33)
            .map(|index| (index as u64, 0b1_1111 & !(1 << own[index]), &targets[..]))
            .collect();
        nodes.push(node_block(name, seq, &buckets));
    }
    let trie = forged(&nodes);
    assert!(exercise(&trie) < 10_000);
    // Colliding names can have several pointers for one digit, but each must be another name.
    let chain = [1u64, 2, 3, 4, 5];
    let own = digits("idgcmnmna")[32];
    let slots = (0..5).fold(0, |slots, slot| slots | 1 << (own + 5 * slot));
    let mut nodes = vec![node_block("mpomeiehc", 1, &[])];
    for seq in 2..=5 {
        nodes.push(node_block("mpomeiehc/x", seq, &[(33, 1 << 4, &[seq - 1])]));
    }
    nodes.push(node_block("idgcmnmna", 6, &[(32, slots, &chain)]));
    let trie = forged(&nodes);
    let refused = block_on(async {
        let mut iter = trie.iter("", IterOptions::new());
        while iter.next().await?.is_some() {}
        Ok::<_, TrieError>(())
    });
    assert!(matches!(
        refused,
        Err(TrieError::Corrupt {
            source: NodeError::Misplaced,
            ..
        })
    ));
    assert!(exercise(&trie) < 1000);
}

/// A trie that sends a lookup of `a/a/…` from node to node, six times for each of its components.
fn winding(depth: usize) -> Trie {
    let path = digits("a");
    // A name that shares so many digits with `a`, and no more.
    let names: Vec<String> = (1..=6)
        .map(|index| {
            let parts = |name: &String| {
                let other = digits(name);
                other[..index] == path[..index] && other[index] != path[index]
            };
            (0..).map(|i| format!("n{i}")).find(parts).unwrap()
        })
        .collect();
    let mut nodes = Vec::new();
    for component in (0..depth).rev() {
        for (digit, name) in names.iter().enumerate().rev() {
            let seq = nodes.len() as u64 + 1;
            let target = [seq - 1];
            let index = (component * 32 + digit + 1) as u64;
            let bucket: (u64, u64, &[u64]) = (index, 1 << path[digit + 1], &target);
            let buckets = [bucket];
            let key = format!("{}{name}", "a/".repeat(component));
            nodes.push(node_block(&key, seq, if seq == 1 { &[] } else { &buckets }));
        }
    }
    forged(&nodes)
}

#[test]
fn fault_t1_lookups_read_a_bounded_number_of_blocks() {
    let key = "a/".repeat(700);
    let long = winding(600);
    assert_eq!(get(&long, &key), None);
    assert_eq!(block_on(long.del(&key)).ok(), Some(false));
    block_on(long.put(&key, None)).unwrap();

    let trie = winding(700);
    let is_refused = |result: Result<(), TrieError>| {
        assert!(matches!(
            result,
            Err(TrieError::TooManyReads { limit: 4096 })
        ));
    };
    is_refused(block_on(trie.get(&key)).map(drop));
    is_refused(block_on(trie.put(&key, None)).map(drop));
    is_refused(block_on(trie.del(&key)).map(drop));
    is_refused(block_on(trie.remove_prefix(&key)).map(drop));
    is_refused(block_on(trie.iter(&key, IterOptions::new()).next()).map(drop));
    is_refused(block_on(trie.diff(1, &key, DiffOptions::new()).next()).map(drop));
    // A listing of all of it is as long as it is, and no longer.
    assert_eq!(drain(trie.iter("", IterOptions::new())).len(), 4200);
}

/// A search for the mount above a path may have to look at each of the path's parents.
#[test]
fn fault_t1_searches_for_mounts_read_a_bounded_number_of_blocks() {
    let trie = trie();
    // No mount, but with a name like that of a mount's record.
    let hidden = PutOptions::new().hidden(true);
    let deep = vec!["a"; 3000].join("/");
    block_on(trie.put_with(&format!("mounts/{deep}"), None, hidden)).unwrap();
    block_on(trie.put_with("mounts/b", None, hidden)).unwrap();
    assert!(block_on(trie.mount_above(&vec!["a"; 900].join("/"))).is_ok());
    let refused = block_on(trie.mount_above(&format!("{deep}/b")));
    assert!(
        matches!(refused, Err(TrieError::TooManyReads { limit: 4096 })),
        "{refused:?}"
    );
}

#[test]
fn fault_t3_resets_are_passed_over_wherever_they_are_linked() {
    // The reference writes a pointer to the node that says "empty" when a batch goes on after it.
    let reset = raw_block(b"", 2, &[0]);
    let next = node_block("b", 3, &[(1, 1 << 4, &[2])]);
    let trie = forged(&[node_block("a", 1, &[]), reset.clone(), next]);
    assert_eq!(keys(&trie, "", IterOptions::new()), ["b"]);
    assert_eq!(get(&trie, "a"), None);
    assert!(block_on(trie.del("b")).unwrap());
    assert_eq!(keys(&trie, "", IterOptions::new()), Vec::<String>::new());
    let history = drain(trie.history(HistoryOptions::new()));
    assert_eq!(
        history.iter().map(|node| node.seq).collect::<Vec<_>>(),
        [1, 3]
    );

    // The same in the other half, where the pointer is for digit 0.
    let trie = forged(&[
        node_block("a", 1, &[]),
        reset,
        node_block("b", 3, &[(0, 1 << 1, &[2])]),
    ]);
    assert_eq!(keys(&trie, "", IterOptions::new()), ["b"]);
    assert_eq!(
        keys(&trie, "", IterOptions::new().hidden(true)),
        Vec::<String>::new()
    );
    assert!(block_on(trie.del("b")).unwrap());
    put(&trie, "c", "3");
    assert_eq!(keys(&trie, "", IterOptions::new()), ["c"]);
}

/// Every level of a key may have neighbours. The reference encodes pointers into 64 KiB and cuts
/// off what does not fit.
#[test]
fn fault_t2_pointers_that_the_reference_cannot_encode_are_refused() {
    let deep = vec!["a"; 14_000].join("/");
    let own = digits("a")[1];
    let target = [1];
    let buckets: Vec<(u64, u64, &[u64])> = (0..14_000)
        .map(|component| (component * 32 + 1, 1 << ((own + 1) % 4), &target[..]))
        .collect();
    let trie = forged(&[node_block("a", 1, &[]), node_block(&deep, 2, &buckets)]);
    let refused = block_on(trie.put(&format!("{deep}/b"), None));
    assert!(
        matches!(refused, Err(TrieError::TooManyLinks { limit: 65_536, .. })),
        "{refused:?}"
    );
    assert_eq!(trie.version(), 3);
}

#[test]
fn checkpoints_from_elsewhere_are_refused() {
    let trie = trie();
    put(&trie, "a/b", "1");
    put(&trie, "c", "2");
    let iter = IterOptions::new();
    let diff = DiffOptions::new();
    for checkpoint in [
        &b"\x80"[..],
        b"\x01",
        b"\x01\x03",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ] {
        assert!(matches!(
            trie.resume_iter("", iter, checkpoint),
            Err(TrieError::Checkpoint)
        ));
        assert!(matches!(
            trie.resume_diff(1, "", diff, checkpoint),
            Err(TrieError::Checkpoint)
        ));
    }
    // A place above the prefix, and a node outside of it.
    assert!(matches!(
        trie.resume_iter("a", iter, b"\x02\x01"),
        Err(TrieError::Checkpoint)
    ));
    let mut outside = trie.resume_iter("a", iter, b"\x21\x02").unwrap();
    assert!(matches!(
        block_on(outside.next()),
        Err(TrieError::Corrupt { seq: 2, .. })
    ));
    assert!(
        matches!(block_on(outside.next()), Ok(None)),
        "an error ends the iteration"
    );
    let mut far = trie.resume_iter("a", iter, b"\xff\xff\x01\x01").unwrap();
    assert_eq!(block_on(far.next()).unwrap().unwrap().key, "a/b");
}

fn link() -> impl Strategy<Value = (u64, u64, Vec<u64>)> {
    (0..70u64, 1..1u64 << 31, prop::collection::vec(1..12u64, 31)).prop_map(
        |(index, slots, mut targets)| {
            let narrow = if index % 32 == 0 { slots } else { slots % 16 };
            targets.truncate(narrow.count_ones() as usize);
            (index, narrow, targets)
        },
    )
}

proptest! {
    #[test]
    fn fault_t1_any_bytes_can_be_decoded(block in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_node(&block).ok();
        exercise(&forged(&[block]));
    }

    #[test]
    fn fault_t1_any_nodes_can_be_walked(
        nodes in prop::collection::vec(
            (prop::sample::select(&["a", "b", "a/b", "idgcmnmna", "mpomeiehc", "mpomeiehc/a", ""][..]),
             prop::collection::vec(link(), 0..12)),
            1..12,
        )
    ) {
        let blocks: Vec<_> = nodes.iter().enumerate().map(|(position, (key, links))| {
            let seq = position as u64 + 1;
            let mut links: Vec<_> = links.iter().map(|(index, slots, targets)| {
                let targets: Vec<_> = targets.iter().map(|target| target % seq.max(2)).collect();
                (*index, *slots, targets)
            }).collect();
            links.sort();
            links.dedup_by_key(|link| link.0);
            let links: Vec<_> = links.iter().map(|(index, slots, targets)| (*index, *slots, &targets[..])).collect();
            node_block(key, seq, &links)
        }).collect();
        exercise(&forged(&blocks));
    }
}
