use std::collections::HashSet;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use futures_lite::future::block_on;
use futures_lite::{Stream, StreamExt};
use hypercore::{Feed, Hypercore};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hypertrie::{
    DiffOptions, GetOptions, HistoryOptions, IterOptions, Mount, MountableTrie, OpenFeed,
    OpenFeedError, Options, PutOptions, Trie, TrieError,
};

use crate::input::Input;
use crate::plant;
use crate::targets::trie_pair::Pair;

/// What somebody who has a log's secret key can do to those who read a trie in it, and mount it in one
/// of theirs.
///
/// First what he writes, honestly; then how he bends blocks before he signs them; then what readers do.
/// All of it ends, waits only for blocks that were asked for, and reads no more of them than
/// `docs/formats/trie.md` says, which is here counted to the block.
pub fn trie_remote(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut blocks = honest(&mut input);
    bend(&mut blocks, &mut input);
    let source = writable(2);
    if source.append_batch(&blocks).is_err() {
        return;
    }
    let mut world = World::new(source);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
}

/// The blocks of a trie to which some things were done.
fn honest(input: &mut Input<'_>) -> Vec<Vec<u8>> {
    let feed = writable(3);
    block_on(async {
        let trie = Trie::open(feed.clone(), Options::new()).await?;
        for _ in 0..input.byte() % MAX_WRITES {
            let what = input.byte();
            let key = key(input);
            let options = PutOptions::new().hidden(what & 8 != 0);
            match what & 7 {
                0 => drop(trie.del_with(key, options).await?),
                1 => drop(trie.remove_prefix(key).await?),
                2 => {
                    let version = u64::from(what >> 4);
                    let mount = Mount::new(key, [7; 32]).at_version(version);
                    drop(trie.mount(&mount, Bytes::new()).await);
                }
                3 => drop(trie.rename_prefix(key, "moved").await),
                _ => drop(trie.put_with(key, Bytes::from("value"), options).await?),
            }
        }
        Ok::<_, TrieError>(())
    })
    .expect("a trie in memory takes these keys");
    let blocks = 0..feed.length();
    let block = |seq| feed.get_local(seq).ok().flatten().unwrap_or_default();
    blocks.map(|seq| block(seq).to_vec()).collect()
}

/// Changes blocks: one byte, a piece in place of the rest, a copy of another, or the end cut off.
fn bend(blocks: &mut Vec<Vec<u8>>, input: &mut Input<'_>) {
    for _ in 0..input.byte() % MAX_BENDS {
        let (what, seq) = (input.byte(), usize::from(input.byte()) % blocks.len());
        let at = usize::from(input.byte()) % (blocks[seq].len() + 1);
        match what & 3 {
            0 => {
                if let Some(byte) = blocks[seq].get_mut(at) {
                    *byte ^= what >> 2;
                }
            }
            1 => {
                blocks[seq].truncate(at);
                blocks[seq].extend_from_slice(input.piece());
            }
            2 => {
                let copy = blocks[usize::from(what >> 2) % blocks.len()].clone();
                blocks.push(copy);
            }
            _ => blocks[seq].truncate(at),
        }
    }
}

struct World {
    source: Feed,
    pair: Pair,
    trie: Trie,
    /// One of ours, in which the other is mounted.
    ours: MountableTrie,
    checkpoint: Vec<u8>,
}

