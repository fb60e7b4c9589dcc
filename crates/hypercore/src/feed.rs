use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use hypercore_crypto::{DiscoveryKey, PublicKey};

use crate::{AppendError, Audit, ForkProof, Hypercore, ReadError, Repair, Seek};

mod blocks;
mod demand;
mod download;
mod events;
mod get;
mod inspect;
mod mailbox;
mod order;
mod peer;
mod plan;
mod rarity;
mod read;
mod receive;
mod serve;
mod shared;
mod supply;
mod swarm;
mod typed;
mod write;

pub use download::Download;
pub use events::{Events, FeedEvent};
pub use mailbox::{
    MAX_MAIL_BYTES, MAX_MAILBOX_BYTES, MAX_MAILBOX_NAME_BYTES, MAX_MAILBOXES, MAX_WAITING_MAIL,
    MAX_WAITING_MAIL_BYTES, Mailbox, MailboxError,
};
pub use peer::{Changes, Peer};
pub use plan::{Request, RequestLimits};
pub use read::{Blocks, ReadRange};
pub use receive::{DataError, Delivery, Received};
pub use serve::Answer;
pub use shared::AvailableHold;
pub use supply::HintBudget;
pub use swarm::{PeerId, Stats};
pub use typed::{Codec, CodecError, Typed, Utf8, ValueError, Values};
pub use write::BlockWriter;

use demand::{Seeking, Selected};
use get::Get;
use shared::Shared;
use swarm::Swarm;

/// A cloneable handle on a log, whose `get` waits for blocks that have not arrived.
///
/// All handles share one [`Hypercore`]. Whatever can be answered from storage is answered at once
/// and synchronously; the `async` methods wait for peers. The log knows no wire: each remote that
/// has it open takes part as a [`Peer`], through which a replicator learns which blocks are wanted
/// and brings them. Every future here is cancel-safe: dropping it withdraws what it asked for.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

impl Feed {
    /// Shares an open log.
    pub fn new(core: Hypercore) -> Self {
        Self {
            shared: Arc::new(Shared::new(core)),
        }
    }

    /// Who signs the log.
    pub fn public_key(&self) -> PublicKey {
        self.shared.public_key
    }

