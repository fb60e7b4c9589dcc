use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::swarm::PeerId;
use crate::ForkProof;

/// Something that happened to a log.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FeedEvent {
    /// The log is known to be longer: blocks were appended here, or a peer proved a new length.
    Appended {
        /// The length, in blocks.
        length: u64,
    },
    /// A block from a peer was stored.
    Downloaded {
        /// The block.
        index: u64,
        /// Its size.
        bytes: usize,
    },
    /// A block came from a peer, and now the log is here from its first block to its last. Told again
    /// when it has grown since.
    Synced {
        /// The length, in blocks.
        length: u64,
    },
    /// A block was sent to a peer.
    Uploaded {
        /// The block.
        index: u64,
        /// Its size.
        bytes: usize,
    },
    /// A peer says that it has stored a block that was sent to it, because it was asked to. Nothing
    /// proves it.
    Acknowledged {
        /// Which peer.
        peer: PeerId,
        /// The block.
        index: u64,
    },
    /// The author was found to have signed two logs. This one takes no more changes.
    Forked(Box<ForkProof>),
    /// A peer has proven that this author's log is longer than it is here, so that blocks are missing:
    /// this is an older copy. Nothing may be appended before they are fetched.
    Overtaken {
        /// How many blocks are here.
        length: u64,
        /// How many there are.
        newest: u64,
    },
    /// A peer sent data that does not verify. Nothing of it was stored.
    Refused {
        /// Which peer.
        peer: PeerId,
        /// The block that it was about.
        index: u64,
    },
    /// A peer has the log open.
    PeerAdded,
    /// A peer that had the log open is gone.
    PeerRemoved,
    /// The reader was too slow, and this many events were left out here.
    Missed(u64),
    /// The log was closed. Nothing follows.
    Closed,
}

/// The events of a log from the moment of the call on, as a [`Stream`] that ends when it is closed.
#[derive(Debug)]
pub struct Events {
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
pub(super) struct Subscribers(Vec<std::sync::Weak<Mutex<Queue>>>);

/// Most events that wait for a reader; further ones are only counted.
const MAX_WAITING: usize = 1024;

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<FeedEvent>,
    missed: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl Subscribers {
    pub(super) fn subscribe(&mut self) -> Events {
        self.0.retain(|queue| queue.strong_count() > 0);
        let queue = Arc::new(Mutex::new(Queue::default()));
        self.0.push(Arc::downgrade(&queue));
        Events { queue }
    }

    /// Queues an event for everybody. Collects who has to be woken.
    pub(super) fn send(&mut self, event: impl Fn() -> FeedEvent, woken: &mut Vec<Waker>) {
        for queue in self.0.iter().filter_map(std::sync::Weak::upgrade) {
            let mut queue = lock(&queue);
            let event = event();
            queue.closed |= event == FeedEvent::Closed;
            if queue.events.len() < MAX_WAITING {
                queue.events.push_back(event);
            } else {
                queue.missed += 1;
            }
            woken.extend(queue.waker.take());
        }
    }
}

impl Stream for Events {
    type Item = FeedEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<FeedEvent>> {
        let mut queue = lock(&self.queue);
        if let Some(event) = queue.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if queue.missed > 0 {
            return Poll::Ready(Some(FeedEvent::Missed(std::mem::take(&mut queue.missed))));
        }
        if queue.closed {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
