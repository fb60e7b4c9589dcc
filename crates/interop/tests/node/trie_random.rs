//! Random sequences of operations, done to a trie in Node and to one here: every block, listing,
//! comparison, lookup and history is the same.
//!
//! `SEQUENCES=1000 cargo test -p interop --features node --test node trie_random` does more of them;
//! `FIRST=123` begins with another seed.
//!
//! Left out is where the reference is known to be wrong (`docs/formats/trie.md`, "Where we depart from
//! the reference"): empty keys, a batch that empties the trie, deletions and comparisons of names with
//! equal hashes.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::block_on;
use futures_lite::{Stream, StreamExt};
use hypercore::{Feed, Hypercore};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hypertrie::{
    DiffOptions, GetOptions, HistoryOptions, IterOptions, Node, Op, Options, PutOptions, Trie,
    TrieError,
};
use interop::{Peer, Random};
use serde_json::{Value, json};

/// Node hangs on some sequences, which then prove nothing; more than a few would be our fault.
const PATIENCE: Duration = Duration::from_secs(20);

/// Operations of a sequence.
const OPERATIONS: usize = 200;

#[test]
fn random_sequences_end_alike_here_and_in_node() {
    let number = |name: &str, default: u64| {
        env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (first, count) = (number("FIRST", 1), number("SEQUENCES", 100));
    let mut node = Peer::start();
    let mut hung = 0;
    for seed in first..first + count {
        println!("seed {seed}");
        if (seed - first) % 100 == 99 {
            // What a process has said is kept.
            node = Peer::start();
        }
        let sequence = Sequence::new(seed);
        let theirs = node.ask_within(PATIENCE, "trie.run", sequence.request());
        let Some(theirs) = theirs else {
            println!("seed {seed}: node hangs");
            hung += 1;
            node = Peer::start();
            continue;
        };
        let ours = block_on(sequence.run());
        for part in ["blocks", "lists", "diffs", "gets", "history"] {
            let (ours, theirs) = (&ours[part], &theirs[part]);
            let [ours, theirs] = [ours, theirs].map(|part| part.as_array().expect("a list"));
            assert_eq!(ours.len(), theirs.len(), "seed {seed}: {part}");
            for (place, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                assert_eq!(ours, theirs, "seed {seed}: {part} {place}");
            }
        }
    }
    assert!(
        hung * 50 <= count,
        "node hung on {hung} of {count} sequences"
    );
}

/// What is done to both tries, and what is looked at then.
struct Sequence {
    ops: Vec<Value>,
    lists: Vec<Value>,
    diffs: Vec<Value>,
    gets: Vec<Value>,
}

/// Names that some keys have in common. The first two have the same hash.
const NAMES: [&str; 12] = [
    "idgcmnmna",
    "mpomeiehc",
    "a",
    "b",
    "c",
    "d0",
    "d1",
    "é",
    "e\u{301}",
    "日本語",
    "😀 .",
    "..",
];

struct Draw(Random);

impl Draw {
    /// A key of up to four components; `collisions` says whether names with equal hashes take part.
    fn key(&mut self, collisions: bool) -> String {
        let first = if collisions { 0 } else { 2 };
        let depth = 1 + self.0.below(4);
        let names = (0..depth).map(|_| match self.0.below(3) {
            0 => format!("f{}", self.0.below(40)),
            _ => NAMES[first + self.0.below(NAMES.len() - first)].to_owned(),
        });
        let mut key = names.collect::<Vec<_>>().join("/");
        if self.0.one_in(40) {
            key.insert(0, '/');
        }
        if self.0.one_in(40) {
            key.push('/');
        }
        key
    }

    fn op(&mut self, collisions: bool) -> Value {
        let hidden = self.0.one_in(8);
        if self.0.below(10) < 3 {
            return json!({ "op": "del", "key": self.key(false), "hidden": hidden });
        }
        let value = match self.0.below(12) {
            0 => Value::Null,
            1 => json!(""),
            2 => json!("x".repeat(self.0.below(3000))),
            _ => json!(format!("värde {}", self.0.below(1000))),
        };
        let flags = if self.0.one_in(6) {
            self.0.below(256)
        } else {
            0
        };
        let key = self.key(collisions);
        json!({ "op": "put", "key": key, "value": value, "hidden": hidden, "flags": flags })
    }
}

impl Sequence {
    fn new(seed: u64) -> Self {
        let mut random = Draw(Random::new(seed));
        let collisions = seed.is_multiple_of(4);
        // Both halves always hold something, so that no batch empties the trie.
        let keep = |hidden| json!({ "op": "put", "key": "keep", "value": "k", "hidden": hidden });
        let mut ops = vec![keep(false), keep(true)];
        while ops.len() < OPERATIONS {
            if random.0.one_in(8) {
                let batch = (0..1 + random.0.below(12)).map(|_| random.op(collisions));
                ops.push(json!({ "op": "batch", "ops": batch.collect::<Vec<_>>() }));
            } else {
                ops.push(random.op(collisions));
            }
        }
        let options = [
            json!({}),
            json!({ "reverse": true }),
            json!({ "gt": true }),
            json!({ "recursive": false }),
            json!({ "recursive": false, "reverse": true, "gt": true }),
            json!({ "hidden": true }),
        ];
        let mut lists: Vec<_> = options
            .iter()
            .map(|options| json!({ "prefix": "", "options": options }))
            .collect();
        for _ in 0..8 {
            let version = 1 + random.0.below(OPERATIONS);
            let prefix = NAMES[random.0.below(NAMES.len())];
            let options = &options[random.0.below(options.len())];
            lists.push(json!({ "prefix": prefix, "options": options }));
            lists.push(json!({ "version": version, "prefix": "", "options": options }));
        }
        let skips = ["", "skipLeftNull", "skipRightNull", "hidden"];
        let diffs = (0..if collisions { 0 } else { 8 }).map(|_| {
            let mut versions = || 1 + random.0.below(OPERATIONS);
            let (left, right) = (versions(), versions());
            let prefix = if random.0.one_in(3) {
                NAMES[2 + random.0.below(5)]
            } else {
                ""
            };
            let skip = skips[random.0.below(skips.len())];
            let options = json!({ skip: true });
            json!({ "left": left, "right": right, "prefix": prefix, "options": options })
        });
        let diffs = diffs.collect();
        let gets = (0..60).map(|_| {
            let hidden = random.0.one_in(4);
            json!({ "key": random.key(collisions), "hidden": hidden })
        });
        Self {
            gets: gets.collect(),
            ops,
            lists,
            diffs,
        }
    }

    fn request(&self) -> Value {
        json!({ "ops": self.ops, "lists": self.lists, "diffs": self.diffs, "gets": self.gets })
    }

    async fn run(&self) -> Value {
        let options = hypercore::Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
        let log = Hypercore::open(Arc::new(MemoryDir::new()), options).expect("the log opens");
        let trie = Trie::open(Feed::new(log), Options::new()).await;
        let trie = trie.expect("the trie opens");
        for op in &self.ops {
            let ops = match op["ops"].as_array() {
                Some(ops) => ops.iter().map(operation).collect(),
                None => vec![operation(op)],
            };
            trie.batch(ops)
                .await
                .expect("the trie takes the operations");
        }
        let blocks = (0..trie.version()).map(|index| {
            let block = trie.feed().get_local(index).expect("the log can be read");
            json!(hex::encode(block.expect("the block is stored")))
        });
        let blocks: Vec<_> = blocks.collect();
        let mut lists = Vec::new();
        for list in &self.lists {
            let view = match list["version"].as_u64() {
                Some(version) => trie.checkout(version),
                None => trie.clone(),
            };
            let options = &list["options"];
            let options = IterOptions::new()
                .recursive(options["recursive"] != json!(false))
                .reverse(options["reverse"] == json!(true))
                .gt(options["gt"] == json!(true))
                .hidden(options["hidden"] == json!(true));
            let prefix = list["prefix"].as_str().expect("a prefix");
            let nodes = all(view.iter(prefix, options)).await;
            lists.push(nodes.iter().map(place).collect::<Vec<_>>());
        }
        let mut diffs = Vec::new();
        for diff in &self.diffs {
            let version = |name: &str| diff[name].as_u64().expect("a version");
            let is = |name: &str| diff["options"][name] == json!(true);
            let options = DiffOptions::new()
                .hidden(is("hidden"))
                .skip_left_null(is("skipLeftNull"))
                .skip_right_null(is("skipRightNull"));
            let prefix = diff["prefix"].as_str().expect("a prefix");
            let view = trie.checkout(version("left"));
            let changes = all(view.diff(version("right"), prefix, options)).await;
            let seq = |node: &Option<Node>| node.as_ref().map_or(0, |node| node.seq);
            let changes = changes
                .iter()
                .map(|change| json!([change.key, seq(&change.left), seq(&change.right)]));
            diffs.push(changes.collect::<Vec<_>>());
        }
        let mut gets = Vec::new();
        for get in &self.gets {
            let options = GetOptions::new().hidden(get["hidden"] == json!(true));
            let key = get["key"].as_str().expect("a key");
            let found = trie.get_with(key, options).await.expect("it can be read");
            gets.push(found.as_ref().map_or(Value::Null, place));
        }
        let history = all(trie.history(HistoryOptions::new())).await;
        let history: Vec<_> = history.iter().map(place).collect();
        json!({ "blocks": blocks, "lists": lists, "diffs": diffs, "gets": gets, "history": history })
    }
}

fn operation(op: &Value) -> Op {
    let key = op["key"].as_str().expect("a key");
    let hidden = op["hidden"] == json!(true);
    if op["op"] == "del" {
        return Op::Del {
            key: key.to_owned(),
            hidden,
        };
    }
    let flags = op["flags"].as_u64().unwrap_or(0);
    let value = op["value"]
        .as_str()
        .map(|text| Bytes::from(text.to_owned()));
    Op::put_with(key, value, PutOptions::new().hidden(hidden).flags(flags))
}

fn place(node: &Node) -> Value {
    json!([node.seq, node.key])
}

async fn all<T>(walk: impl Stream<Item = Result<T, TrieError>>) -> Vec<T> {
    walk.map(|item| item.expect("the trie can be read"))
        .collect()
        .await
}
