//! Removing all that is stored of a drive.

use crate::{Drive, DriveError};

impl Drive {
    /// Closes the drive, whoever has it open, and removes all that is stored of it: both logs and the
    /// keys that they were written with. What is mounted in it stays.
    ///
    /// Whoever has a copy can still read and share it, but nobody can change it any more: here it can be
    /// fetched again from others, also under the namespace it had, and not be written
    /// ([`Corestore::destroy`](corestore::Corestore::destroy)). A new drive needs a namespace of its
    /// own.
    ///
    /// Of a drive of which the header never arrived only the log of paths is known, and removed. A
    /// checkout refuses, as it does with every change. The content goes first: if the second half
    /// fails, the drive can be opened and destroyed again.
    pub async fn destroy(&self) -> Result<(), DriveError> {
        if let Some(version) = self.checked_out() {
            return Err(DriveError::Checkout { version });
        }
        let metadata = self.metadata();
        let content = match self.content_now() {
            Some(content) => Some(content),
            None if metadata.has(0) => self.content().await.ok(),
            None => None,
        };
        // Whoever is writing a file has the end of it in the drive, or an error.
        let _appending = self.shared.appending.lock().await;
        let store = &self.group.store;
        if let Some(content) = content {
            store.destroy(&content.discovery_key())?;
        }
        Ok(store.destroy(&metadata.discovery_key())?)
    }
}
