//! Two feeds that exchange what the wire would carry, without a wire.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hypercore::{Answer, Feed, Peer, RemoteTree, RequestLimits, rle};

/// A connection between two handles on one log.
pub struct Link {
    sides: [Side; 2],
}

struct Side {
    peer: Peer,
    /// What the other side was told that we know it to hold.
    told: RemoteTree,
}

impl Link {
    pub fn new(one: &Feed, other: &Feed) -> Self {
        let side = |feed: &Feed| Side {
            peer: feed.join(Waker::noop().clone()),
            told: RemoteTree::new(),
        };
        let sides = [side(one), side(other)];
        sides.iter().for_each(|side| side.peer.handle_open());
        Self { sides }
    }

    /// Carries over what there is now, both ways; whether there was anything.
    fn step(&mut self) -> bool {
        let [one, other] = &mut self.sides;
        let moved = one.give(other);
        other.give(one) || moved
    }
}

impl Side {
    /// Tells the other side what is new here, and asks it for what is wanted here.
    fn give(&mut self, other: &mut Self) -> bool {
        let mut moved = false;
        let feed = self.peer.feed();
        if feed.needs_flush() {
            feed.flush().unwrap();
        }
        while let Some(region) = self.peer.poll_region() {
            moved = true;
            other.peer.handle_subscribe();
            let bits = other.peer.bitfield(region.start, region.end - region.start);
            let bits = rle::decode(&bits, 1 << 17).unwrap();
            self.peer.handle_bitfield(region.start, &bits);
            self.peer.handle_region(region.start);
        }
        let changes = self.peer.poll_changes();
        for gone in changes.unhave {
            moved = true;
            other.peer.handle_unhave(gone);
        }
        for have in changes.have {
            moved = true;
            other.peer.handle_have(have);
        }
        let mut requests = Vec::new();
        let limits = RequestLimits {
            urgent: 16,
            bulk: 16,
        };
        self.peer.poll_requests(limits, &mut requests);
        for request in requests {
            moved = true;
            match other.peer.answer(&request, &mut other.told).unwrap() {
                Answer::Data {
                    index,
                    value,
                    proof,
                } => {
                    self.peer.handle_data(index, value, proof).unwrap();
                }
                Answer::Missing => self.peer.handle_unhave(request.index..request.index + 1),
            }
        }
        moved
    }
}

/// Carries over everything that anybody wants and has.
pub fn settle(links: &mut [&mut Link]) {
    for _ in 0..10_000 {
        let mut moved = false;
        for link in links.iter_mut() {
            moved |= link.step();
        }
        if !moved {
            return;
        }
    }
    panic!("no end of messages");
}

/// Runs a future while everything is carried over. `None` if it waits for what nobody brings.
pub fn run<T>(links: &mut [&mut Link], future: impl Future<Output = T>) -> Option<T> {
    // Both sides say what they have before anybody asks what there is.
    settle(links);
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return Some(done);
        }
        let mut moved = false;
        for link in links.iter_mut() {
            moved |= link.step();
        }
        if !moved {
            return match future.as_mut().poll(&mut cx) {
                Poll::Ready(done) => Some(done),
                Poll::Pending => None,
            };
        }
    }
    panic!("no end of messages");
}
