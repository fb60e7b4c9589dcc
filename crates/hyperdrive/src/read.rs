use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::{Bound, Range, RangeBounds};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_io::AsyncRead;
use futures_util::future::try_join;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use hypercore::{Download, Feed};

use crate::read_ahead::ReadAhead;
use crate::{Drive, DriveError, EntryFault, Stat, path};

impl Drive {
    /// Reads bytes of a file, following symlinks. What lies beyond its end is not there to be read:
    /// the stream ends earlier.
    ///
    /// Only the blocks that are needed are fetched, some of them ahead. A file has the bytes that
    /// its entry gives as its size; if its content is shorter, the stream ends with an error.
    pub async fn read(
        &self,
        path: &str,
        range: impl RangeBounds<u64>,
    ) -> Result<ReadStream, DriveError> {
        let (start, end) = (start_of(&range), end_of(&range));
        // Where the content is has to be asked for as well, and need not wait for the entry.
        let found = beside(self.entry(path, true), self.content()).await?;
        found
            .drive()
            .read_entry(found.shown(), &found.entry.stat, start..end)
            .await
    }

    /// Reads a whole file into memory, following symlinks.
    ///
    /// Files larger than [`Drive::READ_FILE_LIMIT`] are refused: [`read`](Self::read) them in parts.
    pub async fn read_file(&self, path: &str) -> Result<Bytes, DriveError> {
        let stream = self.read(path, ..).await?;
        if stream.len() > Self::READ_FILE_LIMIT {
            let (path, size) = (path::shown(&path::clean(path)), stream.len());
            return Err(DriveError::TooLarge {
                path,
                size,
                limit: Self::READ_FILE_LIMIT,
            });
        }
        stream.gather().await
    }

    /// The largest file that [`read_file`](Self::read_file) reads, in bytes.
    pub const READ_FILE_LIMIT: u64 = 256 << 20;

    /// Reads a file whose entry is known. `path` is for errors.
    pub(crate) async fn read_entry(
        &self,
        path: String,
        stat: &Stat,
        range: Range<u64>,
    ) -> Result<ReadStream, DriveError> {
        if stat.is_dir() {
            return Err(DriveError::IsADirectory { path });
        }
        let log = match &stat.mount {
            Some(mount) => Some(self.mounted_log(mount).await?),
            None => None,
        };
        let extent = match &log {
            Some(log) => Ok(Extent::all(log)),
            None => Extent::of(stat),
        };
        let extent = match extent {
            Ok(extent) => extent,
            Err(fault) => return Err(DriveError::BadEntry { path, fault }),
        };
        let (start, end) = (range.start, range.end.min(extent.size));
        if start >= end {
            return Ok(ReadStream {
                blocks: futures_util::stream::empty().boxed(),
                left: 0,
            });
        }
        let content = match log {
            Some(log) => log,
            None => self.content().await?,
        };
        let mut reader = Reader::new(content, path, extent, end - start);
        reader.wait_for_end(start).await?;
        reader.seek(start).await?;
        let blocks = futures_util::stream::try_unfold(reader, |mut reader| async {
            Ok(reader.next().await?.map(|bytes| (bytes, reader)))
        });
        Ok(ReadStream {
            blocks: blocks.boxed(),
            left: end - start,
        })
    }
}

/// The bytes of a file as a stream of pieces, each from one block; made by [`Drive::read`].
///
/// Memory holds one block at a time, or several that have no more than 1 MiB together: what is fetched
/// ahead waits in the store. That is 256 KiB at least and 16 MiB at most, more while the reader has to
/// wait and less while it does not; dropping the stream takes it back.
pub struct ReadStream {
    blocks: BoxStream<'static, Result<Bytes, DriveError>>,
    left: u64,
}

impl ReadStream {
    /// How many bytes are still to come.
    pub fn len(&self) -> u64 {
        self.left
    }

    /// Whether nothing is to come.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, DriveError>> {
        StreamExt::next(self).await
    }

    /// All that is left, in one piece.
    pub async fn gather(mut self) -> Result<Bytes, DriveError> {
        let Some(first) = self.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        if self.is_empty() {
            return Ok(first);
        }
        // Not reserved by size, which may be a lie.
        let mut bytes = Vec::from(first);
        while let Some(next) = self.next().await {
            bytes.extend_from_slice(&next?);
        }
        Ok(bytes.into())
    }

    /// The bytes as a reader.
    pub fn into_async_read(self) -> impl AsyncRead + Send + Unpin {
        self.map_err(std::io::Error::from).into_async_read()
    }
}

impl Stream for ReadStream {
    type Item = Result<Bytes, DriveError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.blocks.as_mut().poll_next(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &next {
            self.left = self.left.saturating_sub(bytes.len() as u64);
        }
        next
    }
}