impl World {
    fn new(source: Feed) -> Self {
        let pair = Pair::new(&source);
        let opener = Arc::new(Opener(pair.feed.clone()));
        let (trie, ours) = block_on(async {
            let trie = Trie::open(pair.feed.clone(), Options::new()).await?;
            let ours = Trie::open(writable(1), Options::new()).await?;
            for name in ["n", "near/by"] {
                ours.put(name, Bytes::from("value")).await?;
            }
            ours.mount(&Mount::new("m", [7; 32]), Bytes::new()).await?;
            Ok::<_, TrieError>((trie, ours))
        })
        .expect("a trie in memory opens");
        Self {
            source,
            ours: MountableTrie::new(ours, opener, Options::new()),
            pair,
            trie,
            checkpoint: Vec::new(),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let (what, choice) = (input.byte(), input.byte());
        let is = |bit: u8| choice & bit != 0;
        // What is yet to be written would be waited for.
        let versions = self.source.length() + 1;
        let trie = match u64::from(choice >> 4) {
            0 => self.trie.clone(),
            version => self.trie.checkout(version * 3 % versions),
        };
        match what % 12 {
            0 | 1 => {
                let options = GetOptions::new().hidden(is(1)).prefix(is(2)).closest(is(4));
                let key = key(input);
                let found = self.counted(1, async move { trie.get_with(key, options).await });
                drop(found);
            }
            2 => {
                let mut iter = trie.iter(prefix(input), listing(choice));
                self.walk(1, &mut iter, |node| node.seq);
                self.checkpoint = iter.checkpoint().unwrap_or_default();
            }
            3 => {
                // Somewhere in the middle, or where somebody says.
                let checkpoint = match is(8) {
                    true => input.piece(),
                    false => &self.checkpoint,
                };
                let resumed = trie.resume_iter(prefix(input), listing(choice), checkpoint);
                if let Ok(mut iter) = resumed {
                    for _ in 0..choice & 3 {
                        drop(self.pair.run(iter.next()));
                    }
                    self.checkpoint = iter.checkpoint().unwrap_or_default();
                }
            }
            4 => {
                let (version, prefix) = (u64::from(input.byte()) % versions, prefix(input));
                let options = DiffOptions::new()
                    .hidden(is(1))
                    .skip_left_null(is(2))
                    .skip_right_null(is(4));
                let mut diff = trie.diff(version, prefix, options);
                let seq = |node: &Option<hypertrie::Node>| node.as_ref().map_or(0, |node| node.seq);
                self.walk(2, &mut diff, |change| {
                    (seq(&change.left), seq(&change.right))
                });
                let checkpoint = diff.checkpoint().unwrap_or_default();
                let again = trie.resume_diff(version, prefix, options, &checkpoint);
                drop(again.map(|mut again| self.pair.run(again.next())));
            }
            5 => {
                let options = HistoryOptions::new().reverse(is(1));
                self.walk(1, &mut trie.history(options), |node| node.seq);
            }
            6 => {
                let answer = trie.answer(input.piece());
                assert!(answer.len() <= MAX_ANSWERS, "{} messages", answer.len());
            }
            7 => {
                let mut watch = self.trie.checkout(1).watch(prefix(input));
                let mut next = pin!(watch.next());
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..8 {
                    if next.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                    self.pair.round_trip();
                }
            }
            8 => {
                // The log grows by what a newer version of it may say.
                let length = self.source.length();
                let seq = u64::from(input.byte()) % length;
                let block = self.source.get_local(seq).ok().flatten();
                let mut block = block.unwrap_or_default().to_vec();
                if let Some(byte) = block.last_mut() {
                    *byte ^= choice;
                }
                if length < MAX_LENGTH && self.source.append(block).is_ok() {
                    self.pair.tell();
                    drop(self.pair.run(self.trie.update()));
                }
            }
            9 => {
                let name = format!("m/{}", key(input));
                let ours = self.ours.clone();
                let found = self.pair.run(async move { ours.get(&name).await });
                drop(found);
            }
            10 => {
                let name = ["", "m", "m/m"][usize::from(choice >> 4) % 3];
                let (mut iter, mut diff, mut mounts) = (
                    self.ours.iter(name, listing(choice)),
                    self.ours.diff(1, name, DiffOptions::new()),
                    self.ours.mounts(is(1)),
                );
                self.drain(async || iter.next().await.is_ok_and(|it| it.is_some()));
                self.drain(async || diff.next().await.is_ok_and(|it| it.is_some()));
                self.drain(async || mounts.next().await.is_ok_and(|it| it.is_some()));
            }
            _ => self.write(choice, key(input)),
        }
    }

    /// Writes to our own trie succeed, whatever is mounted in it; writes to what is mounted are refused.
    fn write(&mut self, choice: u8, key: &'static str) {
        let ours = self.ours.clone();
        self.pair.run(async move {
            let below = format!("m/{key}");
            assert!(ours.put(&below, None).await.is_err());
            assert!(!ours.del(&below).await.unwrap_or(false));
            assert!(ours.rename("n", &below).await.is_err());
            drop(ours.unmount(&below).await);
            let value = Bytes::from(vec![choice]);
            ours.put("near/by", value.clone())
                .await
                .expect("it is ours");
            let found = ours.get("near/by").await.expect("it is ours");
            assert_eq!(found.and_then(|found| found.node.value), Some(value));
        });
    }

    /// Waits for a lookup in the trie, or for `sides` of them.
    fn counted<T>(&mut self, sides: u64, future: impl Future<Output = T>) -> T {
        let before = self.trie.stats().visited;
        let output = self.pair.run(future);
        let mut visited = self.trie.stats().visited - before;
        let length = self.source.length();
        // Planted: a walk over what has grown begins again and again.
        if plant::strikes(length > 24 && visited > 20) {
            visited = u64::MAX;
        }
        assert!(
            visited <= sides * length * MOST_NAMES,
            "{visited} blocks read of {length}"
        );
        output
    }

    /// A walk over the trie, or two versions of it, to its end. It comes up with nothing twice, and by
    /// each block once, those on the way to the prefix aside.
    fn walk<T, K>(
        &mut self,
        sides: u64,
        walk: &mut (impl Stream<Item = Result<T, TrieError>> + Unpin),
        place: impl Fn(&T) -> K,
    ) where
        K: std::hash::Hash + Eq + Debug,
    {
        let length = self.source.length();
        let mut found = HashSet::new();
        self.counted(sides, async {
            while let Some(Ok(item)) = walk.next().await {
                let place = place(&item);
                assert!(!found.contains(&place), "{place:?} comes twice");
                found.insert(place);
            }
        });
        assert!(found.len() as u64 <= sides * length);
    }

    /// Takes what comes, to the end.
    fn drain(&mut self, mut more: impl AsyncFnMut() -> bool) {
        let most = MAX_MOUNTS * self.source.length();
        self.pair.run(async {
            let mut items = 0;
            while more().await {
                items += 1;
                assert!(items <= most, "a walk goes on and on");
            }
        });
    }
}

/// Whatever is mounted, it is the same log.
#[derive(Debug)]
struct Opener(Feed);

impl OpenFeed for Opener {
    fn open_feed(&self, _key: &[u8; 32]) -> Result<Feed, OpenFeedError> {
        Ok(self.0.clone())
    }
}

fn writable(seed: u8) -> Feed {
    let options = hypercore::Options::new().key_pair(KeyPair::from_seed(&[seed; 32]));
    let log = Hypercore::open(Arc::new(MemoryDir::new()), options).expect("memory has room");
    Feed::new(log)
}

fn listing(choice: u8) -> IterOptions {
    IterOptions::new()
        .recursive(choice & 1 == 0)
        .reverse(choice & 2 != 0)
        .gt(choice & 4 != 0)
        .hidden(choice & 8 != 0)
}

fn key(input: &mut Input<'_>) -> &'static str {
    KEYS[usize::from(input.byte()) % KEYS.len()]
}

/// Everything, or what is under a key.
fn prefix(input: &mut Input<'_>) -> &'static str {
    let choice = usize::from(input.byte());
    KEYS.get(choice).copied().unwrap_or_default()
}

/// Two of the names have one hash.
const KEYS: [&str; 16] = [
    "a",
    "b",
    "a/b",
    "a/b/c",
    "a/c",
    "idgcmnmna",
    "mpomeiehc",
    "idgcmnmna/a",
    "mpomeiehc/a",
    "mpomeiehc/idgcmnmna",
    "m",
    "m/m",
    "d/e/f/g/h",
    "..",
    "é",
    "mounts/a",
];

const MAX_WRITES: u8 = 40;
const MAX_BENDS: u8 = 16;
const MAX_STEPS: usize = 32;
const MAX_LENGTH: u64 = 200;

/// How many names with one hash a node can lead to, all of which are looked at.
const MOST_NAMES: u64 = 7;

/// Mounts that a walk goes into, and the outer trie.
const MAX_MOUNTS: u64 = 4097;

/// Messages of an answer: 2176 blocks and those of one more node, 128 in each.
const MAX_ANSWERS: usize = 18;
