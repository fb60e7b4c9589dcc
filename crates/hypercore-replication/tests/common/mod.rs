//! Connections in one process on a virtual clock.

#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used
)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hypercore::{Feed, Hypercore, Options, RemoteTree};
use hypercore_crypto::{DiscoveryKey, KeyPair};
use hypercore_protocol::{Connection, Data, Event, Role, Secrets, Timestamp};
use hypercore_replication::{Config, ReplicationError, Replicator, ReplicatorEvent};
use hypercore_storage::MemoryDir;

pub mod sim;

pub fn pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

/// A log in memory that can be appended to.
pub fn writer() -> Feed {
    open(Options::new().key_pair(pair()))
}

/// An empty copy of the same log.
pub fn reader() -> Feed {
    open(Options::new().key(pair().public))
}

pub fn open(options: Options) -> Feed {
    Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap())
}

/// A log of so many blocks of a few bytes, no two alike.
pub fn writer_of(blocks: u64) -> Feed {
    let feed = writer();
    let all: Vec<u64> = (0..blocks).collect();
    for batch in all.chunks(1000) {
        feed.append_batch(&batch.iter().map(|index| block(*index)).collect::<Vec<_>>())
            .unwrap();
    }
    feed
}

pub fn block(index: u64) -> Vec<u8> {
    format!("block {index}").into_bytes()
}

pub fn secrets(seed: u8) -> Secrets {
    let seed = seed.wrapping_mul(3);
    Secrets {
        static_key: [seed; 32],
        ephemeral_key: [seed + 1; 32],
        nonce: [seed + 2; 24],
    }
}

/// One end of a connection.
pub trait End {
    fn input(&mut self, now: Timestamp, bytes: &[u8]);
    fn tick(&mut self, now: Timestamp);
    fn transmit(&mut self) -> Option<Bytes>;
    fn timeout(&self) -> Option<Timestamp>;
    /// Whether the end reads no more for now.
    fn is_paused(&self) -> bool {
        false
    }
}

/// A replicator and the logs that it knows.
pub struct Ours {
    pub replicator: Replicator,
    pub feeds: Vec<Feed>,
    pub result: Result<(), ReplicationError>,
    pub refused: Vec<DiscoveryKey>,
    pub watch: Watch,
}

/// What became of a replicator that is in use elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Watch(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    error: Option<String>,
    opened: usize,
    closed: usize,
    queued_bytes: usize,
}

impl Watch {
    /// Why the connection ended, if it did.
    pub fn error(&self) -> Option<String> {
        self.0.borrow().error.clone()
    }

    /// How many logs were opened on both sides.
    pub fn opened(&self) -> usize {
        self.0.borrow().opened
    }

    /// How many logs were given up.
    pub fn closed(&self) -> usize {
        self.0.borrow().closed
    }

    /// The most that ever waited to be sent.
    pub fn queued_bytes(&self) -> usize {
        self.0.borrow().queued_bytes
    }
}

impl Ours {
    pub fn new(role: Role, config: Config, feeds: &[&Feed]) -> Self {
        let secrets = secrets(if role == Role::Initiator { 1 } else { 2 });
        let mut replicator = Replicator::new(role, secrets, config, Timestamp::default());
        for feed in feeds {
            replicator.open(Timestamp::default(), feed);
        }
        Self {
            replicator,
            feeds: feeds.iter().map(|feed| (*feed).clone()).collect(),
            result: Ok(()),
            refused: Vec::new(),
            watch: Watch::default(),
        }
    }

    fn note(&mut self, now: Timestamp, result: Result<(), ReplicationError>) {
        let mut watch = self.watch.0.borrow_mut();
        watch.queued_bytes = watch
            .queued_bytes
            .max(self.replicator.connection().queued_bytes());
        if self.result.is_ok() {
            watch.error = result.as_ref().err().map(ToString::to_string);
            self.result = result;
        }
        while let Some(event) = self.replicator.poll_event() {
            match event {
                ReplicatorEvent::Offered(key) => {
                    match self.feeds.iter().find(|feed| feed.discovery_key() == key) {
                        Some(feed) => self.replicator.open(now, feed),
                        None => {
                            self.replicator.refuse(&key);
                            self.refused.push(key);
                        }
                    }
                }
                ReplicatorEvent::Opened(_) => watch.opened += 1,
                ReplicatorEvent::Closed(_) => watch.closed += 1,
                _ => {}
            }
        }
    }
}

