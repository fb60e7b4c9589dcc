//! What the wire carries beyond the blocks themselves.

mod common;

use common::{End, Link, Ours, World, open, pair, reader};
use hypercore::Options;
use hypercore_protocol::{Role, Timestamp};
use hypercore_replication::Config;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

/// An end whose bytes are counted.
struct Counted {
    end: Ours,
    bytes: Rc<Cell<u64>>,
}

impl End for Counted {
    fn input(&mut self, now: Timestamp, bytes: &[u8]) {
        self.bytes.set(self.bytes.get() + bytes.len() as u64);
        self.end.input(now, bytes);
    }

    fn tick(&mut self, now: Timestamp) {
        self.end.tick(now);
    }

    fn transmit(&mut self) -> Option<Bytes> {
        self.end.transmit()
    }

    fn timeout(&self) -> Option<Timestamp> {
        self.end.timeout()
    }

    fn is_paused(&self) -> bool {
        self.end.is_paused()
    }
}

/// Parts in a hundred that both directions carry beyond the blocks, handshake included, over a link of
/// some delay and ten million bytes a second.
fn overhead(blocks: usize, size: usize, delay: Duration) -> f64 {
    let writer = open(Options::new().key_pair(pair()));
    let block = vec![7_u8; size];
    for _ in 0..blocks / 100 {
        writer.append_batch(&vec![&block[..]; 100]).unwrap();
    }
    let reader = reader();
    let bytes = Rc::new(Cell::new(0));
    let counted = |role, feed| Counted {
        end: Ours::new(role, Config::default(), &[feed]),
        bytes: bytes.clone(),
    };
    let link = Link::new(
        counted(Role::Initiator, &reader),
        counted(Role::Responder, &writer),
    );
    let mut world = World::new([link.delayed(delay).narrow(10_000_000)]);
    let all = reader.download(0..blocks as u64);
    world.run(Duration::from_secs(600), all).unwrap().unwrap();
    world.settle();
    let payload = (blocks * size) as f64;
    100.0 * (bytes.get() as f64 - payload) / payload
}

#[test]
fn little_is_carried_beyond_the_blocks() {
    for millis in [0, 30] {
        let delay = Duration::from_millis(millis);
        let (small, large) = (
            overhead(10_000, 1 << 10, delay),
            overhead(1000, 64 << 10, delay),
        );
        println!("{millis} ms: {small:.3} % of 1 KiB blocks, {large:.4} % of 64 KiB blocks");
        assert!(small <= 6.35, "{small} % of 1 KiB blocks at {delay:?}");
        assert!(large <= 0.11, "{large} % of 64 KiB blocks at {delay:?}");
    }
}
