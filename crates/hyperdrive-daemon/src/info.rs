use std::sync::Arc;

use hypercore::{Feed, Hypercore, Options};
use hypercore_crypto::{DiscoveryKey, PublicKey};
use hypercore_storage::{DiskDir, StorageDir};

use crate::node::Inner;
use crate::{NodeError, Session};

/// What is known of a drive.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DriveInfo {
    /// The version looked at.
    pub version: u64,
    /// Whether this storage can change the drive.
    pub writable: bool,
    /// The log of paths.
    pub metadata: CoreInfo,
    /// The log of contents, once the drive's header has told which one that is.
    pub content: Option<CoreInfo>,
}

/// What is known of one log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CoreInfo {
    /// The log's key.
    pub key: PublicKey,
    /// What may be said aloud to find it.
    pub discovery_key: DiscoveryKey,
    /// Its blocks.
    pub length: u64,
    /// The bytes in them.
    pub byte_length: u64,
    /// How many of the blocks are here.
    pub blocks_held: u64,
}

impl Session {
    /// What is known of the drive. Fetches its header, and asks for the length of its content.
    pub async fn info(&self) -> Result<DriveInfo, NodeError> {
        let header = self.wait("the drive's header", self.drive.content());
        let content = header.await.ok();
        if let Some(content) = &content {
            let inner = &self.inner;
            inner
                .refresh_content(&self.drive, content, self.patience)
                .await;
        }
        let metadata = self.drive.metadata();
        Ok(DriveInfo {
            version: self.version(),
            writable: self.inner.is_writable(metadata),
            metadata: self.inner.core_info(metadata),
            content: content.map(|content| self.inner.core_info(&content)),
        })
    }
}

impl Inner {
    fn core_info(&self, feed: &Feed) -> CoreInfo {
        let mut info = CoreInfo {
            key: feed.public_key(),
            discovery_key: feed.discovery_key(),
            length: feed.length(),
            byte_length: feed.byte_length(),
            blocks_held: feed.downloaded(0..feed.length()),
        };
        if let Some(stored) = self.stored_by_holder(&info.discovery_key) {
            if stored.length() > info.length {
                (info.length, info.byte_length) = (stored.length(), stored.byte_length());
            }
            info.blocks_held = info.blocks_held.max(stored.downloaded(0..info.length));
        }
        info
    }

    fn is_writable(&self, feed: &Feed) -> bool {
        // A core with a name has its secret key derived from it (format page, "corestore").
        let named = || {
            self.holders_core(&feed.discovery_key())
                .exists("name")
                .unwrap_or(false)
        };
        feed.is_writable() || (self.is_beside() && named())
    }

    /// The core as the process that holds the first store has it on disk.
    fn stored_by_holder(&self, key: &DiscoveryKey) -> Option<Hypercore> {
        if !self.is_beside() {
            return None;
        }
        let options = Options::new().read_only(true).create(false);
        Hypercore::open(self.holders_core(key), options).ok()
    }

    fn holders_core(&self, key: &DiscoveryKey) -> Arc<dyn StorageDir> {
        let id = hex::encode(key.as_bytes());
        let folder = format!("{}/{}/{id}", &id[..2], &id[2..4]);
        DiskDir::new(self.root.cores()).subdir(&folder)
    }
}
