use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Feed;
use super::demand::Selected;
use crate::ReadError;

/// Blocks being fetched. A future that resolves when all are here; dropping it cancels.
///
/// The blocks are asked for whether or not it is polled.
#[derive(Debug)]
#[must_use = "dropping it cancels the download"]
pub struct Download {
    feed: Feed,
    id: u64,
}

impl Download {
    pub(super) fn new(feed: &Feed, blocks: Selected, linear: bool) -> Self {
        let id = {
            let core = feed.shared.core();
            let mut swarm = feed.shared.swarm();
            swarm.ring_all();
            // Of a closed log nothing is ever fetched, and the handle says so when polled.
            core.as_ref()
                .map_or(0, |core| swarm.demand.add_selection(core, blocks, linear))
        };
        Self {
            feed: feed.clone(),
            id,
        }
    }
}

impl Future for Download {
    type Output = Result<(), ReadError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = &self.feed.shared;
        let core = shared.core();
        if core.is_none() {
            return Poll::Ready(Err(ReadError::Closed));
        }
        match shared.swarm().demand.watch_selection(self.id, cx.waker()) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let mut swarm = self.feed.shared.swarm();
        swarm.demand.remove_selection(self.id);
        for supply in swarm.peers.values_mut() {
            supply.cursors.remove(&self.id);
        }
        swarm.cancel_unwanted();
    }
}
