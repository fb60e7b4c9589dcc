//! Random operations do to a trie what they do to a map, and every version stays as it was.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use common::{bytes, drain, list, open, put};
use futures_lite::future::block_on;
use hypertrie::{
    Change, DiffOptions, GetOptions, HistoryOptions, IterOptions, Op, Options, PutOptions, Trie,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What a trie holds: values and flags by half and key.
type Model = BTreeMap<(bool, String), (Bytes, u64)>;

/// Names with a few children each. The first two have the same hash.
const NAMES: [&str; 7] = ["idgcmnmna", "mpomeiehc", "a", "b", "é", "日本語", "😀 .."];

#[derive(Clone, Debug)]
enum Write {
    Batch(Vec<Op>),
    Put(String, Bytes, PutOptions),
    Del(String, bool),
    RemovePrefix(String),
    /// Back to a version, as a share of the newest one in 256ths.
    Revert(u8),
}

fn key() -> impl Strategy<Value = String> {
    vec(select(&NAMES[..]), 1..4).prop_map(|names| names.join("/"))
}

fn hidden() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.2)
}

fn value() -> impl Strategy<Value = Bytes> {
    (0..20u8).prop_map(|value| Bytes::from(vec![value; value.into()]))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (key(), value(), hidden(), 0..4u64).prop_map(|(key, value, hidden, flags)| {
            Op::put_with(key, value, PutOptions::new().hidden(hidden).flags(flags))
        }),
        4 => (key(), hidden()).prop_map(|(key, hidden)| Op::Del { key, hidden }),
        1 => key().prop_map(Op::remove_prefix),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        2 => vec(op(), 0..6).prop_map(Write::Batch),
        6 => (key(), value(), hidden()).prop_map(|(key, value, hidden)| {
            Write::Put(key, value, PutOptions::new().hidden(hidden))
        }),
        4 => (key(), hidden()).prop_map(|(key, hidden)| Write::Del(key, hidden)),
        1 => prop_oneof![key(), Just(String::new())].prop_map(Write::RemovePrefix),
        1 => any::<u8>().prop_map(Write::Revert),
    ]
}

