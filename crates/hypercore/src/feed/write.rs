use std::io;

use super::Feed;
use crate::AppendError;

/// Appends bytes as blocks of one size. Made by [`Feed::writer`].
///
/// Blocks are appended in batches of about a mebibyte. Bytes that do not fill a block wait until
/// [`finish`](Self::finish) or a flush makes a shorter block of them; dropping the writer before that
/// drops them.
#[derive(Debug)]
pub struct BlockWriter {
    feed: Feed,
    block_bytes: usize,
    full: Vec<Vec<u8>>,
    full_bytes: usize,
    rest: Vec<u8>,
}

impl Feed {
    /// A writer that cuts what is written into blocks of `block_bytes` bytes (at least one).
    pub fn writer(&self, block_bytes: usize) -> BlockWriter {
        BlockWriter {
            feed: self.clone(),
            block_bytes: block_bytes.max(1),
            full: Vec::new(),
            full_bytes: 0,
            rest: Vec::new(),
        }
    }
}

impl BlockWriter {
    /// Appends what is left. After an error the same bytes can be tried again.
    pub fn finish(&mut self) -> Result<(), AppendError> {
        if !self.rest.is_empty() {
            self.cut();
        }
        self.append()
    }

    fn cut(&mut self) {
        self.full_bytes += self.rest.len();
        self.full.push(std::mem::take(&mut self.rest));
    }

    fn append(&mut self) -> Result<(), AppendError> {
        if !self.full.is_empty() {
            self.feed.append_batch(&self.full)?;
            self.full.clear();
            self.full_bytes = 0;
        }
        Ok(())
    }
}

impl io::Write for BlockWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.full_bytes >= BATCH_BYTES {
            self.append().map_err(into_io)?;
        }
        let room = self.block_bytes - self.rest.len();
        let taken = &bytes[..room.min(bytes.len())];
        self.rest.extend_from_slice(taken);
        if self.rest.len() == self.block_bytes {
            self.cut();
        }
        Ok(taken.len())
    }

    /// Appends all that was written, the last block being a shorter one perhaps. It does not flush
    /// the log.
    fn flush(&mut self) -> io::Result<()> {
        self.finish().map_err(into_io)
    }
}

fn into_io(error: AppendError) -> io::Error {
    match error {
        AppendError::Storage(error) => error,
        error => io::Error::other(error),
    }
}

/// How many bytes are appended together.
const BATCH_BYTES: usize = 1 << 20;
