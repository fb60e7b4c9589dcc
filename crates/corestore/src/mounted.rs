//! What mounted tries get from a store.

use hypercore::Feed;
use hypercore_crypto::PublicKey;
use hypertrie::{OpenFeed, OpenFeedError};

use crate::Corestore;

/// The logs of mounted tries are cores of the store, opened when a path first leads into them.
impl OpenFeed for Corestore {
    fn open_feed(&self, key: &[u8; 32]) -> Result<Feed, OpenFeedError> {
        Ok(self.get(&PublicKey::from_bytes(*key))?)
    }
}