fn under(key: &str, prefix: &str) -> bool {
    key.strip_prefix(prefix)
        .is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

fn apply_op(model: &mut Model, op: &Op) {
    match op {
        Op::Put {
            key,
            value,
            options,
        } => {
            let hidden = *options == options.hidden(true);
            let flags = (0..8)
                .find(|flags| *options == options.flags(*flags))
                .unwrap();
            model.insert((hidden, key.clone()), (value.clone().unwrap(), flags));
        }
        Op::Del { key, hidden } => {
            model.remove(&(*hidden, key.clone()));
        }
        Op::RemovePrefix { prefix, hidden } => {
            model.retain(|(half, key), _| half != hidden || !under(key, prefix));
        }
        other => panic!("{other:?}"),
    }
}

/// Carries out the writes. Gives every version that one of them made, with what it held.
fn run(trie: &Trie, writes: &[Write]) -> BTreeMap<u64, Model> {
    let mut versions = BTreeMap::from([(1, Model::new())]);
    for write in writes {
        let mut model = versions.last_key_value().unwrap().1.clone();
        block_on(async {
            match write {
                Write::Batch(ops) => {
                    trie.batch(ops.clone()).await.unwrap();
                    ops.iter().for_each(|op| apply_op(&mut model, op));
                }
                Write::Put(key, value, options) => {
                    let op = Op::put_with(key, value.clone(), *options);
                    apply_op(&mut model, &op);
                    trie.put_with(key, value.clone(), *options).await.unwrap();
                }
                Write::Del(key, hidden) => {
                    let options = PutOptions::new().hidden(*hidden);
                    let deleted = trie.del_with(key, options).await.unwrap();
                    let expected = model.remove(&(*hidden, key.clone())).is_some();
                    assert_eq!(deleted, expected, "{key}");
                }
                Write::RemovePrefix(prefix) => {
                    let before = model.len();
                    apply_op(&mut model, &Op::remove_prefix(prefix.clone()));
                    let removed = trie.remove_prefix(prefix).await.unwrap();
                    assert_eq!(removed, model.len() < before, "{prefix}");
                }
                Write::Revert(share) => {
                    let version = trie.version() * u64::from(*share) / 256;
                    let known = versions.range(..=version.max(1)).next_back().unwrap();
                    trie.revert(*known.0).await.unwrap();
                    model = known.1.clone();
                }
            }
        });
        versions.insert(trie.version(), model);
    }
    versions
}

fn check_version(trie: &Trie, model: &Model) {
    for hidden in [false, true] {
        let held: BTreeMap<_, _> = model
            .iter()
            .filter(|((half, _), _)| *half == hidden)
            .map(|((_, key), value)| (key.as_str(), value))
            .collect();
        check_half(trie, hidden, &held);
    }
}

fn check_half(trie: &Trie, hidden: bool, held: &BTreeMap<&str, &(Bytes, u64)>) {
    let options = IterOptions::new().hidden(hidden);
    let get = GetOptions::new().hidden(hidden);
    let listed = list(trie, "", options);
    let keys: BTreeSet<_> = listed.iter().map(|node| node.key.as_str()).collect();
    assert_eq!(keys, held.keys().copied().collect());
    assert_eq!(keys.len(), listed.len(), "a key was listed twice");
    for node in &listed {
        let (value, flags) = held[node.key.as_str()];
        assert_eq!(node.value.as_ref(), Some(value));
        assert_eq!((node.flags, node.hidden), (*flags, hidden));
        assert_eq!(
            block_on(trie.get_with(&node.key, get)).unwrap().as_ref(),
            Some(node)
        );
    }
    for prefix in NAMES {
        assert_eq!(
            block_on(trie.get_with(prefix, get)).unwrap().is_some(),
            held.contains_key(prefix)
        );
        let below: Vec<_> = listed
            .iter()
            .filter(|node| under(&node.key, prefix))
            .collect();
        let any = block_on(trie.get_with(prefix, get.prefix(true))).unwrap();
        assert_eq!(any.is_some(), !below.is_empty());
        assert_eq!(
            list(trie, prefix, options).iter().collect::<Vec<_>>(),
            below
        );
        let strictly = list(trie, prefix, options.gt(true));
        assert!(strictly.iter().all(|node| node.key != prefix));

        let children = |nodes: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            let rest = nodes.map(|key| key[prefix.len()..].split('/').nth(1).unwrap().to_owned());
            rest.collect()
        };
        let flat = list(trie, prefix, options.recursive(false).gt(true));
        let flat = children(&mut flat.iter().map(|node| node.key.as_str()));
        let mut expected = children(&mut strictly.iter().map(|node| node.key.as_str()));
        expected.dedup();
        assert_eq!(flat, expected);
    }
    let mut reversed: Vec<_> = list(trie, "", options.reverse(true));
    reversed.sort_by_key(|node| listed.iter().position(|other| other == node));
    assert_eq!(reversed, listed);
}

