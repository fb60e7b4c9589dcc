use std::ops::Range;
use std::task::Waker;

use super::demand::Demand;
use super::events::{FeedEvent, Subscribers};
use crate::Hypercore;

/// Demand and supply of one log: who waits for what.
#[derive(Debug, Default)]
pub(super) struct Swarm {
    pub(super) demand: Demand,
    pub(super) subscribers: Subscribers,
    /// Guards that say that a peer may be about to join.
    holds: usize,
}

impl Swarm {
    pub(super) fn hold(&mut self) {
        self.holds += 1;
    }

    pub(super) fn unhold(&mut self) {
        self.holds -= 1;
    }

    /// Whether a peer may still say that it has more than we know.
    pub(super) fn is_unanswered(&self) -> bool {
        self.holds > 0
    }

    /// Blocks were appended here.
    pub(super) fn appended(
        &mut self,
        core: &Hypercore,
        blocks: Range<u64>,
        woken: &mut Vec<Waker>,
    ) {
        let length = blocks.end;
        self.demand.appended(core, blocks, woken);
        self.subscribers
            .send(|| FeedEvent::Appended { length }, woken);
    }
}
