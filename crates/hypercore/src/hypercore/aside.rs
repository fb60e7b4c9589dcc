use std::io;
use std::sync::Arc;

use hypercore_storage::{Storage, StorageDir};

use crate::Durability;
use crate::bitfield::Bitfield;
use crate::hypercore::Hypercore;
use crate::store::Base;

/// A flush during which the log can be used: what takes long happens outside of it.
///
/// It makes durable what was there when it [began](Hypercore::begin_flush), in the order of
/// [`Hypercore::flush`]. An ordinary flush that comes in between does all that is left, and this one
/// ends there. [`Feed::flush_aside`](crate::Feed::flush_aside) does all of it:
///
/// ```
/// # use std::sync::Arc;
/// # use hypercore::{Hypercore, Options};
/// # use hypercore_crypto::KeyPair;
/// # use hypercore_storage::MemoryDir;
/// # let options = Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
/// # let mut log = Hypercore::open(Arc::new(MemoryDir::new()), options)?;
/// log.append("hello")?;
/// if let Some(mut flush) = log.begin_flush()? {
///     loop {
///         let synced = flush.sync(); // the log is not borrowed here
///         if log.continue_flush(&mut flush, synced)? {
///             break;
///         }
///     }
/// }
/// assert_eq!(log.durable_length(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FlushAside {
    generation: u64,
    /// The length that will be durable.
    length: u64,
    /// What the journal will tell of that.
    base: Option<Base>,
    /// The pages that had changed.
    changes: Bitfield,
    content: Vec<Arc<dyn Storage>>,
    pages: Arc<dyn Storage>,
    dir: Option<Arc<dyn StorageDir>>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Content,
    BlockBits,
    NodeBits,
}

impl FlushAside {
    /// The part that takes long, for which the log is not needed. What it returns goes to
    /// [`Hypercore::continue_flush`].
    pub fn sync(&self) -> io::Result<()> {
        if let Stage::Content = self.stage {
            self.content.iter().try_for_each(|file| file.sync())?;
            if let Some(dir) = &self.dir {
                dir.sync()?;
            }
        }
        // At first for its header: torn, it would look like one that gives the pages no size.
        self.pages.sync()
    }
}

impl Hypercore {
    /// Begins a flush beside other uses of the log. `None` if there is nothing to be flushed, or an
    /// ordinary [`flush`](Self::flush) is called for: with another mode than [`Durability::OnFlush`],
    /// and where signed blocks were lost or an earlier write failed.
    pub fn begin_flush(&mut self) -> io::Result<Option<FlushAside>> {
        if self.options.read_only
            || self.poisoned
            || self.options.durability != Durability::OnFlush
            || self.bits_are_evidence()
            || !self.is_unflushed()
        {
            return Ok(None);
        }
        self.overtake();
        self.store.nodes.write_out()?;
        let unlisted = self.dir_dirty || self.store.blocks.is_unlisted();
        let base = self.is_marked().then(|| self.base()).transpose()?;
        if base.is_some() && unlisted {
            self.store.journal.create()?;
        }
        let dir = unlisted.then(|| self.dir.clone());
        self.dir_dirty = false;
        self.store.blocks.set_listed();
        self.content_dirty = false;
        self.unflushed = 0;
        let changes = self.bits.take_changes();
        self.flushing = Some(changes.dirty().clone());
        Ok(Some(FlushAside {
            generation: self.generation,
            length: self.length,
            base,
            changes,
            content: self.store.content_files(),
            pages: self.store.pages.file(),
            dir,
            stage: Stage::Content,
        }))
    }

    /// Goes on after [`FlushAside::sync`], with what that returned. True when there is nothing left to
    /// do. After an error it is unknown what is on disk, and every later change is refused.
    pub fn continue_flush(
        &mut self,
        flush: &mut FlushAside,
        synced: io::Result<()>,
    ) -> io::Result<bool> {
        if flush.generation != self.generation {
            return Ok(true);
        }
        let result = synced.and_then(|()| self.next_stage(flush));
        if result.is_err() {
            self.flushing = None;
            self.poisoned = true;
        }
        result
    }

    fn next_stage(&mut self, flush: &mut FlushAside) -> io::Result<bool> {
        if self.poisoned {
            return Err(io::Error::other(
                "an earlier write failed; open the log again",
            ));
        }
        // What was cleared meanwhile is not here any longer.
        flush.changes.intersect(&self.bits);
        flush.stage = match flush.stage {
            Stage::Content => {
                self.store.pages.header_synced();
                self.store.pages.write_blocks(&flush.changes, false)?;
                Stage::BlockBits
            }
            Stage::BlockBits => {
                self.store.pages.write_nodes(&flush.changes)?;
                Stage::NodeBits
            }
            Stage::NodeBits => {
                self.durable = self.durable.max(flush.length);
                self.flushing = None;
                if let Some(base) = &flush.base {
                    self.mark(base)?;
                }
                self.rest();
                return Ok(true);
            }
        };
        Ok(false)
    }

    /// Takes over what a flush beside other uses has not done.
    pub(super) fn overtake(&mut self) {
        self.generation += 1;
        if let Some(pages) = self.flushing.take() {
            self.bits.mark_dirty(pages);
            self.content_dirty = true;
            self.dir_dirty = true;
        }
    }

    /// Bytes stored by `put` since the last flush began.
    pub(crate) fn unflushed_bytes(&self) -> u64 {
        self.unflushed
    }

    /// Whether every change is refused until the log is opened again.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}