fn check_diff(trie: &Trie, (left, right): (u64, u64), hidden: bool, models: &BTreeMap<u64, Model>) {
    let options = DiffOptions::new().hidden(hidden);
    let checkout = trie.checkout(left);
    let changes = drain(checkout.diff(right, "", options));
    let mut seen = BTreeSet::new();
    for change in &changes {
        assert!(seen.insert(change.key.clone()), "{} twice", change.key);
        let held = |version: u64| models[&version].get(&(hidden, change.key.clone())).cloned();
        let shown = |node: &Option<hypertrie::Node>| {
            let node = node.as_ref()?;
            assert_eq!(node.key, change.key);
            Some((node.value.clone().unwrap(), node.flags))
        };
        assert_eq!(shown(&change.left), held(left));
        assert_eq!(shown(&change.right), held(right));
        assert_eq!(change.is_rewrite(), held(left) == held(right));
    }
    for version in [left, right] {
        for (half, key) in models[&version].keys().filter(|(half, _)| *half == hidden) {
            let held = |version: u64| models[&version].get(&(*half, key.clone()));
            assert!(
                held(left) == held(right) || seen.contains(key),
                "{key} is missing"
            );
        }
    }
    let filtered = |keep: fn(&Change) -> bool| -> Vec<_> {
        changes
            .iter()
            .filter(|change| keep(change))
            .cloned()
            .collect()
    };
    let skipping = drain(checkout.diff(right, "", options.skip_left_null(true)));
    assert_eq!(skipping, filtered(|change| change.left.is_some()));
    let skipping = drain(checkout.diff(right, "", options.skip_right_null(true)));
    assert_eq!(skipping, filtered(|change| change.right.is_some()));
    for prefix in NAMES {
        let inside: BTreeSet<_> = changes
            .iter()
            .filter(|change| under(&change.key, prefix))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|change| change.key.clone())
            .collect();
        let narrow = drain(checkout.diff(right, prefix, options));
        let narrow: BTreeSet<_> = narrow.into_iter().map(|change| change.key).collect();
        assert_eq!(narrow, inside);
    }
}

/// A hash with which most names collide, though never more than a node can tell apart.
fn weak(component: &[u8]) -> [u8; 8] {
    [component[0] % 2; 8]
}

fn check(options: Options, writes: &[Write], pairs: &[(u8, u8)]) {
    let trie = open(common::feed(), options.clone());
    let models = run(&trie, writes);
    for (version, model) in &models {
        check_version(&trie.checkout(*version), model);
    }
    check_version(&trie, models.last_key_value().unwrap().1);
    let versions: Vec<_> = models.keys().copied().collect();
    for (left, right) in pairs {
        let pick = |share: u8| versions[usize::from(share) * versions.len() / 256];
        check_diff(&trie, (pick(*left), pick(*right)), left % 4 == 0, &models);
    }
    // Another program that opens the log sees the same.
    let reopened = block_on(Trie::open(trie.feed().clone(), options)).unwrap();
    check_version(&reopened, models.last_key_value().unwrap().1);
    let history = drain(reopened.history(HistoryOptions::new()));
    assert!(history.is_sorted_by_key(|node| node.seq));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_trie_is_a_map(
        writes in vec(write(), 0..40),
        pairs in vec(any::<(u8, u8)>(), 4),
    ) {
        check(Options::new(), &writes, &pairs);
    }

    #[test]
    fn a_trie_is_a_map_when_most_names_collide(
        writes in vec(write(), 0..40),
        pairs in vec(any::<(u8, u8)>(), 4),
    ) {
        check(Options::new().component_hash(weak), &writes, &pairs);
    }

    #[test]
    fn a_cache_of_any_size_changes_nothing(writes in vec(write(), 0..20), nodes in 0..5usize) {
        check(Options::new().cache(nodes, usize::MAX), &writes, &[(0, 255)]);
    }
}

#[test]
fn many_keys_in_one_batch() {
    let trie = common::trie();
    let ops = (0..10_000).map(|i| Op::put(format!("d{}/k{i}", i % 50), bytes(&i.to_string())));
    let nodes = block_on(trie.batch(ops.collect())).unwrap();
    assert_eq!(nodes.len(), 10_000);
    assert_eq!(trie.version(), 10_001);
    assert_eq!(list(&trie, "", IterOptions::new()).len(), 10_000);
    assert_eq!(list(&trie, "d7", IterOptions::new()).len(), 200);
    assert_eq!(
        list(&trie, "", IterOptions::new().recursive(false)).len(),
        50
    );
    for i in (0..10_000).step_by(101) {
        let value = common::get(&trie, &format!("d{}/k{i}", i % 50));
        assert_eq!(value, Some(i.to_string()));
    }
    put(&trie, "d7/k7", "new");
    assert_eq!(common::get(&trie, "d7/k7").as_deref(), Some("new"));
}
