use std::io;

use crate::Durability;
use crate::hypercore::Hypercore;

impl Hypercore {
    /// Makes everything appended or stored before survive a power cut.
    ///
    /// Blocks, nodes and signatures become durable first, then the block bits, then the node bits
    /// that the length is read from; so a cut at any point leaves bits for nothing that is missing.
    /// After an error it is unknown what is on disk, and every later change is refused. With
    /// [`Durability::Never`] everything is written in the same order and nothing is synced.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.options.read_only {
            return Ok(());
        }
        if self.poisoned {
            return Err(io::Error::other(
                "an earlier write failed; open the log again",
            ));
        }
        let result = self.write_out();
        self.poisoned = result.is_err();
        self.rest();
        result
    }

    /// Takes the log's lock before anything is changed, if it was let go of.
    pub(super) fn hold(&self) -> io::Result<()> {
        self.lock.as_ref().map_or(Ok(()), |lock| lock.hold())
    }

    /// Lets the directory do without the log's descriptors and lock for as long as nothing changes.
    pub(super) fn rest(&self) {
        if let Some(lock) = &self.lock
            && !self.poisoned
            && !self.is_unflushed()
        {
            lock.rest();
        }
    }

    /// Makes durable what was written while nothing was synced.
    pub(super) fn sync_all(&mut self) -> io::Result<()> {
        self.content_dirty = true;
        self.dir_dirty = true;
        let synced = self.sync_content().and_then(|()| self.store.pages.sync());
        self.poisoned |= synced.is_err();
        synced
    }

    /// Whether something was written that the next flush would make durable.
    pub(crate) fn is_unflushed(&self) -> bool {
        self.content_dirty
            || self.flushing.is_some()
            || !self.bits.dirty().is_empty() && !self.bits_are_evidence()
    }

    /// Whether the bits on disk are what tells that signed blocks were lost. Written anew, for the
    /// shorter log, they would let the next opening sign other blocks in their place.
    pub(super) fn bits_are_evidence(&self) -> bool {
        self.lost.is_some_and(|signed| signed > self.length)
    }

    /// Makes blocks, nodes and signatures durable, and the files that they are in.
    pub(super) fn sync_content(&mut self) -> io::Result<()> {
        let sync = self.options.durability != Durability::Never;
        if self.content_dirty {
            self.store.nodes.write_out()?;
            if sync {
                self.store.sync_content()?;
            }
        }
        self.content_dirty = false;
        // The file `data` comes with the first block, which may be long after the others.
        if sync && (self.dir_dirty || self.store.blocks.is_unlisted()) {
            if self.is_marked() {
                self.store.journal.create()?;
            }
            self.dir.sync()?;
            self.dir_dirty = false;
            self.store.blocks.set_listed();
        }
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.overtake();
        self.sync_content()?;
        let sync = self.options.durability != Durability::Never;
        if !self.bits.dirty().is_empty() && !self.bits_are_evidence() {
            self.store.pages.write_blocks(&self.bits, sync)?;
            if sync {
                self.store.pages.sync()?;
            }
            self.store.pages.write_nodes(&self.bits)?;
            if sync {
                self.store.pages.sync()?;
            }
            self.bits.mark_clean();
        }
        self.durable = self.length;
        self.store.journal.reset();
        if self.is_marked() && self.length > self.store.journal.marked() {
            self.mark(&self.base()?)?;
        }
        self.unflushed = 0;
        Ok(())
    }
}
