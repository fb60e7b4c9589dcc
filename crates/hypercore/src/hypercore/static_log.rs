use std::io;
use std::sync::Arc;

use hypercore_crypto::PublicKey;
use hypercore_storage::StorageDir;

use super::keys;
use crate::hypercore::{Hypercore, hash_roots};
use crate::tree::{Growth, grow};
use crate::{AppendError, NodeIndex, OpenError, Options};

/// A log without an author: once it is finished, its key is the hash of what it holds, and nothing
/// can be appended or signed.
///
/// ```
/// use std::sync::Arc;
///
/// use hypercore::{Options, StaticLog};
/// use hypercore_storage::MemoryDir;
///
/// let mut log = StaticLog::create(Arc::new(MemoryDir::new()), Options::new())?;
/// log.append_batch(&["hello", "world"])?;
/// let log = log.finish()?;
/// assert!(log.is_static() && !log.is_writable());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StaticLog(Hypercore);

impl StaticLog {
    /// Begins a log in a directory that holds none. It has no key before it is finished: what an
    /// unfinished one leaves behind has to be removed, or written over
    /// ([`Options::overwrite`]).
    pub fn create(dir: Arc<dyn StorageDir>, options: Options) -> Result<Self, OpenError> {
        if !options.overwrite && (dir.exists("key")? || dir.exists("tree")?) {
            let found = io::ErrorKind::AlreadyExists;
            return Err(OpenError::Storage(found.into()));
        }
        if options.read_only {
            return Err(OpenError::NotFound);
        }
        let lock = keys::prepare(&*dir, &options)?;
        let mut log = Hypercore::open_with(dir, options, lock, &keys::Keys::unnamed())?;
        log.is_static = true;
        Ok(Self(log))
    }

    /// Appends blocks; returns the index of the first.
    pub fn append_batch<B: AsRef<[u8]>>(&mut self, blocks: &[B]) -> Result<u64, AppendError> {
        let log = &mut self.0;
        log.check_sizes(blocks)?;
        let first = log.length;
        let parts: Vec<&[u8]> = blocks.iter().map(AsRef::as_ref).collect();
        let Growth { mut nodes, roots } = grow(&log.roots, &parts);
        log.content_dirty = true;
        log.store.blocks.write(log.byte_length, &parts)?;
        log.store.nodes.write(&mut nodes)?;
        let length = first + blocks.len() as u64;
        for index in first..length {
            log.bits.set_block(index);
            log.bits.set_node(NodeIndex::leaf(index));
        }
        log.set_roots(length, roots);
        Ok(first)
    }

    /// Makes the log durable and gives it its key. An empty one has nothing to be named by.
    pub fn finish(self) -> Result<Hypercore, OpenError> {
        let mut log = self.0;
        if log.length == 0 {
            return Err(OpenError::NotFound);
        }
        log.flush()?;
        let tree = hash_roots(&log.roots);
        log.key = PublicKey::from_bytes(*tree.as_bytes());
        keys::store_public(&*log.dir, &log.key)?;
        log.dir.sync()?;
        Ok(log)
    }
}
