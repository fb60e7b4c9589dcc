use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::Sender;
use futures_core::stream::BoxStream;
use hypercore::Feed;
use hypercore_crypto::DiscoveryKey;
use hypercore_runtime::BoxFuture;

/// Where connections get the logs from that they replicate.
pub trait FeedSource: Send + Sync {
    /// The log that a remote offers, opened if need be; `None` to refuse it. The remote has yet to
    /// prove that it knows the log's key.
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>>;

    /// The logs that a connection offers by itself: every one that is open now, then each one that
    /// is opened later.
    fn opened(&self) -> BoxStream<'static, Feed>;

    /// Whether to go on with a remote, by its static key; everybody is welcome unless this says
    /// otherwise. Asked once for each connection, when the handshake has proved the key. Until there is
    /// an answer nothing more is read or written: a remote that was dialled does not learn who we are,
    /// and none learns which logs are here.
    fn authenticate(&self, _remote_public_key: [u8; 32]) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }

    /// Whether a log is replicated with a remote, by its static key, which is `None` without a
    /// handshake; every log is unless this says otherwise. Asked for each log of each connection, once
    /// the remote is [let in](Self::authenticate) and before the log is opened to it. A log that is kept
    /// back is not offered, and refused like one that is not here.
    ///
    /// A source that wraps another one passes this on.
    fn admit(&self, _feed: &Feed, _remote_public_key: Option<[u8; 32]>) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }
}

/// One log by itself.
impl FeedSource for Feed {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>> {
        let found = (discovery_key == self.discovery_key()).then(|| self.clone());
        Box::pin(std::future::ready(found))
    }

    fn opened(&self) -> BoxStream<'static, Feed> {
        Box::pin(futures_lite::stream::once(self.clone()))
    }
}

impl<S: FeedSource + ?Sized> FeedSource for Arc<S> {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>> {
        (**self).find(discovery_key)
    }

    fn opened(&self) -> BoxStream<'static, Feed> {
        (**self).opened()
    }

    fn authenticate(&self, remote_public_key: [u8; 32]) -> BoxFuture<'_, bool> {
        (**self).authenticate(remote_public_key)
    }

    fn admit(&self, feed: &Feed, remote_public_key: Option<[u8; 32]>) -> BoxFuture<'_, bool> {
        (**self).admit(feed, remote_public_key)
    }
}

/// A set of logs that grows, as a [`FeedSource`]. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct FeedSet(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    feeds: HashMap<DiscoveryKey, Feed>,
    subscribers: Vec<Sender<Feed>>,
}

impl FeedSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a log, which is replicated over present and future connections.
    pub fn add(&self, feed: &Feed) {
        let mut state = self.state();
        if state
            .feeds
            .insert(feed.discovery_key(), feed.clone())
            .is_none()
        {
            state
                .subscribers
                .retain(|subscriber| subscriber.try_send(feed.clone()).is_ok());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromIterator<Feed> for FeedSet {
    fn from_iter<I: IntoIterator<Item = Feed>>(feeds: I) -> Self {
        let set = Self::new();
        feeds.into_iter().for_each(|feed| set.add(&feed));
        set
    }
}

impl FeedSource for FeedSet {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>> {
        let feed = self.state().feeds.get(&discovery_key).cloned();
        Box::pin(async move { feed })
    }

    fn opened(&self) -> BoxStream<'static, Feed> {
        // As long as the set itself: every entry is a log that was added here.
        let (sender, receiver) = async_channel::unbounded();
        let mut state = self.state();
        for feed in state.feeds.values() {
            let _ = sender.try_send(feed.clone());
        }
        state.subscribers.push(sender);
        Box::pin(receiver)
    }
}