impl End for Ours {
    fn input(&mut self, now: Timestamp, bytes: &[u8]) {
        if self.result.is_ok() {
            let result = self.replicator.handle_input(now, bytes);
            self.note(now, result);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        if self.result.is_ok() {
            let result = self.replicator.handle_changes(now).and_then(|()| {
                match self.replicator.poll_timeout() {
                    Some(at) if at <= now => self.replicator.handle_timeout(now),
                    _ => Ok(()),
                }
            });
            self.note(now, result);
        }
    }

    fn transmit(&mut self) -> Option<Bytes> {
        let bytes = self
            .result
            .is_ok()
            .then(|| self.replicator.poll_transmit())
            .flatten();
        self.note(Timestamp::default(), Ok(()));
        bytes
    }

    fn timeout(&self) -> Option<Timestamp> {
        self.result
            .is_ok()
            .then(|| self.replicator.poll_timeout())
            .flatten()
    }

    fn is_paused(&self) -> bool {
        self.replicator.is_input_paused()
    }
}

/// A peer that does what a script says.
pub struct Scripted<F> {
    pub connection: Connection,
    pub script: F,
}

impl<F: FnMut(&mut Connection, Event)> Scripted<F> {
    /// A responder that opens every log that it is offered and leaves the rest to `script`.
    pub fn new(keys: Vec<KeyPair>, script: F) -> Self {
        let config = hypercore_protocol::Config::default();
        let mut connection =
            Connection::new(Role::Responder, secrets(9), config, Timestamp::default());
        for key in keys {
            connection.open(&key.public).unwrap();
        }
        Self { connection, script }
    }
}

impl<F: FnMut(&mut Connection, Event)> End for Scripted<F> {
    fn input(&mut self, now: Timestamp, bytes: &[u8]) {
        let _ = self.connection.handle_input(now, bytes);
        while let Some(event) = self.connection.poll_event() {
            (self.script)(&mut self.connection, event);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        if self.timeout().is_some_and(|at| at <= now) {
            let _ = self.connection.handle_timeout(now);
        }
    }

    fn transmit(&mut self) -> Option<Bytes> {
        self.connection.poll_transmit()
    }

    fn timeout(&self) -> Option<Timestamp> {
        self.connection.poll_timeout()
    }
}

/// Two ends and what is under way between them.
pub struct Link<'a> {
    pub ends: [Box<dyn End + 'a>; 2],
    under_way: [VecDeque<(Timestamp, Bytes)>; 2],
    pub delay: Duration,
    /// Bytes a second in each direction; 0 for any number.
    bandwidth: u64,
    /// When the last byte under way arrives.
    busy_until: [Timestamp; 2],
}

impl<'a> Link<'a> {
    pub fn new(a: impl End + 'a, b: impl End + 'a) -> Self {
        Self {
            ends: [Box::new(a), Box::new(b)],
            under_way: Default::default(),
            delay: Duration::ZERO,
            bandwidth: 0,
            busy_until: Default::default(),
        }
    }

    /// The same with so much time from one end to the other.
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same with so many bytes a second in each direction.
    pub fn narrow(mut self, bandwidth: u64) -> Self {
        self.bandwidth = bandwidth;
        self
    }

    /// Tells both ends that it is later than they think.
    pub fn at(mut self, now: Timestamp) -> Self {
        for end in &mut self.ends {
            end.tick(now);
        }
        self
    }

    fn send(&mut self, from: usize, now: Timestamp, mut bytes: Bytes) {
        if self.bandwidth == 0 {
            self.under_way[from].push_back((now + self.delay, bytes));
            return;
        }
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(1460));
            let takes =
                Duration::from_secs(piece.len() as u64) / self.bandwidth.try_into().unwrap();
            self.busy_until[from] = self.busy_until[from].max(now) + takes;
            self.under_way[from].push_back((self.busy_until[from] + self.delay, piece));
        }
    }

