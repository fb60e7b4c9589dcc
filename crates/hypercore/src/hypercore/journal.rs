use std::io;

use hypercore_crypto::Signature;

use crate::hypercore::{Hypercore, hash_roots};
use crate::store::{Base, Record};
use crate::tree::{Growth, grow};
use crate::{Durability, NodeIndex, OpenError};

impl Hypercore {
    /// Takes in what the journal has beyond the other files. It is ignored where it does not fit:
    /// then another program wrote meanwhile.
    pub(super) fn replay(&mut self) -> Result<(), OpenError> {
        let Some(base) = self.store.journal.rewind()? else {
            return Ok(());
        };
        if self.length < base.length {
            // These files were durable once, and are those of an older copy.
            let signed = base
                .signature
                .is_some_and(|signature| self.key.verify_tree(&base.tree, base.length, &signature));
            self.lost = self.lost.max(signed.then_some(base.length));
            return Ok(());
        }
        while let Some(record) = self.store.journal.next_record()? {
            if record.length <= self.length {
                // The other files have it too, or something else of that length. The signature alone
                // may be lost.
                let stored = self.store.signatures.get(record.length)?;
                if stored.is_some_and(|stored| stored != record.signature) {
                    return Ok(());
                }
            } else if !self.apply(&record)? {
                return Ok(());
            }
        }
        if self.content_dirty {
            self.flush()?;
        }
        Ok(())
    }

    /// Appends what was appended before. False if it does not follow on what is here.
    fn apply(&mut self, record: &Record) -> io::Result<bool> {
        let first = self.length;
        if first + record.blocks.len() as u64 != record.length {
            return Ok(false);
        }
        let blocks: Vec<&[u8]> = record.blocks.iter().map(Vec::as_slice).collect();
        let Growth { mut nodes, roots } = grow(&self.roots, &blocks);
        let tree = hash_roots(&roots);
        if !self
            .key
            .verify_tree(&tree, record.length, &record.signature)
        {
            return Ok(false);
        }
        self.content_dirty = true;
        self.write_append(&blocks, &mut nodes, record.length, &record.signature)?;
        for index in first..record.length {
            self.bits.set_block(index);
            self.bits.set_node(NodeIndex::leaf(index));
        }
        self.set_roots(record.length, roots);
        Ok(true)
    }

    /// Makes an append that was just written durable, if that is asked for.
    pub(super) fn secure(
        &mut self,
        blocks: &[&[u8]],
        length: u64,
        signature: &Signature,
    ) -> io::Result<()> {
        if self.options.durability != Durability::EachAppend {
            return Ok(());
        }
        let result = if self.store.journal.len_with(blocks) > self.options.journal_bytes {
            // What is signed and whole is found again without bits.
            self.sync_content()
        } else {
            let idle = self.store.journal.is_idle();
            let base = idle.then(|| self.base()).transpose()?;
            let journal = &mut self.store.journal;
            let result = journal.append(base.as_ref(), length, signature, blocks);
            self.poisoned |= journal.is_uncertain();
            return result;
        };
        self.poisoned |= result.is_err();
        result
    }

    /// What is signed at the log's length.
    pub(super) fn base(&self) -> io::Result<Base> {
        Ok(Base {
            length: self.length,
            tree: hash_roots(&self.roots),
            signature: self.store.signatures.get(self.length)?,
        })
    }

    /// Whether the journal's header is to tell how far a log is durable that its author writes, lest
    /// he sign anything else there once files are lost.
    pub(super) fn is_marked(&self) -> bool {
        self.is_writable()
            && self.options.durability == Durability::OnFlush
            && self.length > 0
            && !self.bits_are_evidence()
    }

    /// Notes in the journal that the log is durable up to here.
    pub(super) fn mark(&mut self, base: &Base) -> io::Result<()> {
        match base.signature {
            Some(_) if base.length > self.store.journal.marked() => self.store.journal.mark(base),
            _ => Ok(()),
        }
    }

    /// Prepares the journal for another append: the other files must be durable when it begins, and
    /// are brought up to date when it would become too long.
    pub(super) fn prepare_journal(&mut self, blocks: &[&[u8]]) -> io::Result<()> {
        if self.options.durability != Durability::EachAppend {
            return Ok(());
        }
        let journal = &self.store.journal;
        let full = journal.len_with(blocks) > self.options.journal_bytes;
        if journal.is_idle() && self.is_unflushed() || full && !journal.is_idle() {
            self.flush()?;
        }
        Ok(())
    }
}
