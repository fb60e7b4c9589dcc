use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::Feed;
use crate::ReadError;

/// Waits for one block.
#[derive(Debug)]
pub(super) struct Get<'a> {
    feed: &'a Feed,
    index: u64,
    /// The entry among those who wait, once there is one.
    waiting: Option<u64>,
}

impl<'a> Get<'a> {
    pub(super) fn new(feed: &'a Feed, index: u64) -> Self {
        Self {
            feed,
            index,
            waiting: None,
        }
    }
}

impl Future for Get<'_> {
    type Output = Result<Bytes, ReadError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (shared, index) = (&self.feed.shared, self.index);
        // Held until the waker is in place, so that the block cannot arrive in between.
        let core = shared.core();
        let core = core.as_ref().ok_or(ReadError::Closed)?;
        if let Some(block) = core.get(index)? {
            return Poll::Ready(Ok(block));
        }
        let mut swarm = shared.swarm();
        let id = match self.waiting {
            Some(id) => id,
            None => {
                let asked = swarm.is_reserved(index);
                let id = swarm.demand.add_get(index, asked);
                if !asked {
                    swarm.ring_all();
                }
                id
            }
        };
        swarm.demand.watch_get(index, id, cx.waker());
        drop(swarm);
        self.waiting = Some(id);
        Poll::Pending
    }
}

impl Drop for Get<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.waiting {
            let mut swarm = self.feed.shared.swarm();
            if swarm.demand.remove_get(self.index, id) {
                swarm.cancel(self.index);
            }
        }
    }
}