impl fmt::Debug for ReadStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadStream")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// Where a file's bytes are: a run of blocks of the content log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Extent {
    /// In blocks.
    pub(crate) blocks: Range<u64>,
    /// Where the first block starts in the log, in bytes.
    byte_offset: u64,
    /// In bytes.
    pub(crate) size: u64,
}

impl Extent {
    /// What a file's entry says, if it can be true.
    pub(crate) fn of(stat: &Stat) -> Result<Self, EntryFault> {
        let end = stat
            .offset
            .checked_add(stat.blocks)
            .filter(|&end| end <= MAX_BLOCKS);
        let blocks = stat.offset..end.ok_or(EntryFault::Range)?;
        stat.byte_offset
            .checked_add(stat.size)
            .ok_or(EntryFault::Range)?;
        if stat.size > 0 && blocks.is_empty() {
            return Err(EntryFault::NoBlocks { size: stat.size });
        }
        Ok(Self {
            blocks,
            byte_offset: stat.byte_offset,
            size: stat.size,
        })
    }

    /// All that a log holds now.
    fn all(log: &Feed) -> Self {
        Self {
            blocks: 0..log.length(),
            byte_offset: 0,
            size: log.byte_length(),
        }
    }

    /// The size of all blocks but the last if they have one of the sizes that are usual. A guess:
    /// it fits the number of blocks, no more.
    fn block_size(&self) -> Option<u64> {
        let count = self.blocks.end - self.blocks.start;
        BLOCK_SIZES
            .into_iter()
            .find(|size| self.size.div_ceil(*size) == count)
    }
}

/// Reads a part of a file block by block.
struct Reader {
    content: Feed,
    path: String,
    extent: Extent,
    /// The next block to be read.
    next: u64,
    /// How many bytes before the part are still ahead.
    skip: u64,
    /// How many bytes of the part are left.
    left: u64,
    /// What is being fetched, each with its last block's successor, up to block `ahead`.
    fetching: VecDeque<(u64, Download)>,
    ahead: u64,
    pace: ReadAhead,
    /// Blocks that were read together, the next ones first.
    read: VecDeque<Bytes>,
}

impl Reader {
    fn new(content: Feed, path: String, extent: Extent, left: u64) -> Self {
        let (next, fetching) = (extent.blocks.start, VecDeque::new());
        Self {
            content,
            path,
            extent,
            next,
            skip: 0,
            left,
            fetching,
            ahead: next,
            pace: ReadAhead::new(next),
            read: VecDeque::new(),
        }
    }

    /// Waits until the content log is known to be long enough, or known not to be. The block that byte
    /// `start` of the file is in, or seems to be, is asked for at the same time: how long the log is
    /// comes with it.
    async fn wait_for_end(&self, start: u64) -> Result<(), DriveError> {
        if self.content.length() >= self.extent.blocks.end {
            return Ok(());
        }
        let Some(block) = self.guess(start) else {
            return self.end_known().await;
        };
        let first = async { Ok(self.content.get(block).await?) };
        try_join(self.end_known(), first).await?;
        Ok(())
    }

    /// The block that a byte of the file is in, if the blocks have a usual size. A guess: a file says
    /// nothing of its blocks but their number.
    fn guess(&self, start: u64) -> Option<u64> {
        let first = self.extent.blocks.start;
        let single = start == 0 || self.extent.blocks.end - first == 1;
        let within = match single {
            true => 0,
            false => start / self.extent.block_size()?,
        };
        Some(first + within)
    }

    async fn end_known(&self) -> Result<(), DriveError> {
        let end = self.extent.blocks.end;
        loop {
            let length = self.content.length();
            if length >= end {
                return Ok(());
            }
            // Content is appended before the entry, and whoever has the one asks for the other; so
            // when all who are connected have said what they have, the entry is wrong.
            let answered = self.content.is_writable();
            if self.content.update().await? {
                continue;
            }
            if answered && self.content.length() < end {
                return Err(self.fault(EntryFault::Missing { end, length }));
            }
            self.content.wait_longer_than(length).await?;
        }
    }

