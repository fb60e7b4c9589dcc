//! Telling subscribers of the feeds that open.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use event_listener::{Event, EventListener};
use futures_core::Stream;
use hypercore::Feed;
use hypercore_crypto::DiscoveryKey;

use crate::registry::Registry;

/// A stream of the feeds of a store: those open when it was made, then each one as it opens. It
/// ends when the store closes.
///
/// A feed that closes before it was taken is left out, so a stream that is never read stays within
/// twice the number of open cores (or 64), and keeps none of them open.
#[derive(Debug)]
pub struct Opened {
    queue: Arc<Queue>,
    listener: Option<EventListener>,
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
        loop {
            if let Some(next) = self.queue.pop() {
                self.listener = None;
                return Poll::Ready(next);
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
            queue.push(feed.discovery_key());
        }
        Opened {
            queue,
            listener: None,
        }
    }

    pub(crate) fn tell(&self, key: DiscoveryKey) {
        let queues: Vec<_> = self
            .queues()
            .iter()
            .flatten()
            .filter_map(Weak::upgrade)
            .collect();
        queues.iter().for_each(|queue| queue.push(key));
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
    /// How many keys there may be before those of closed cores are dropped.
    limit: usize,
    closed: bool,
}

/// The least limit of waiting keys.
const MIN_WAITING: usize = 64;

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, key: DiscoveryKey) {
        let Some(registry) = self.registry.upgrade() else {
            return;
        };
        let mut waiting = self.lock();
        if waiting.keys.contains(&key) {
            return;
        }
        if waiting.keys.len() >= waiting.limit {
            waiting.keys.retain(|key| registry.contains(key));
            waiting.limit = MIN_WAITING.max(2 * waiting.keys.len());
        }
        waiting.keys.push_back(key);
        drop(waiting);
        self.changed.notify(usize::MAX);
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify(usize::MAX);
    }

    /// The next feed; `Some(None)` at the end; `None` if there is nothing yet.
    fn pop(&self) -> Option<Option<Feed>> {
        loop {
            let mut waiting = self.lock();
            if waiting.closed {
                return Some(None);
            }
            let key = waiting.keys.pop_front()?;
            drop(waiting);
            if let Some(feed) = self.registry.upgrade().and_then(|open| open.find(&key)) {
                return Some(Some(feed));
            }
        }
    }
}
