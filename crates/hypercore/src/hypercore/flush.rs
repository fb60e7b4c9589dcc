use std::io;

use crate::hypercore::Hypercore;

impl Hypercore {
    /// Makes everything appended or stored before survive a power cut.
    ///
    /// Blocks, nodes and signatures become durable first, then the block bits, then the node bits
    /// that the length is read from; so a cut at any point leaves bits for nothing that is missing.
    /// After an error it is unknown what is on disk, and every later change is refused.
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
        result
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.content_dirty {
            self.store.sync_content()?;
            self.content_dirty = false;
        }
        // The file `data` comes with the first block, which may be long after the others.
        if self.dir_dirty || self.store.blocks.is_unlisted() {
            self.dir.sync()?;
            self.dir_dirty = false;
            self.store.blocks.set_listed();
        }
        if !self.bits.dirty().is_empty() {
            self.store.pages.write_blocks(&self.bits)?;
            self.store.pages.sync()?;
            self.store.pages.write_nodes(&self.bits)?;
            self.store.pages.sync()?;
            self.bits.mark_clean();
        }
        self.unflushed = 0;
        Ok(())
    }
}
