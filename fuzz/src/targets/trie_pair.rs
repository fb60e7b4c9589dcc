use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hypercore::{Answer, Feed, Hypercore, Options, Peer, RemoteTree, Request, RequestLimits};
use hypercore_storage::MemoryDir;

/// A reader of a log who has nothing of it, and a peer who has it all. What the one asks for, the
/// other brings a round trip later.
pub(super) struct Pair {
    pub(super) feed: Feed,
    /// The other side, as the reader sees it.
    pub(super) near: Peer,
    /// The reader, as the other side sees it.
    far: Peer,
    known: RemoteTree,
    /// How many blocks were asked for.
    pub(super) requested: usize,
}

impl Pair {
    pub(super) fn new(source: &Feed) -> Self {
        let options = Options::new().key(source.public_key());
        let log = Hypercore::open(Arc::new(MemoryDir::new()), options).expect("memory has room");
        let feed = Feed::new(log);
        let near = feed.join(Waker::noop().clone());
        let far = source.join(Waker::noop().clone());
        near.handle_open();
        far.handle_open();
        near.handle_uploading(true);
        let mut pair = Self {
            feed,
            near,
            far,
            known: RemoteTree::default(),
            requested: 0,
        };
        pair.tell();
        let update = pair.feed.clone();
        let updated = pair.run(async move { update.update().await });
        assert!(updated.expect("the reader asks"), "there is something new");
        pair.requested = 0;
        pair
    }

    /// Tells the reader how much there is.
    pub(super) fn tell(&mut self) {
        let length = self.far.feed().length();
        self.near.handle_have(0..length);
        while let Some(region) = self.near.poll_region() {
            self.near.handle_region(region.start);
        }
    }

    /// Waits for something, and brings what it waits for. What waits for nothing hangs.
    pub(super) fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut cx = Context::from_waker(Waker::noop());
        let mut idle = 0;
        while idle < MAX_IDLE_ROUNDS {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            idle = match self.round_trip() {
                0 => idle + 1,
                _ => 0,
            };
        }
        panic!("it waits for nothing");
    }

    /// Brings what was asked for. Gives the number of blocks.
    pub(super) fn round_trip(&mut self) -> usize {
        while let Some(region) = self.near.poll_region() {
            self.near.handle_region(region.start);
        }
        let mut requests = Vec::new();
        self.near.poll_requests(LIMITS, &mut requests);
        let count = requests.len();
        self.requested += count;
        for request in requests {
            self.bring(&request);
        }
        count
    }

    fn bring(&mut self, request: &Request) {
        let answer = self.far.answer(request, &mut self.known);
        match answer.expect("memory can be read") {
            Answer::Data {
                index,
                value,
                proof,
            } => {
                let taken = self.near.handle_data(index, value, proof);
                taken.expect("what the writer signed is taken");
            }
            Answer::Missing => panic!("block {} was never written", request.index),
        }
    }
}

/// As much as anybody wants.
const LIMITS: RequestLimits = RequestLimits {
    urgent: 1 << 20,
    bulk: 1 << 20,
};

/// How often somebody may be looked at who waits without having asked for a block.
const MAX_IDLE_ROUNDS: usize = 3;