    /// Tells the ends the time and moves what can be moved now. True if something was.
    fn step(&mut self, now: Timestamp) -> bool {
        let mut moved = false;
        for from in [0, 1] {
            self.ends[from].tick(now);
            // What a narrow link has not taken waits in the end itself, as behind a full socket.
            while self.busy_until[from] <= now
                && let Some(bytes) = self.ends[from].transmit()
            {
                self.send(from, now, bytes);
                moved = true;
            }
            let to = &mut self.ends[1 - from];
            while !to.is_paused()
                && self.under_way[from]
                    .front()
                    .is_some_and(|next| next.0 <= now)
                && let Some((_, bytes)) = self.under_way[from].pop_front()
            {
                to.input(now, &bytes);
                moved = true;
            }
        }
        moved
    }

    fn next(&self) -> Option<Timestamp> {
        let timers = self.ends.iter().filter_map(|end| end.timeout());
        let arrivals = self
            .under_way
            .iter()
            .filter_map(|bytes| bytes.front().map(|next| next.0));
        timers.chain(arrivals).min()
    }
}

/// Several connections on one clock.
#[derive(Default)]
pub struct World<'a> {
    pub now: Timestamp,
    pub links: Vec<Link<'a>>,
}

impl<'a> World<'a> {
    pub fn new(links: impl IntoIterator<Item = Link<'a>>) -> Self {
        Self {
            now: Timestamp::default(),
            links: links.into_iter().collect(),
        }
    }

    /// Two of our own with these logs.
    pub fn of_two(a: &[&Feed], b: &[&Feed]) -> Self {
        let a = Ours::new(Role::Initiator, Config::default(), a);
        let b = Ours::new(Role::Responder, Config::default(), b);
        Self::new([Link::new(a, b)])
    }

    fn step(&mut self) -> bool {
        let mut moved = false;
        for link in &mut self.links {
            moved |= link.step(self.now);
        }
        moved
    }

    /// Moves bytes until nothing can be moved at this moment.
    pub fn settle(&mut self) {
        let mut rounds = 0;
        while self.step() {
            rounds += 1;
            assert!(rounds < 1_000_000, "the ends never come to rest");
        }
    }

    /// Lets time pass until the future is done. `None` if it is not after `limit`.
    pub fn run<T>(&mut self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut cx = Context::from_waker(Waker::noop());
        let end = self.now + limit;
        loop {
            self.settle();
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Some(output);
            }
            if self.step() {
                continue;
            }
            let next = self
                .links
                .iter()
                .filter_map(Link::next)
                .filter(|at| *at > self.now)
                .min();
            match next {
                Some(next) if next <= end => self.now = next,
                _ => {
                    self.now = end;
                    return None;
                }
            }
        }
    }

    /// Lets this much time pass.
    pub fn pass(&mut self, time: Duration) {
        assert!(self.run(time, std::future::pending::<()>()).is_none());
    }
}

/// Answers a request as an honest peer that holds everything.
pub fn honest(log: &Hypercore, request: hypercore_protocol::Request) -> Data {
    let mut remote = RemoteTree::default();
    let proof = log
        .proof(request.index, request.nodes, request.hash, &mut remote)
        .unwrap()
        .unwrap();
    let nodes = proof.nodes.iter().map(|node| hypercore_protocol::Node {
        index: node.index.get(),
        hash: node.hash,
        size: node.size,
    });
    Data {
        index: request.index,
        value: (!request.hash).then(|| log.get(request.index).unwrap().unwrap()),
        nodes: nodes.collect(),
        signature: proof.signature,
    }
}

/// A synchronous log of so many blocks.
pub fn log_of(blocks: u64) -> Hypercore {
    let options = Options::new().key_pair(pair());
    let mut log = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
    log.append_batch(&(0..blocks).map(block).collect::<Vec<_>>())
        .unwrap();
    log
}
