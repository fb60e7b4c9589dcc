use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Waker};

use bytes::Bytes;
use futures_lite::StreamExt;
use futures_lite::future::block_on;
use hypercore::{Feed, Hypercore};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hypertrie::{GetOptions, IterOptions, Lookups, Op, Options, PutOptions, Trie};

use crate::encode::varint;
use crate::input::Input;
use crate::plant;
use crate::targets::trie_pair::Pair;

/// What a peer can say to who looks keys up in a trie, as one who asks and as one who answers, and in
/// the middle of lookups of ours.
///
/// An answer names so many blocks and costs so many reads as `docs/formats/trie.md` says, and no
/// block that is not in the log. Hints lead to what was asked for, are taken up to a limit for each
/// question, and change nothing of what a lookup finds.
pub fn trie_lookups(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.finish();
}

struct World {
    pair: Pair,
    trie: Trie,
    lookups: Pin<Box<Lookups>>,
    wishes: Vec<Wish>,
    /// What our lookups asked for and nobody has answered.
    questions: VecDeque<Bytes>,
    asked: usize,
    /// The most blocks that our lookups may have fetched ahead by themselves.
    ahead: usize,
}

/// Somebody here looks something up; what is found is compared with what is true.
type Wish = Pin<Box<dyn Future<Output = ()>>>;

