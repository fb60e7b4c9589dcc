//! What connections get from a store.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use hypercore::Feed;
use hypercore_crypto::DiscoveryKey;
use hypercore_replication::FeedSource;

use crate::{Corestore, Opened};

impl Corestore {
    /// The store's cores, for [`replicate`](hypercore_replication::replicate).
    ///
    /// A connection offers every core that is open, and serves any stored core to a peer that
    /// proves to know its key, as the reference does, whichever handle it was opened from.
    pub fn source(&self) -> Arc<dyn FeedSource> {
        Arc::new(self.clone())
    }

    /// As [`source`](Self::source), for peers that may have some cores only: the policy says of each
    /// core, before anything else is done with it, whether it is offered and served. It is asked
    /// anew for each core of each connection.
    pub fn source_if(
        &self,
        policy: impl Fn(&DiscoveryKey) -> bool + Send + Sync + 'static,
    ) -> Arc<dyn FeedSource> {
        Arc::new(Narrowed {
            store: self.clone(),
            policy: Arc::new(policy),
        })
    }
}

/// A store of which some cores are kept back.
struct Narrowed {
    store: Corestore,
    policy: Arc<dyn Fn(&DiscoveryKey) -> bool + Send + Sync>,
}

impl FeedSource for Narrowed {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>> {
        match (self.policy)(&discovery_key) {
            true => self.store.find(discovery_key),
            false => Box::pin(std::future::ready(None)),
        }
    }

    fn opened(&self) -> BoxStream<'static, Feed> {
        Box::pin(Allowed {
            opened: self.store.subscribe(),
            policy: self.policy.clone(),
        })
    }
}

/// The feeds that open and that the policy lets through.
struct Allowed {
    opened: Opened,
    policy: Arc<dyn Fn(&DiscoveryKey) -> bool + Send + Sync>,
}

impl Stream for Allowed {
    type Item = Feed;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Feed>> {
        loop {
            let next = ready!(Pin::new(&mut self.opened).poll_next(cx));
            match next {
                Some(feed) if !(self.policy)(&feed.discovery_key()) => {}
                next => return Poll::Ready(next),
            }
        }
    }
}

impl FeedSource for Corestore {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Option<Feed>> {
        // A core that cannot be opened is refused as one that is not here: the remote is not to
        // learn the difference, and the next local use reports it.
        let found = self.get_by_discovery_key(&discovery_key).ok().flatten();
        Box::pin(std::future::ready(found))
    }

    fn opened(&self) -> BoxStream<'static, Feed> {
        Box::pin(self.subscribe())
    }
}