    /// Goes to byte `start` of the file.
    async fn seek(&mut self, start: u64) -> Result<(), DriveError> {
        let run = self.extent.blocks.clone();
        if start == 0 || run.end - run.start == 1 {
            self.skip = start;
            return Ok(());
        }
        // With a block comes the proof of where it is, which makes the search below a local one. The
        // guess may be wrong, but the block is then in the neighbourhood.
        if let Some(guess) = self.guess(start)
            && !self.content.has(guess)
        {
            self.content.get(guess).await?;
        }
        let byte = self.extent.byte_offset + start;
        match self.content.seek(byte, run).await? {
            Some((block, offset)) => {
                (self.next, self.skip, self.ahead) = (block, offset, block);
                self.pace = ReadAhead::new(block);
                Ok(())
            }
            // The byte is in another file's blocks, or in none.
            None => Err(self.fault(EntryFault::Short {
                size: self.extent.size,
                found: start,
            })),
        }
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, DriveError> {
        while self.left > 0 {
            if self.next >= self.extent.blocks.end {
                let found = self.extent.size - self.left;
                return Err(self.fault(EntryFault::Short {
                    size: self.extent.size,
                    found,
                }));
            }
            let asked = self.ahead;
            self.fetch_ahead();
            if self.read.is_empty() {
                self.read_together()?;
            }
            self.keep_pace(asked);
            let mut block = match self.read.pop_front() {
                Some(block) => block,
                None => self.content.get(self.next).await?,
            };
            self.next += 1;
            let size = block.len() as u64;
            if self.skip >= size {
                self.skip -= size;
                continue;
            }
            // Both are less than the block's length.
            block = block.slice(usize::try_from(self.skip).unwrap_or(0)..);
            self.skip = 0;
            block.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= block.len() as u64;
            return Ok(Some(block));
        }
        Ok(None)
    }

    /// Reads several blocks at once if they are here, as far as they are needed. One that is alone is
    /// left to whoever waits for it.
    fn read_together(&mut self) -> Result<(), DriveError> {
        let needed = (self.skip + self.left).div_ceil(self.average());
        let end = self.next.saturating_add(needed.min(READ_BLOCKS));
        let end = end.min(self.extent.blocks.end);
        let here = self.content.next_missing(self.next, end).unwrap_or(end);
        let mut run = self.next..here;
        // An average says nothing about single blocks.
        while run.end - run.start > 1 && self.content.held_bytes(run.clone())? > READ_BYTES {
            run.end = run.start + (run.end - run.start) / 2;
        }
        if run.end - run.start > 1 {
            self.read = self.content.get_range_local(run)?.into();
        }
        Ok(())
    }

    /// How many bytes a block of the file has on average; at least one.
    fn average(&self) -> u64 {
        let run = &self.extent.blocks;
        (self.extent.size / (run.end - run.start).max(1)).max(1)
    }

    /// Learns from whether the next block is here. Those before `asked` were asked for before now.
    fn keep_pace(&mut self, asked: u64) {
        if self.next >= asked || self.fetching.is_empty() {
            // There was no time for it to come, or nothing has to.
            return;
        }
        if self.read.is_empty() && !self.content.has(self.next) {
            self.pace.waits(self.next, self.ahead);
            self.fetch_ahead();
        } else {
            let average = self.average();
            self.pace.finds(self.next, average);
        }
    }

    /// Sees to it that the blocks after the next one are on their way.
    fn fetch_ahead(&mut self) {
        let run = &self.extent.blocks;
        let average = self.average();
        let window = self.pace.blocks(average);
        if self.ahead
            >= self
                .next
                .saturating_add(window / 2)
                .max(self.next + 1)
                .min(run.end)
        {
            return;
        }
        // Not beyond what was asked for, as far as the average tells.
        let needed = (self.skip + self.left).div_ceil(average).max(1);
        let end = self.next.saturating_add(window.min(needed)).min(run.end);
        let start = self.ahead.max(self.next);
        if end <= start {
            return;
        }
        self.ahead = end;
        while self
            .fetching
            .front()
            .is_some_and(|(end, _)| *end <= self.next)
        {
            self.fetching.pop_front();
        }
        if !self.content.has_range(start..end) {
            let download = self.content.download_linear(start..end);
            self.fetching.push_back((end, download));
        }
    }

    fn fault(&self, fault: EntryFault) -> DriveError {
        DriveError::BadEntry {
            path: self.path.clone(),
            fault,
        }
    }
}

/// Does the work, and beside it, for as long as that takes, something that helps what comes after.
async fn beside<T>(work: impl Future<Output = T>, aside: impl Future) -> T {
    let (mut work, mut aside) = (pin!(work), pin!(aside.fuse()));
    poll_fn(|cx| {
        let done = work.as_mut().poll(cx);
        if done.is_pending() {
            // What comes of it is found later.
            let _ = aside.as_mut().poll(cx);
        }
        done
    })
    .await
}

fn start_of(range: &impl RangeBounds<u64>) -> u64 {
    match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    }
}

fn end_of(range: &impl RangeBounds<u64>) -> u64 {
    match range.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => u64::MAX,
    }
}

/// The sizes of blocks that files are usually cut into: ours and the reference's.
const BLOCK_SIZES: [u64; 2] = [65_536, 524_288];

/// The largest number of blocks in a log: Node counts in doubles, and a tree has two nodes a block.
const MAX_BLOCKS: u64 = 1 << 52;

/// How many blocks are read from the storage at once, and how many bytes unless it is one block.
const READ_BLOCKS: u64 = 16;
const READ_BYTES: u64 = 1 << 20;
