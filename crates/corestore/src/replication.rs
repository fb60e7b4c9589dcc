//! What connections get from a store.

use std::sync::Arc;

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use hypercore::Feed;
use hypercore_crypto::DiscoveryKey;
use hypercore_replication::FeedSource;

use crate::Corestore;

impl Corestore {
    /// The store's cores, for [`replicate`](hypercore_replication::replicate).
    ///
    /// A connection offers every core that is open, and serves any stored core to a peer that
    /// proves to know its key, as the reference does, whichever handle it was opened from.
    pub fn source(&self) -> Arc<dyn FeedSource> {
        Arc::new(self.clone())
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
