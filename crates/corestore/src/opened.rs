//! Telling subscribers of the feeds that open.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use event_listener::{Event, EventListener};
use futures_core::Stream;
use hypercore::{AvailableHold, Feed};
use hypercore_crypto::DiscoveryKey;

use crate::registry::Registry;

/// A stream of the feeds of a store: those open when it was made, then each one as it opens. It
/// ends when the store closes.
///
/// A feed that closes before it was taken is left out, so a stream that is never read stays within
/// twice the number of open cores (or 64).
///
/// Whoever looks into a feed that has just opened waits for the answer of peers that will be asked by
/// a connection which has yet to hear of it: the 64 feeds opened last are
/// [held](Feed::hold_available) until they are taken, and until the one after is asked for. So read
/// it, or drop it.
#[derive(Debug)]
pub struct Opened {
    queue: Arc<Queue>,
    listener: Option<EventListener>,
    /// The feed taken last, which a peer is about to join.
    taken: Option<AvailableHold>,
}

impl Opened {
    /// The next feed to open, `None` when the store is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Feed> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Opened {
    type Item = Feed;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Feed>> {
        drop(self.taken.take());
        loop {
            if let Some(next) = self.queue.pop() {
                self.listener = None;
                let (feed, hold) = next.unzip();
                self.taken = hold.flatten();
                return Poll::Ready(feed);
            }
            match &mut self.listener {
                // Listening begins before the queue is looked at again, so nothing is missed.
                None => self.listener = Some(self.queue.changed.listen()),
                Some(listener) => match Pin::new(listener).poll(cx) {
                    Poll::Ready(()) => self.listener = None,
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}

/// Those who want to hear of every feed that opens; `None` once there will be no more.
#[derive(Debug)]
pub(crate) struct Subscribers {
    queues: Mutex<Option<Vec<Weak<Queue>>>>,
}

impl Default for Subscribers {
    fn default() -> Self {
        Self {
            queues: Mutex::new(Some(Vec::new())),
        }
    }
}

impl Subscribers {
    pub(crate) fn subscribe(&self, registry: &Arc<Registry>) -> Opened {
        let queue = Arc::new(Queue {
            registry: Arc::downgrade(registry),
            waiting: Mutex::default(),
            changed: Event::new(),
        });
        // Entered before the open feeds are listed: one that opens in between is told once, since
        // a queue takes no key twice.
        match &mut *self.queues() {
            Some(queues) => {
                queues.retain(|queue| queue.strong_count() > 0);
                queues.push(Arc::downgrade(&queue));
            }
            None => queue.close(),
        }
        for feed in registry.feeds() {
            queue.push(&feed);
        }
        Opened {
            queue,
            listener: None,
            taken: None,
        }
    }

    pub(crate) fn tell(&self, feed: &Feed) {
        let queues: Vec<_> = self
            .queues()
            .iter()
            .flatten()
            .filter_map(Weak::upgrade)
            .collect();
        queues.iter().for_each(|queue| queue.push(feed));
    }

    /// Holds none but the one feed any longer.
    pub(crate) fn let_go(&self, kept: &DiscoveryKey) {
        let queues: Vec<_> = self
            .queues()
            .iter()
            .flatten()
            .filter_map(Weak::upgrade)
            .collect();
        for queue in queues {
            let holds = {
                let mut waiting = queue.lock();
                let (kept, others) = std::mem::take(&mut waiting.holds)
                    .into_iter()
                    .partition(|(key, _)| key == kept);
                waiting.holds = kept;
                others
            };
            drop::<VecDeque<_>>(holds);
        }
    }

    pub(crate) fn close(&self) {
        let queues = self.queues().take();
        queues
            .iter()
            .flatten()
            .filter_map(Weak::upgrade)
            .for_each(|queue| queue.close());
    }

    fn queues(&self) -> MutexGuard<'_, Option<Vec<Weak<Queue>>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Queue {
    registry: Weak<Registry>,
    waiting: Mutex<Waiting>,
    changed: Event,
}

#[derive(Debug, Default)]
struct Waiting {
    keys: VecDeque<DiscoveryKey>,
    /// Holds on those that opened last.
    holds: VecDeque<(DiscoveryKey, AvailableHold)>,
    /// How many keys there may be before those of closed cores are dropped.
    limit: usize,
    closed: bool,
}

/// The least limit of waiting keys.
const MIN_WAITING: usize = 64;

/// How many feeds that wait to be taken are held.
const MAX_HOLDS: usize = 64;

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, feed: &Feed) {
        let key = feed.discovery_key();
        let Some(registry) = self.registry.upgrade() else {
            return;
        };
        let hold = feed.hold_available();
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        if waiting.keys.contains(&key) {
            return;
        }
        if waiting.keys.len() >= waiting.limit {
            waiting.keys.retain(|key| registry.contains(key));
            waiting.limit = MIN_WAITING.max(2 * waiting.keys.len());
        }
        waiting.keys.push_back(key);
        waiting.holds.push_back((key, hold));
        let oldest = match waiting.holds.len() > MAX_HOLDS {
            true => waiting.holds.pop_front(),
            false => None,
        };
        // Letting go wakes those who wait, who may want the queue.
        drop(waiting);
        drop(oldest);
        self.changed.notify(usize::MAX);
    }

    fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let holds = std::mem::take(&mut waiting.holds);
        drop(waiting);
        drop(holds);
        self.changed.notify(usize::MAX);
    }

    /// The next feed, and the hold on it; `Some(None)` at the end; `None` if there is nothing yet.
    fn pop(&self) -> Option<Option<(Feed, Option<AvailableHold>)>> {
        loop {
            let mut waiting = self.lock();
            if waiting.closed {
                return Some(None);
            }
            let key = waiting.keys.pop_front()?;
            let held = waiting.holds.iter().position(|(held, _)| *held == key);
            let hold = held.and_then(|index| waiting.holds.remove(index));
            drop(waiting);
            if let Some(feed) = self.registry.upgrade().and_then(|open| open.find(&key)) {
                return Some(Some((feed, hold.map(|(_, hold)| hold))));
            }
        }
    }
}
