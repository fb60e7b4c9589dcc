use std::io;

use hypercore_crypto::Signature;

use super::Feed;
use crate::{Hypercore, Node, ReadError};

impl Feed {
    /// The first signature that covers a block; see [`Hypercore::signature`].
    pub fn signature(&self, index: u64) -> Result<Option<(u64, Signature)>, ReadError> {
        self.inspect(|core| core.signature(index))
    }

    /// Whether a signature is the author's over the log at a length; see
    /// [`Hypercore::verify_signature`].
    pub fn verify_signature(&self, length: u64, signature: &Signature) -> Result<bool, ReadError> {
        self.inspect(|core| core.verify_signature(length, signature))
    }

    /// The roots that the log had at a length; see [`Hypercore::roots_at`].
    pub fn roots_at(&self, length: u64) -> Result<Option<Vec<Node>>, ReadError> {
        self.inspect(|core| core.roots_at(length))
    }

    /// A block's leaf, its hash and its size, if it is held.
    pub fn leaf(&self, index: u64) -> Result<Option<Node>, ReadError> {
        self.inspect(|core| core.leaf(index))
    }

    /// Closes the log for every holder of a handle, without flushing it, and removes its files; see
    /// [`Hypercore::destroy`]. Nothing happens to a log that is closed.
    pub fn destroy(&self) -> io::Result<()> {
        self.shared.end(|core| core.destroy())
    }

    fn inspect<T>(
        &self,
        look: impl FnOnce(&Hypercore) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let core = self.shared.core();
        look(core.as_ref().ok_or(ReadError::Closed)?)
    }
}
