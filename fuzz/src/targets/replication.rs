use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use hypercore::{Feed, Hypercore, Options, RemoteTree};
use hypercore_protocol::{Channel, Connection, Data, Event, Message, Node, Request, Role};
use hypercore_replication::{Config, Replicator};
use hypercore_storage::MemoryDir;

use crate::encode::frame;
use crate::input::Input;
use crate::plant;
use crate::targets::proof::{WRITER, block, check, pair};
use crate::targets::wire;

/// A peer that knows the log's key and does what it likes to one of ours: a byte that says who has
/// the blocks, then steps.
///
/// What we store is the writer's, what we queue is bounded, and nobody panics.
pub fn replication(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let mut world = World::new(choice & 1 == 1, choice & 2 == 2);
    for _ in 0..MAX_STEPS {
        if input.is_empty() || world.step(&mut input).is_err() {
            break;
        }
        world.settle();
    }
    drop(world.wishes);
    if let Some(dir) = world.dir {
        world.feed.close().expect("memory has room");
        let log = Hypercore::open(dir, Options::new()).expect("what was closed opens again");
        check(&log);
    }
}

struct World {
    ours: Replicator,
    feed: Feed,
    /// Where our log lies, if it is not the writer's.
    dir: Option<Arc<MemoryDir>>,
    /// Hears what we send, and speaks when it is to be well-formed.
    remote: Connection,
    channel: Channel,
    requests: VecDeque<Request>,
    remote_tree: RemoteTree,
    /// What somebody here wants of the log.
    wishes: Vec<Pin<Box<dyn Future<Output = ()>>>>,
    now: hypercore_protocol::Timestamp,
    sent: usize,
}

impl World {
    fn new(we_write: bool, live: bool) -> Self {
        let dir = Arc::new(MemoryDir::new());
        let options = if we_write {
            Options::new().key_pair(pair())
        } else {
            Options::new().key(pair().public)
        };
        let log = Hypercore::open(dir.clone(), options).expect("memory has room");
        let feed = Feed::new(log);
        if we_write {
            let blocks: Vec<Vec<u8>> = (0..33).map(block).collect();
            feed.append_batch(&blocks).expect("memory has room");
        }
        let mut config = Config::default();
        config.live = live;
        config.protocol.protection = wire::PLAIN;
        let secrets = wire::secrets(Role::Initiator);
        let mut ours = Replicator::new(Role::Initiator, secrets, config, wire::NOW);
        ours.open(wire::NOW, &feed);
        let mut remote = wire::connection(Role::Responder, wire::PLAIN);
        let channel = remote.open(&pair().public).expect("the first core");
        let mut world = Self {
            ours,
            feed,
            dir: (!we_write).then_some(dir),
            remote,
            channel,
            requests: VecDeque::new(),
            remote_tree: RemoteTree::default(),
            wishes: Vec::new(),
            now: wire::NOW,
            sent: 0,
        };
        let _ = world.carry();
        world.settle();
        world
    }

    fn step(&mut self, input: &mut Input<'_>) -> Result<(), ()> {
        match input.byte() & 7 {
            // A frame: the kind, the body.
            0 | 1 => {
                let kind = input.byte();
                let body = input.piece();
                self.input(&frame(kind, body))
            }
            // Bytes.
            2 => {
                let bytes = input.piece();
                self.input(bytes)
            }
            // Honest answers to what was asked.
            3 => {
                for _ in 0..=input.byte() & 7 {
                    self.answer();
                }
                self.carry()
            }
            // Time.
            4 => {
                self.now = self.now + Duration::from_millis(u64::from(input.byte()) * 100);
                self.ours.handle_timeout(self.now).map_err(drop)
            }
            // Somebody here wants something.
            5 => {
                let (start, length) = (u64::from(input.byte()), u64::from(input.byte()));
                let feed = self.feed.clone();
                let wish = async move {
                    match length {
                        0 => drop(feed.get(start).await),
                        1 => drop(feed.update().await),
                        2 => drop(feed.seek(start, 0..u64::MAX).await),
                        3 => drop(feed.get_available(start).await),
                        _ => drop(feed.download(start..start + length).await),
                    }
                };
                self.wishes.push(Box::pin(wish));
                Ok(())
            }
            // And no more.
            6 => {
                self.wishes.pop();
                Ok(())
            }
            _ => {
                if self.feed.is_writable() {
                    let _ = self.feed.append(b"more");
                } else {
                    self.ours.flush();
                }
                Ok(())
            }
        }
    }

    /// The writer's answer to the oldest request.
    fn answer(&mut self) {
        let Some(request) = self.requests.pop_front() else {
            return;
        };
        let Request {
            index, nodes, hash, ..
        } = request;
        let Ok(Some(proof)) = WRITER.proof(index, nodes, hash, &mut self.remote_tree) else {
            return;
        };
        let nodes = proof.nodes.iter().map(|node| Node {
            index: node.index.get(),
            hash: node.hash,
            size: node.size,
        });
        let data = Data {
            index,
            value: if hash {
                None
            } else {
                WRITER.get(index).ok().flatten()
            },
            nodes: nodes.collect(),
            signature: proof.signature,
        };
        // The channel may be closed.
        let _ = self.remote.send(self.channel, Message::Data(data));
    }

    fn input(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.sent += bytes.len();
        self.ours.handle_input(self.now, bytes).map_err(drop)
    }

    /// Lets everybody here see what happened, and the remote what was sent.
    fn settle(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        self.wishes
            .retain_mut(|wish| wish.as_mut().poll(&mut context).is_pending());
        let _ = self.ours.handle_changes(self.now);
        while self.ours.poll_event().is_some() {}
        let mut bytes = 0;
        while let Some(chunk) = self.ours.poll_transmit() {
            bytes += chunk.len();
            let _ = self.remote.handle_input(wire::NOW, &chunk);
            while let Some(event) = self.remote.poll_event() {
                if let Event::Message(_, Message::Request(request)) = event {
                    self.requests.push_back(request);
                }
            }
        }
        self.requests.truncate(1000);
        // Planted: what is asked for at once is asked for without end.
        if plant::strikes(self.wishes.len() > 3) {
            bytes = usize::MAX;
        }
        assert!(
            bytes <= (1 << 20) + 2000 * (1 + self.sent),
            "{bytes} for {}",
            self.sent
        );
    }

    fn carry(&mut self) -> Result<(), ()> {
        while let Some(bytes) = self.remote.poll_transmit() {
            self.input(&bytes)?;
        }
        Ok(())
    }
}

const MAX_STEPS: usize = 64;