impl World {
    fn new() -> Self {
        let pair = Pair::new(SOURCE.feed());
        let trie = block_on(Trie::open(pair.feed.clone(), Options::new()));
        let trie = trie.expect("a trie in memory opens");
        let lookups = Box::pin(trie.lookups().expect("it is the first"));
        pair.near.handle_mailboxes(&[NAME]);
        Self {
            pair,
            trie,
            lookups,
            wishes: Vec::new(),
            questions: VecDeque::new(),
            asked: 0,
            ahead: 0,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() & 7 {
            // Any bytes, to us and to one who has everything.
            0 => {
                let message = input.piece();
                self.hear(message, false);
            }
            1 => {
                let (message, hidden) = message(input);
                self.hear(&message, hidden);
            }
            2 => self.look_up(input),
            3 => self.list(input),
            4 => drop(self.wishes.pop()),
            // The one who has everything answers what we asked, as it should.
            5 => {
                for question in self.questions.drain(..) {
                    for answer in SOURCE.answer(&question) {
                        self.pair.near.handle_mail(NAME, answer.into());
                    }
                }
            }
            _ => {
                for _ in 0..=input.byte() & 7 {
                    self.settle();
                    self.pair.round_trip();
                }
            }
        }
        self.settle();
    }

    /// A message comes in. If it asks for something, we answer it, and somebody who has all there is.
    fn hear(&mut self, message: &[u8], hidden: bool) {
        let read = SOURCE.stats().read;
        let mut answers = SOURCE.answer(message);
        let read = SOURCE.stats().read - read;
        // Planted: a hidden key's answer goes on beyond the end of the log.
        if plant::strikes(hidden && answers.len() > 2) {
            answers.push(vec![0x0a, 6, 8, 1, 0x10, 0xff, 0x7f, 0]);
        }
        check(&answers);
        assert!(read <= MOST_READ, "{read} blocks read for an answer");
        self.pair.near.handle_mail(NAME, message.to_vec().into());
        self.settle();
    }

    fn look_up(&mut self, input: &mut Input<'_>) {
        let (key, hidden) = (key(input), input.byte() & 1 == 1);
        let trie = self.trie.clone();
        self.wishes.push(Box::pin(async move {
            let options = GetOptions::new().hidden(hidden);
            let found = trie.get_with(&key, options).await;
            let expected = SOURCE.get_with(&key, options).await;
            assert_eq!(found.expect("it is sound"), expected.expect("it is sound"));
        }));
    }

    fn list(&mut self, input: &mut Input<'_>) {
        let (prefix, choice, count) = (key(input), input.byte(), input.byte());
        let options = IterOptions::new()
            .recursive(choice & 1 == 0)
            .reverse(choice & 2 != 0)
            .gt(choice & 4 != 0)
            .hidden(choice & 8 != 0);
        let trie = self.trie.clone();
        self.ahead += PREFETCH;
        if usize::from(count) >= FIRST_ESTIMATE {
            // It may turn out that all of it is wanted.
            self.ahead += usize::try_from(SOURCE.version()).unwrap_or(usize::MAX);
        }
        self.wishes.push(Box::pin(async move {
            let found = trie.iter(&prefix, options).take(count.into());
            let expected = SOURCE.iter(&prefix, options).take(count.into());
            let found: Result<Vec<_>, _> = found.try_collect().await;
            let expected: Result<Vec<_>, _> = expected.try_collect().await;
            assert_eq!(found.expect("it is sound"), expected.expect("it is sound"));
        }));
    }

    /// Lets everybody here see what happened, and looks at what is said and asked for.
    fn settle(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut answers = Vec::new();
        for _ in 0..64 {
            assert!(self.lookups.as_mut().poll(&mut cx).is_pending());
            while let Some((_, message)) = self.pair.near.poll_mail() {
                if message.first() == Some(&HINTS) {
                    answers.push(message.to_vec());
                } else {
                    self.asked += 1;
                    self.questions.push_back(message);
                }
            }
        }
        check(&answers);
        self.wishes
            .retain_mut(|wish| wish.as_mut().poll(&mut cx).is_pending());
        let visited = usize::try_from(self.trie.stats().visited).unwrap_or(usize::MAX);
        let most = visited + self.ahead + MAX_HINTS * self.asked;
        let requested = self.pair.requested;
        assert!(
            requested <= most,
            "{requested} blocks asked for, not {most}"
        );
    }

    /// What is wanted is found, however the peer has behaved until now.
    fn finish(mut self) {
        let wishes = std::mem::take(&mut self.wishes);
        for wish in wishes {
            self.pair.run(wish);
        }
        self.settle();
    }
}

/// Answers name blocks of the log, and not too many.
fn check(answers: &[Vec<u8>]) {
    let mut named = 0;
    for answer in answers {
        let mut input = Input::new(answer);
        assert_eq!(input.byte(), HINTS, "an answer is hints");
        let end = number(&mut input);
        assert_eq!(end, input.rest().len() as u64, "an answer is one message");
        let mut input = Input::new(&answer[answer.len() - usize::try_from(end).unwrap_or(0)..]);
        while !input.is_empty() {
            let (tag, value) = (input.byte(), number(&mut input));
            if tag & 7 == 2 {
                let packed = input.take(usize::try_from(value).unwrap_or(0));
                let mut packed = Input::new(packed);
                while !packed.is_empty() {
                    let block = number(&mut packed);
                    assert!(block < SOURCE.version(), "block {block} is not in the log");
                    named += 1;
                }
            } else {
                assert!(value <= SOURCE.version(), "{value} is not in the log");
            }
        }
    }
    assert!(named <= MAX_HINTS + MAX_SLOTS, "{named} blocks are named");
}

/// A message that is well-formed, and whether it is about hidden keys.
fn message(input: &mut Input<'_>) -> (Vec<u8>, bool) {
    let kind = input.byte();
    let mut body = Vec::new();
    let mut field = |tag: u8, value: u64, bytes: &[u8]| {
        body.push(tag);
        varint(&mut body, value);
        body.extend_from_slice(bytes);
    };
    let head = match kind & 0xf0 {
        0 => SOURCE.version() - 1,
        _ => input.number() as u64,
    };
    let mut flags = 0;
    let tag = match kind % 3 {
        0 => {
            let key = key(input);
            field(0x08, head, b"");
            field(0x12, key.len() as u64, key.as_bytes());
            GET
        }
        1 => {
            let key = key(input);
            flags = input.byte();
            field(0x08, head, b"");
            field(0x12, key.len() as u64, key.as_bytes());
            field(0x18, u64::from(flags), b"");
            if kind & 8 != 0 {
                let checkpoint = input.piece();
                field(0x22, checkpoint.len() as u64, checkpoint);
            }
            LIST
        }
        _ => {
            let (first, step) = (input.number() as u64, u64::from(input.byte()));
            let mut blocks = Vec::new();
            for i in 0..u64::from(input.byte()) {
                varint(&mut blocks, first + i * step);
            }
            field(0x08, input.number() as u64, b"");
            field(0x10, input.number() as u64, b"");
            field(0x1a, blocks.len() as u64, &blocks);
            HINTS
        }
    };
    let mut message = vec![tag];
    varint(&mut message, body.len() as u64);
    message.extend(body);
    (message, tag == LIST && flags & 8 != 0)
}

/// A key, of those that are there or another one.
fn key(input: &mut Input<'_>) -> String {
    let choice = input.byte();
    match choice {
        0..8 => FOLDERS[usize::from(choice) % FOLDERS.len()].to_owned(),
        8..128 => entry(usize::from(choice) * 23),
        128..250 => entry(input.number()),
        _ => String::from_utf8_lossy(input.piece()).into_owned(),
    }
}

fn entry(i: usize) -> String {
    let folder = FOLDERS[i % FOLDERS.len()];
    format!("{folder}/{i}")
}

fn number(input: &mut Input<'_>) -> u64 {
    let mut value = 0;
    for position in 0..10 {
        let byte = input.byte();
        value |= u64::from(byte & 0x7f) << (7 * position).min(63);
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// Who has everything: more entries than an answer may name, and nothing remembered, so that every read
/// counts. Two folders have one hash.
static SOURCE: LazyLock<Trie> = LazyLock::new(|| {
    let options = hypercore::Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    let log = Hypercore::open(Arc::new(MemoryDir::new()), options).expect("memory has room");
    block_on(async {
        let trie = Trie::open(Feed::new(log), Options::new().cache(0, 0)).await?;
        let visible = (0..ENTRIES).map(|i| Op::put(entry(i), Bytes::from_static(b"value")));
        let hidden = PutOptions::new().hidden(true);
        let hidden = (0..ENTRIES / 8).map(|i| Op::put_with(entry(i), None, hidden));
        trie.batch(visible.chain(hidden).collect()).await?;
        Ok::<_, hypertrie::TrieError>(trie)
    })
    .expect("a trie in memory takes these keys")
});

const FOLDERS: [&str; 4] = ["idgcmnmna", "mpomeiehc", "a", "a/b/c"];
const ENTRIES: usize = 2600;

const NAME: &str = "hypertrie";
const HINTS: u8 = 0x0a;
const LIST: u8 = 0x12;
const GET: u8 = 0x1a;

/// The most blocks that are named to one who asks, and taken for a question of ours; an answer goes on
/// to the end of a node's pointers.
const MAX_HINTS: usize = 2176;
const MAX_SLOTS: usize = 31;

/// The most blocks that an answer costs: those that it names, and as many that its checkpoint did.
const MOST_READ: u64 = 2 * 2176 + 31;

/// How many blocks a listing fetches ahead, and after how many items it may fetch all of them.
const PREFETCH: usize = 64;
const FIRST_ESTIMATE: usize = 128;

const MAX_STEPS: usize = 48;
