//! Appending files to the content log: each file one run of blocks, many files in one append.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::lock::OwnedMutexGuard;
use hypercore::Feed;

use crate::chunker::MAX_BLOCK_BYTES;
use crate::{Chunker, Drive, DriveError, Stat};

/// The content log, locked for appending. Blocks are gathered and appended in batches, each of
/// which costs one signature.
#[derive(Debug)]
pub(crate) struct Appender {
    feed: Feed,
    chunker: Arc<dyn Chunker>,
    /// Blocks to be appended, and their size in bytes.
    pending: Vec<Bytes>,
    pending_bytes: usize,
    /// Where the next block goes, pending ones counted.
    next_block: u64,
    next_byte: u64,
    /// The start of a block of the file that is being written.
    partial: BytesMut,
    _appending: OwnedMutexGuard<()>,
}

/// A file's blocks in the content log. What a [`Stat`] says of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Run {
    pub(crate) offset: u64,
    pub(crate) byte_offset: u64,
    pub(crate) blocks: u64,
    pub(crate) size: u64,
}

impl Appender {
    /// Waits until no other file is being written, and locks the content log.
    pub(crate) async fn lock(drive: &Drive) -> Result<Self, DriveError> {
        if let Some(version) = drive.checked_out() {
            return Err(DriveError::Checkout { version });
        }
        if !drive.metadata().is_writable() {
            return Err(DriveError::NotWritable);
        }
        drive.mend_before_writing().await?;
        let feed = drive.content().await?;
        if !feed.is_writable() {
            return Err(DriveError::NotWritable);
        }
        let appending = drive.shared.appending.clone().lock_owned().await;
        Ok(Self {
            chunker: Arc::clone(&drive.shared.options.chunker),
            pending: Vec::new(),
            pending_bytes: 0,
            next_block: feed.length(),
            next_byte: feed.byte_length(),
            partial: BytesMut::new(),
            feed,
            _appending: appending,
        })
    }

    pub(crate) fn set_chunker(&mut self, chunker: Arc<dyn Chunker>) {
        self.chunker = chunker;
    }

    /// The empty run that starts here: where a file would begin.
    pub(crate) fn start(&self) -> Run {
        Run {
            offset: self.next_block,
            byte_offset: self.next_byte,
            blocks: 0,
            size: 0,
        }
    }

    /// Whether a file's run ends the log, so that blocks can be added to it.
    pub(crate) fn is_end_of(&self, run: Run) -> bool {
        let end = |start: u64, count: u64| start.checked_add(count);
        end(run.offset, run.blocks) == Some(self.next_block)
            && end(run.byte_offset, run.size) == Some(self.next_byte)
    }

    /// Adds bytes to a file. They are cut into blocks, small pieces gathered. Nothing at all, given
    /// to a file that is empty so far, is one empty block, as the reference writes it.
    pub(crate) fn write(&mut self, run: &mut Run, mut bytes: Bytes) -> Result<(), DriveError> {
        if bytes.is_empty() && run.blocks == 0 && self.partial.is_empty() {
            return self.push(run, bytes);
        }
        loop {
            if self.partial.is_empty() {
                match self.cut(&bytes, false) {
                    Some(end) => {
                        let block = bytes.split_to(end);
                        self.push(run, block)?;
                    }
                    None => {
                        self.partial.extend_from_slice(&bytes);
                        return Ok(());
                    }
                }
            } else if bytes.is_empty() {
                return Ok(());
            } else {
                // A few bytes more at a time, since those behind the end of the block need no copy.
                let before = self.partial.len();
                let room = MAX_BLOCK_BYTES.saturating_sub(before).clamp(1, BLOCK_SIZE);
                let more = bytes.slice(..room.min(bytes.len()));
                self.partial.extend_from_slice(&more);
                let end = self.cut(&self.partial, false);
                let Some(end) = end else {
                    bytes.advance(more.len());
                    continue;
                };
                let block = self.partial.split_to(end).freeze();
                if end >= before {
                    self.partial.clear();
                    bytes.advance(end - before);
                } else {
                    bytes.advance(more.len());
                }
                self.push(run, block)?;
            }
        }
    }

    /// Where the next block ends.
    fn cut(&self, bytes: &[u8], last: bool) -> Option<usize> {
        let end = match self.chunker.cut(bytes, last) {
            None if bytes.len() < MAX_BLOCK_BYTES && !last => return None,
            end => end.unwrap_or(bytes.len()),
        };
        let most = bytes.len().min(MAX_BLOCK_BYTES);
        (most > 0).then(|| end.clamp(1, most))
    }

    /// Ends a file. One that was given nothing has no blocks, as with the reference's streams.
    pub(crate) fn end(&mut self, run: &mut Run) -> Result<(), DriveError> {
        while let Some(end) = self.cut(&self.partial, true) {
            let block = self.partial.split_to(end).freeze();
            self.push(run, block)?;
        }
        Ok(())
    }

    /// Gives a file up. Blocks that were appended already stay, and nothing refers to them.
    pub(crate) fn abandon(&mut self, run: Run) {
        self.partial.clear();
        while self.next_block > run.offset {
            let Some(block) = self.pending.pop() else {
                break;
            };
            self.pending_bytes -= block.len();
            self.next_block -= 1;
            self.next_byte -= block.len() as u64;
        }
    }

    /// Appends what was gathered, so that paths may refer to it: they become durable after it.
    pub(crate) fn append(&mut self) -> Result<(), DriveError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        // Somebody else may have appended through another handle of the log.
        let start = self.next_block - self.pending.len() as u64;
        if self.feed.length() != start || self.feed.append_batch(&self.pending)? != start {
            return Err(DriveError::Conflict);
        }
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    fn push(&mut self, run: &mut Run, block: Bytes) -> Result<(), DriveError> {
        let size = block.len() as u64;
        run.blocks += 1;
        run.size += size;
        self.next_block += 1;
        self.next_byte += size;
        self.pending_bytes += block.len();
        self.pending.push(block);
        if self.pending_bytes >= APPEND_BYTES || self.pending.len() >= APPEND_BLOCKS {
            self.append()?;
        }
        Ok(())
    }
}

impl Run {
    /// Says in a file's entry where its content is.
    pub(crate) fn describe(self, stat: &mut Stat) {
        stat.offset = self.offset;
        stat.byte_offset = self.byte_offset;
        stat.blocks = self.blocks;
        stat.size = self.size;
    }
}

/// The size of blocks unless the options say otherwise, in bytes.
pub(crate) const BLOCK_SIZE: usize = 65_536;

/// How many bytes are gathered before they are appended.
const APPEND_BYTES: usize = 4 << 20;

/// How many blocks are gathered before they are appended.
const APPEND_BLOCKS: usize = 1024;
