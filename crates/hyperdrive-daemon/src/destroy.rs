use hypercore_crypto::PublicKey;
use hyperdrive::{Drive, DriveError, Options};

use crate::folders::Folders;
use crate::{Node, NodeError};

impl Node {
    /// Removes all that is stored of a drive, its secret keys too, and returns how many bytes of blocks
    /// that was. The node must hold the storage. A folder that was shared as this drive is shared as a
    /// new one the next time. See [`Drive::destroy`].
    ///
    /// One whose secret keys are here is refused ([`DriveError::OwnContent`]) unless `own` says
    /// otherwise: nobody can ever change it again.
    pub async fn destroy(&self, key: &[u8; 32], own: bool) -> Result<u64, NodeError> {
        let key = PublicKey::from_bytes(*key);
        let store = &self.inner.store;
        let known = store.get_by_discovery_key(&key.discovery_key());
        let Some(metadata) = known.map_err(DriveError::Open)? else {
            return Ok(0);
        };
        if metadata.is_writable() && !own {
            return Err(DriveError::OwnContent.into());
        }
        let drive = Drive::open(store, &key, Options::new()).await?;
        let mut bytes = 0;
        let content = match metadata.has(0) {
            true => drive.content().await.ok(),
            false => None,
        };
        for log in content.iter().chain([&metadata]) {
            let held = log.held_bytes(0..log.length());
            bytes += held.map_err(DriveError::Read)?;
        }
        // Before the drive goes: a folder that belongs to none is shared anew, while one that
        // belongs to a drive which is gone could not be shared at all.
        let shared = Folders::shared(&self.inner.root.settings());
        let forgotten = shared.forget(&hex::encode(key.as_bytes()));
        forgotten.map_err(|source| self.inner.storage_error(source))?;
        drive.destroy().await?;
        Ok(bytes)
    }
}