    /// What may be said aloud to find the log.
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.shared.discovery_key
    }

    /// Whether blocks can be appended here.
    pub fn is_writable(&self) -> bool {
        self.shared.writable
    }

    /// Whether the log was closed.
    pub fn is_closed(&self) -> bool {
        self.shared.core().is_none()
    }

    /// The number of blocks known to be in the log; 0 once it is closed.
    pub fn length(&self) -> u64 {
        self.shared.core().as_ref().map_or(0, Hypercore::length)
    }

    /// The number of bytes in these blocks; 0 once it is closed.
    pub fn byte_length(&self) -> u64 {
        self.shared
            .core()
            .as_ref()
            .map_or(0, Hypercore::byte_length)
    }

    /// The evidence that the author signed two logs, if it was met.
    pub fn fork(&self) -> Option<ForkProof> {
        self.shared.core().as_ref()?.fork().cloned()
    }

    /// How many of these blocks a power cut would leave; see [`Hypercore::durable_length`]. Peers are
    /// told of no others; 0 once it is closed.
    pub fn durable_length(&self) -> u64 {
        self.shared
            .core()
            .as_ref()
            .map_or(0, Hypercore::durable_length)
    }

    /// Whether blocks were appended that peers may be told of only after a [`flush`](Self::flush).
    ///
    /// Whoever connects the log to peers looks at this when its doorbell rings, and sees to it that
    /// the log is flushed soon. A request that comes in before is answered after a flush.
    pub fn needs_flush(&self) -> bool {
        let core = self.shared.core();
        core.as_ref()
            .is_some_and(|core| core.durable_length() < core.length())
    }

    /// Whether a block is stored here.
    pub fn has(&self, index: u64) -> bool {
        self.shared
            .core()
            .as_ref()
            .is_some_and(|core| core.has(index))
    }

    /// Whether every block of a range is stored here.
    pub fn has_range(&self, range: Range<u64>) -> bool {
        self.next_missing(range.start, range.end).is_none()
    }

    /// How many blocks of a range are stored here.
    pub fn downloaded(&self, range: Range<u64>) -> u64 {
        self.shared
            .core()
            .as_ref()
            .map_or(0, |core| core.downloaded(range))
    }

    /// How many bytes of a range are stored here.
    pub fn held_bytes(&self, range: Range<u64>) -> Result<u64, ReadError> {
        let core = self.shared.core();
        let core = core.as_ref().ok_or(ReadError::Closed)?;
        Ok(core.held_bytes(range)?)
    }

    /// The first block of `from..end` that is not stored here.
    pub fn next_missing(&self, from: u64, end: u64) -> Option<u64> {
        match self.shared.core().as_ref() {
            Some(core) => core.next_missing(from, end),
            None => (from < end).then_some(from),
        }
    }

    /// Appends one block; returns its index.
    pub fn append(&self, block: impl AsRef<[u8]>) -> Result<u64, AppendError> {
        self.append_batch(&[block])
    }

    /// Appends blocks as one batch under one signature; returns the index of the first.
    pub fn append_batch<B: AsRef<[u8]>>(&self, blocks: &[B]) -> Result<u64, AppendError> {
        self.append_if(|_| true, blocks)
            .map(|first| first.expect("the condition is true"))
    }

    /// Appends blocks as one batch if the log is `length` blocks long now, for blocks that say where
    /// in the log they stand. False, with nothing appended, if it is not.
    pub fn append_batch_at<B: AsRef<[u8]>>(
        &self,
        length: u64,
        blocks: &[B],
    ) -> Result<bool, AppendError> {
        self.append_if(|core| core.length() == length, blocks)
            .map(|first| first.is_some())
    }

    fn append_if<B: AsRef<[u8]>>(
        &self,
        condition: impl FnOnce(&Hypercore) -> bool,
        blocks: &[B],
    ) -> Result<Option<u64>, AppendError> {
        let mut woken = Vec::new();
        let first = {
            let mut core = self.shared.core_mut();
            let core = core.as_mut().ok_or(AppendError::Closed)?;
            if !condition(core) {
                return Ok(None);
            }
            let first = core.append_batch(blocks)?;
            self.shared.set_dirty();
            let appended = first..core.length();
            if !appended.is_empty() {
                self.shared.swarm().appended(core, appended, &mut woken);
            }
            first
        };
        self.shared.wake(woken);
        Ok(Some(first))
    }

    /// Whether something was appended or stored since the last flush.
    pub fn is_dirty(&self) -> bool {
        self.shared.is_dirty()
    }

    /// Makes everything appended or stored before survive a power cut.
    pub fn flush(&self) -> io::Result<()> {
        self.shared.flush()
    }

    /// As [`flush`](Self::flush), but the log can be used while the disk is waited for. For a thread
    /// that may block. Covers what was there when it began. If such a flush is under way already it
    /// returns at once; [`is_dirty`](Self::is_dirty) tells then that another is due.
    pub fn flush_aside(&self) -> io::Result<()> {
        self.shared.flush_aside()
    }

    /// Whether such a flush is under way.
    pub fn is_flushing(&self) -> bool {
        self.shared.is_flushing()
    }

    /// How many bytes of peers' blocks were stored since the last flush began.
    pub fn unflushed_bytes(&self) -> u64 {
        let core = self.shared.core();
        core.as_ref().map_or(0, Hypercore::unflushed_bytes)
    }

    /// Whether an earlier write failed in a way that leaves open what is on disk, so that every change
    /// is refused until the log is opened again.
    pub fn is_poisoned(&self) -> bool {
        let core = self.shared.core();
        core.as_ref().is_some_and(Hypercore::is_poisoned)
    }

    /// Frees the space of the blocks of a range. They are no longer stored here, and peers are
    /// told so; the length stays.
    ///
    /// Refused if the log is written here: see [`Hypercore::clear`].
    pub fn clear(&self, range: Range<u64>) -> Result<(), ReadError> {
        let ranges = [range];
        let [range] = &ranges;
        self.clear_with(&ranges, |core| core.clear(range.clone()))
    }

    /// As [`clear`](Self::clear), also if the log is written here. Blocks that no peer has are lost.
    pub fn clear_own(&self, range: Range<u64>) -> Result<(), ReadError> {
        self.clear_own_runs(&[range])
    }

    /// As [`clear_own`](Self::clear_own), for several ranges at the cost of one flush.
    pub fn clear_own_runs(&self, ranges: &[Range<u64>]) -> Result<(), ReadError> {
        self.clear_with(ranges, |core| core.clear_own_runs(ranges))
    }

    fn clear_with(
        &self,
        ranges: &[Range<u64>],
        clear: impl FnOnce(&mut Hypercore) -> io::Result<u64>,
    ) -> Result<(), ReadError> {
        {
            let mut core = self.shared.core_mut();
            let core = core.as_mut().ok_or(ReadError::Closed)?;
            self.shared.flush_first()?;
            clear(core)?;
            let mut swarm = self.shared.swarm();
            // Clearing flushes.
            swarm.announce_durable(core);
            for range in ranges {
                swarm.cleared(range.clone());
            }
        }
        self.shared.set_dirty();
        self.shared.changed();
        Ok(())
    }

    /// Checks every stored block and node; see [`Hypercore::audit`]. Damaged blocks are fetched again
    /// when somebody wants them, and peers are told that they are gone.
    pub fn audit(&self) -> Result<Audit, ReadError> {
        let mut woken = Vec::new();
        let audit = {
            let mut core = self.shared.core_mut();
            let core = core.as_mut().ok_or(ReadError::Closed)?;
            let known_fork = core.fork().is_some();
            let audit = core.audit()?;
            let mut swarm = self.shared.swarm();
            receive::tell_of_fork(&mut swarm, core, known_fork, &mut woken);
            for block in &audit.damaged_blocks {
                swarm.cleared(*block..block + 1);
            }
            audit
        };
        self.shared.wake(woken);
        self.shared.set_dirty();
        self.shared.changed();
        Ok(audit)
    }

    /// Mends what an audit would find, as far as it can be; see [`Hypercore::repair`].
    pub fn repair(&self) -> Result<Repair, ReadError> {
        let mut woken = Vec::new();
        let repair = {
            let mut core = self.shared.core_mut();
            let core = core.as_mut().ok_or(ReadError::Closed)?;
            self.shared.flush_first()?;
            let known_fork = core.fork().is_some();
            let repair = core.repair()?;
            let mut swarm = self.shared.swarm();
            receive::tell_of_fork(&mut swarm, core, known_fork, &mut woken);
            swarm.mended();
            for block in &repair.lost_blocks {
                swarm.cleared(*block..block + 1);
            }
            repair
        };
        self.shared.wake(woken);
        self.shared.set_dirty();
        self.shared.changed();
        Ok(repair)
    }

    /// Flushes and closes the log for every holder of a handle. What waits fails with
    /// [`ReadError::Closed`]; peers are asked to go.
    pub fn close(&self) -> io::Result<()> {
        self.shared.close()
    }

    /// The block if it is stored here, `None` if not. Never waits for the network.
    pub fn get_local(&self, index: u64) -> Result<Option<Bytes>, ReadError> {
        self.shared
            .core()
            .as_ref()
            .ok_or(ReadError::Closed)?
            .get(index)
    }

    /// The blocks of a range, all of which must be stored here.
    pub fn get_range_local(&self, range: Range<u64>) -> Result<Vec<Bytes>, ReadError> {
        self.shared
            .core()
            .as_ref()
            .ok_or(ReadError::Closed)?
            .get_range(range)
    }

    /// The block, waiting for as long as it takes to arrive from a peer. Cancel-safe: dropping the
    /// future withdraws the request.
    pub async fn get(&self, index: u64) -> Result<Bytes, ReadError> {
        Get::new(self, index).await
    }

    /// The blocks of a range, waiting until all of them are here. Cancel-safe.
    pub async fn get_range(&self, range: Range<u64>) -> Result<Vec<Bytes>, ReadError> {
        loop {
            self.download(range.clone()).await?;
            let blocks = self.get_range_local(range.clone())?;
            // One may have been cleared meanwhile.
            if blocks.len() as u64 >= range.end.saturating_sub(range.start) {
                return Ok(blocks);
            }
        }
    }

    /// The newest block, waiting for it to arrive; `None` if the log is empty as far as is known.
    /// [`update`](Self::update) first to hear of a newer one. Cancel-safe.
    pub async fn head(&self) -> Result<Option<Bytes>, ReadError> {
        match self.length().checked_sub(1) {
            Some(last) => self.get(last).await.map(Some),
            None if self.is_closed() => Err(ReadError::Closed),
            None => Ok(None),
        }
    }

    /// The block, or `None` as soon as no peer is left that might have it. Cancel-safe.
    pub async fn get_available(&self, index: u64) -> Result<Option<Bytes>, ReadError> {
        let mut get = Get::new(self, index);
        loop {
            let mut changed = pin!(self.shared.listen());
            let found = poll_fn(|cx| {
                if let Poll::Ready(block) = Pin::new(&mut get).poll(cx) {
                    return Poll::Ready(Some(block.map(Some)));
                }
                let hopeless = {
                    let swarm = self.shared.swarm();
                    !swarm.is_unanswered() && !swarm.is_offered(index)
                };
                if hopeless {
                    return Poll::Ready(Some(Ok(None)));
                }
                ready!(changed.as_mut().poll(cx));
                Poll::Ready(None)
            });
            if let Some(result) = found.await {
                return result;
            }
        }
    }

    /// Asks the connected peers for a newer length. True if the log grew; false as soon as every
    /// peer has answered that it has none, or there is no peer. Cancel-safe.
    ///
    /// A peer whose connection is still being made counts as one that has not answered while
    /// somebody [holds](Feed::hold_available) the log. Of several lengths that peers offer the
    /// greatest one is waited for, unless whoever offers it is slow to prove it.
    pub async fn update(&self) -> Result<bool, ReadError> {
        if self.is_writable() {
            return if self.is_closed() {
                Err(ReadError::Closed)
            } else {
                Ok(false)
            };
        }
        self.ask_for_length().await
    }

    /// Asks the connected peers whether they know a longer log of this author than the one here, and
    /// if none does allows blocks to be appended; see
    /// [`Options::confirm_length`](crate::Options::confirm_length). False if one does: then this is an
    /// older copy, and what is missing has to be fetched first. `None` if there was no peer to ask.
    /// Cancel-safe.
    pub async fn confirm_length(&self) -> Result<Option<bool>, ReadError> {
        let _confirming = self.shared.confirm();
        let grew = self.ask_for_length().await?;
        if self.peers() == 0 {
            return Ok(None);
        }
        if !grew && let Some(core) = self.shared.core_mut().as_mut() {
            core.confirm_length();
        }
        Ok(Some(!grew))
    }

    async fn ask_for_length(&self) -> Result<bool, ReadError> {
        let length = self.length();
        let mut goal = 0;
        let _wish = self.shared.want_length(u64::MAX);
        loop {
            let changed = self.shared.listen();
            if self.is_closed() {
                return Err(ReadError::Closed);
            }
            let grown = self.length();
            let (unanswered, offered, likely) = {
                let swarm = self.shared.swarm();
                (
                    swarm.is_unanswered(),
                    swarm.offered_length(),
                    swarm.likely_length(),
                )
            };
            if !unanswered {
                if goal == 0 {
                    goal = offered.max(length);
                }
                let settled = grown >= goal || likely <= grown;
                if grown > length && settled || offered <= grown {
                    return Ok(grown > length);
                }
            }
            changed.await;
        }
    }

    /// Waits until the log is longer than `length` blocks, and returns its length. Keeps asking
    /// peers for it. Cancel-safe.
    pub async fn wait_longer_than(&self, length: u64) -> Result<u64, ReadError> {
        let mut wish = None;
        loop {
            let changed = self.shared.listen();
            if self.is_closed() {
                return Err(ReadError::Closed);
            }
            let grown = self.length();
            if grown > length {
                return Ok(grown);
            }
            wish.get_or_insert_with(|| self.shared.want_length(length.saturating_add(1)));
            changed.await;
        }
    }

    /// The block that contains a byte of the log, and the byte's place in it, looked for among
    /// `blocks`. `None` if the byte is at or beyond the end of what is known of the log, or in
    /// none of these blocks. Asks peers for the tree nodes that it needs. Cancel-safe.
    pub async fn seek(
        &self,
        byte_offset: u64,
        blocks: Range<u64>,
    ) -> Result<Option<(u64, u64)>, ReadError> {
        self.seek_in(byte_offset, blocks, false).await
    }

    /// As [`seek`](Self::seek), but `None` also as soon as no peer is left that might know.
    /// Cancel-safe.
    pub async fn seek_available(
        &self,
        byte_offset: u64,
        blocks: Range<u64>,
    ) -> Result<Option<(u64, u64)>, ReadError> {
        self.seek_in(byte_offset, blocks, true).await
    }

    async fn seek_in(
        &self,
        byte_offset: u64,
        blocks: Range<u64>,
        if_available: bool,
    ) -> Result<Option<(u64, u64)>, ReadError> {
        let mut wish = None;
        loop {
            let changed = self.shared.listen();
            let found = self
                .shared
                .core()
                .as_ref()
                .ok_or(ReadError::Closed)?
                .seek(byte_offset)?;
            let candidates = match found {
                Seek::Found {
                    block,
                    offset,
                    certain: true,
                } => {
                    return Ok(blocks.contains(&block).then_some((block, offset)));
                }
                Seek::Found { block, .. } => {
                    // A peer may have lied about its size; the block itself cannot.
                    if !if_available {
                        self.get(block).await?;
                    } else if self.get_available(block).await?.is_none() {
                        return Ok(None);
                    }
                    continue;
                }
                Seek::BeyondEnd => return Ok(None),
                Seek::Unknown { blocks: candidates } => {
                    candidates.start.max(blocks.start)..candidates.end.min(blocks.end)
                }
            };
            if candidates.is_empty() {
                return Ok(None);
            }
            if if_available {
                let swarm = self.shared.swarm();
                if !swarm.is_unanswered() && !swarm.is_offered_in(&candidates) {
                    return Ok(None);
                }
            }
            drop(wish.take());
            wish = Some(self.shared.want_seek(Seeking {
                byte_offset,
                blocks: candidates,
            }));
            changed.await;
        }
    }

    /// Fetches every block of a range that is missing, in whatever order is fastest. The handle is
    /// a future that resolves when all are here; dropping it cancels. A range that ends beyond the
    /// log also fetches what is appended later.
    pub fn download(&self, range: Range<u64>) -> Download {
        Download::new(self, Selected::Range(range), false)
    }

    /// Like [`Feed::download`], but asks for the blocks in order.
    pub fn download_linear(&self, range: Range<u64>) -> Download {
        Download::new(self, Selected::Range(range), true)
    }

    /// Fetches the blocks of a list that are missing. The handle is a future that resolves when
    /// all are here; dropping it cancels.
    pub fn download_blocks(&self, mut blocks: Vec<u64>) -> Download {
        blocks.sort_unstable();
        blocks.dedup();
        Download::new(self, Selected::List(blocks.into()), true)
    }

    /// Says that a peer may be about to join: until the guard is dropped, [`Feed::update`] and
    /// [`Feed::get_available`] do not conclude that nobody has what they look for. Held while a
    /// connection is being made.
    pub fn hold_available(&self) -> AvailableHold {
        AvailableHold::new(&self.shared)
    }

    /// How many handles on the log there are: this one, clones, and those held by peers and by
    /// futures under way. One means that nobody else uses the log, so that it may be closed.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.shared)
    }

    /// How many remotes take part, including those that have not opened the log yet.
    pub fn peers(&self) -> usize {
        self.shared.swarm().peers.len()
    }

    /// What was exchanged with peers since the log was opened.
    pub fn stats(&self) -> Stats {
        self.shared.swarm().stats
    }

    /// What was exchanged with each remote that takes part, since it joined. What those exchanged that
    /// have left is in [`stats`](Self::stats) alone.
    pub fn peer_stats(&self) -> Vec<(PeerId, Stats)> {
        let swarm = self.shared.swarm();
        let peers = swarm.peers.iter();
        peers.map(|(id, supply)| (*id, supply.stats)).collect()
    }

    /// Whether peers are sent what they ask for (default: yes), from now on. Those that are connected
    /// are told.
    pub fn set_uploading(&self, on: bool) {
        self.switch(|swarm| swarm.upload.set(on));
    }

    /// Whether peers are sent what they ask for.
    pub fn is_uploading(&self) -> bool {
        self.shared.swarm().upload.is_on()
    }

    /// Whether anything is asked of peers (default: yes), from now on. What somebody waits for stays
    /// wanted, and is asked for when it is switched on again; what was asked for before may still
    /// come.
    pub fn set_downloading(&self, on: bool) {
        self.switch(|swarm| swarm.download.set(on));
    }

    /// Whether anything is asked of peers.
    pub fn is_downloading(&self) -> bool {
        self.shared.swarm().download.is_on()
    }

    fn switch(&self, turn: impl FnOnce(&mut Swarm)) {
        {
            let mut swarm = self.shared.swarm();
            turn(&mut swarm);
            swarm.revisit_all();
            swarm.ring_all();
        }
        self.shared.changed();
    }

    /// What happens to the log from now on.
    pub fn events(&self) -> Events {
        self.shared.swarm().subscribers.subscribe()
    }
}
