use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    TryLockError, Weak,
};
use std::task::Waker;

use event_listener::{Event, EventListener};
use hypercore_crypto::{DiscoveryKey, PublicKey};

use super::demand::Seeking;
use super::events::FeedEvent;
use super::swarm::Swarm;
use crate::Hypercore;

/// What all handles on one log share.
///
/// Lock order: the log, then the log that is flushed before it, then the swarm. Wakers run when none
/// is held.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) public_key: PublicKey,
    pub(super) discovery_key: DiscoveryKey,
    pub(super) writable: bool,
    /// `None` once closed.
    core: RwLock<Option<Hypercore>>,
    swarm: Mutex<Swarm>,
    /// Told of everything but the arrival of a block that somebody waits for by its index.
    changed: Event,
    /// Whether something was written and not flushed. Set while the log is locked for the change, so
    /// that whoever is told of the change finds it set.
    dirty: AtomicBool,
    /// The log that is flushed before this one.
    pub(super) first: OnceLock<Weak<Self>>,
    /// Held by a flush beside other uses of the log.
    flushing: Mutex<()>,
}

impl Shared {
    pub(super) fn new(core: Hypercore) -> Self {
        Self {
            public_key: core.public_key(),
            discovery_key: core.discovery_key(),
            writable: core.is_writable(),
            // What was written before there was a feed is flushed through it as well.
            dirty: AtomicBool::new(core.is_unflushed()),
            core: RwLock::new(Some(core)),
            swarm: Mutex::default(),
            changed: Event::new(),
            first: OnceLock::new(),
            flushing: Mutex::default(),
        }
    }

    pub(super) fn core(&self) -> RwLockReadGuard<'_, Option<Hypercore>> {
        self.core.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn core_mut(&self) -> RwLockWriteGuard<'_, Option<Hypercore>> {
        self.core.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn swarm(&self) -> MutexGuard<'_, Swarm> {
        self.swarm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    /// Lets everybody look again who waits for something else than one block.
    pub(super) fn changed(&self) {
        self.changed.notify(usize::MAX);
    }

    pub(super) fn wake(&self, woken: Vec<Waker>) {
        woken.into_iter().for_each(Waker::wake);
        self.changed();
    }

    pub(super) fn set_dirty(&self) {
        self.dirty.store(true, Ordering::Release);
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        // One that runs beside other uses has not ended: this one does what is left of it.
        if !self.dirty.swap(false, Ordering::AcqRel) && !self.is_flushing() {
            return Ok(());
        }
        let mut core = self.core_mut();
        let Some(core) = core.as_mut() else {
            return Ok(());
        };
        let flushed = self.flush_first().and_then(|()| core.flush());
        flushed.inspect_err(|_| self.set_dirty())?;
        self.swarm().announce_durable(core);
        Ok(())
    }

    /// Flushes the log that has to be durable before this one. This one is locked, so that nothing is
    /// appended to it in between.
    pub(super) fn flush_first(&self) -> io::Result<()> {
        match self.first.get().and_then(Weak::upgrade) {
            Some(first) => first.flush(),
            None => Ok(()),
        }
    }

    pub(super) fn is_flushing(&self) -> bool {
        matches!(self.flushing.try_lock(), Err(TryLockError::WouldBlock))
    }

    pub(super) fn flush_aside(&self) -> io::Result<()> {
        let _flushing = match self.flushing.try_lock() {
            Ok(flushing) => flushing,
            // What came since that one began stays unflushed for now.
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Poisoned(flushing)) => flushing.into_inner(),
        };
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let begun = match self.core_mut().as_mut() {
            Some(core) => core.begin_flush(),
            None => return Ok(()),
        };
        let Some(mut flush) = begun.inspect_err(|_| self.set_dirty())? else {
            self.set_dirty();
            return self.flush();
        };
        // All of it that is not newer than what was begun with.
        let mut synced = self.flush_first();
        loop {
            synced = synced.and_then(|()| flush.sync());
            let mut core = self.core_mut();
            let Some(core) = core.as_mut() else {
                return Ok(()); // closed, and flushed by that
            };
            let result = core.continue_flush(&mut flush, synced);
            let ended = result.inspect_err(|_| self.set_dirty())?;
            synced = Ok(());
            if ended {
                let mut swarm = self.swarm();
                swarm.announce_durable(core);
                if self.is_dirty() {
                    swarm.ring_all();
                }
                return Ok(());
            }
        }
    }

    pub(super) fn close(&self) -> io::Result<()> {
        self.end(|core| self.flush_first().and_then(|()| core.close()))
    }

    /// Takes the log away from everybody who holds a handle, for `last` to be done with it.
    pub(super) fn end(&self, last: impl FnOnce(Hypercore) -> io::Result<()>) -> io::Result<()> {
        let mut woken = Vec::new();
        let (core, mailboxes) = {
            let mut core = self.core_mut();
            let mut swarm = self.swarm();
            if core.is_some() {
                swarm.subscribers.send(|| FeedEvent::Closed, &mut woken);
                swarm.demand.wake_all(&mut woken);
                swarm.ring_all();
            }
            (core.take(), swarm.mailboxes.all())
        };
        let result = core.map_or(Ok(()), last);
        self.wake(woken);
        mailboxes.iter().for_each(|mailbox| mailbox.wake());
        result
    }

    /// Wishes for the log to reach a length, for as long as the guard lives.
    pub(super) fn want_length(&self, length: u64) -> Wish<'_> {
        self.wish(|swarm| Kind::Length(swarm.demand.add_length(length)))
    }

    /// Wishes for the nodes that lead to a byte, for as long as the guard lives.
    pub(super) fn want_seek(&self, seek: Seeking) -> Wish<'_> {
        self.wish(|swarm| Kind::Seek(swarm.demand.add_seek(seek)))
    }

    /// Wants to know whether a peer has more than the author, for as long as the guard lives.
    pub(super) fn confirm(&self) -> Confirming<'_> {
        self.swarm().set_confirming(true);
        Confirming(self)
    }

    fn wish(&self, add: impl FnOnce(&mut Swarm) -> Kind) -> Wish<'_> {
        let mut swarm = self.swarm();
        let kind = add(&mut swarm);
        swarm.ring_all();
        Wish { shared: self, kind }
    }
}

/// Somebody waits for a peer to confirm the length.
#[derive(Debug)]
pub(super) struct Confirming<'a>(&'a Shared);

impl Drop for Confirming<'_> {
    fn drop(&mut self) {
        self.0.swarm().set_confirming(false);
    }
}

/// Something that a future waits for, withdrawn with it.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    shared: &'a Shared,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Length(u64),
    Seek(u64),
}

impl Drop for Wish<'_> {
    fn drop(&mut self) {
        let mut swarm = self.shared.swarm();
        match self.kind {
            Kind::Length(id) => swarm.demand.remove_length(id),
            Kind::Seek(id) => swarm.demand.remove_seek(id),
        }
    }
}

/// Says that a peer may be about to join. See [`Feed::hold_available`](crate::Feed::hold_available).
#[derive(Debug)]
pub struct AvailableHold(Arc<Shared>);

impl AvailableHold {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.swarm().hold();
        Self(shared.clone())
    }
}

impl Drop for AvailableHold {
    fn drop(&mut self) {
        self.0.swarm().unhold();
        self.0.changed();
    }
}
