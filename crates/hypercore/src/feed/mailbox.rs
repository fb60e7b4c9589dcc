use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use event_listener::Event;

use super::Feed;
use super::shared::Shared;
use super::supply::Supply;
use super::swarm::PeerId;

/// Messages about a log that are none of the log's own business, exchanged with the remotes that
/// take part in it and have a mailbox of the same name (`docs/formats/replication.md`,
/// "Mailboxes").
///
/// Whoever replicates the log is told the name, whether remotes are there already or come later.
/// What remotes send waits here until it is [received](Self::receive); what does not fit is left
/// out and counted, so that nobody who sends much holds up the blocks. A message may get lost with
/// its connection: there is no answer but one that the receiver sends. What it says is proved by
/// nothing.
///
/// Dropping the mailbox takes the name back.
pub struct Mailbox {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
}

/// Most mailboxes of one log.
pub const MAX_MAILBOXES: usize = 256;

/// Longest name of a mailbox, in bytes.
pub const MAX_MAILBOX_NAME_BYTES: usize = 1024;

/// Largest message, in bytes: what fits a frame of the wire of 2020 with room to spare.
pub const MAX_MAIL_BYTES: usize = (8 << 20) - (64 << 10);

/// Most messages of one remote that wait in a mailbox, and most that wait for it in all mailboxes of
/// a log.
pub const MAX_WAITING_MAIL: usize = 256;

/// Most bytes that these messages take. A larger message is let in when no other waits.
pub const MAX_WAITING_MAIL_BYTES: usize = 1 << 20;

/// Most bytes that wait in one mailbox, whoever sent them.
pub const MAX_MAILBOX_BYTES: usize = 16 << 20;

/// Why a mailbox was not opened, or a message not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxError {
    /// There is a mailbox of this name.
    #[error("the log has a mailbox of this name already")]
    Taken,
    /// The name is longer than [`MAX_MAILBOX_NAME_BYTES`].
    #[error("a mailbox's name has {bytes} bytes, more than {MAX_MAILBOX_NAME_BYTES}")]
    NameLength {
        /// How long it is.
        bytes: usize,
    },
    /// There are [`MAX_MAILBOXES`] already.
    #[error("the log has {MAX_MAILBOXES} mailboxes already")]
    TooMany,
    /// The message is larger than [`MAX_MAIL_BYTES`].
    #[error("a message has {bytes} bytes, more than {MAX_MAIL_BYTES}")]
    MessageLength {
        /// How large it is.
        bytes: usize,
    },
    /// The remote is gone, or has no such mailbox.
    #[error("the peer has no such mailbox")]
    NoPeer,
    /// Too much waits to be sent to the remote already.
    #[error("too many messages wait for the peer")]
    Full,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
}

impl Feed {
    /// Opens a mailbox, through which messages are exchanged with remotes that have one of the same
    /// name.
    pub fn mailbox(&self, name: &str) -> Result<Mailbox, MailboxError> {
        if self.is_closed() {
            return Err(MailboxError::Closed);
        }
        let slot = self.shared.swarm().open_mailbox(name)?;
        Ok(Mailbox {
            shared: self.shared.clone(),
            slot,
        })
    }
}

impl Mailbox {
    /// The name under which remotes know it.
    pub fn name(&self) -> &str {
        &self.slot.name
    }

    /// Sends a message to one remote, which is queued when this returns.
    ///
    /// A remote that has said which mailboxes it has, and not named this one, is
    /// [`NoPeer`](MailboxError::NoPeer).
    pub fn send(&self, peer: PeerId, message: impl Into<Bytes>) -> Result<(), MailboxError> {
        let message = check(message.into())?;
        let mut swarm = self.shared.swarm();
        let supply = swarm.peers.get_mut(&peer);
        supply
            .filter(|supply| supply.open && !supply.mail.declined.contains(&self.slot.name))
            .ok_or(MailboxError::NoPeer)?
            .post(&self.slot.name, message)
    }

    /// Sends a message to every remote that may have such a mailbox; returns to how many. Those for
    /// which too much waits already are left out.
    pub fn broadcast(&self, message: impl Into<Bytes>) -> Result<usize, MailboxError> {
        let message = check(message.into())?;
        let mut swarm = self.shared.swarm();
        let posted = swarm
            .peers
            .values_mut()
            .filter(|supply| supply.open && !supply.mail.declined.contains(&self.slot.name))
            .filter_map(|supply| supply.post(&self.slot.name, message.clone()).ok());
        Ok(posted.count())
    }

    /// The next message, and who sent it; `None` once the log is closed. Cancel-safe: a message is
    /// taken out only when it is returned.
    pub async fn receive(&self) -> Option<(PeerId, Bytes)> {
        loop {
            let arrived = self.slot.arrived.listen();
            if let Some(mail) = self.try_receive() {
                return Some(mail);
            }
            if self.shared.core().is_none() {
                return None;
            }
            arrived.await;
        }
    }

    /// The next message if one waits.
    pub fn try_receive(&self) -> Option<(PeerId, Bytes)> {
        self.slot.inbox().take()
    }

    /// The remotes that may have such a mailbox: those that have the log open, but for the ones that
    /// have said which mailboxes they have and not named this one.
    pub fn peers(&self) -> Vec<PeerId> {
        let swarm = self.shared.swarm();
        let open = swarm
            .peers
            .iter()
            .filter(|(_, supply)| supply.open && !supply.mail.declined.contains(&self.slot.name));
        open.map(|(id, _)| *id).collect()
    }

    /// How many messages were left out because too many waited.
    pub fn missed(&self) -> u64 {
        self.slot.inbox().missed
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("name", &self.slot.name)
            .finish_non_exhaustive()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.shared.swarm().close_mailbox(&self.slot.name);
    }
}

fn check(message: Bytes) -> Result<Bytes, MailboxError> {
    match message.len() {
        bytes if bytes > MAX_MAIL_BYTES => Err(MailboxError::MessageLength { bytes }),
        _ => Ok(message),
    }
}

/// The mailboxes of a log, by name.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    slots: BTreeMap<Arc<str>, Arc<Slot>>,
    /// Changes with the names.
    version: u64,
}

impl Mailboxes {
    pub(super) fn open(&mut self, name: &str) -> Result<Arc<Slot>, MailboxError> {
        if name.len() > MAX_MAILBOX_NAME_BYTES {
            return Err(MailboxError::NameLength { bytes: name.len() });
        }
        if self.slots.contains_key(name) {
            return Err(MailboxError::Taken);
        }
        if self.slots.len() >= MAX_MAILBOXES {
            return Err(MailboxError::TooMany);
        }
        let name: Arc<str> = name.into();
        let slot = Arc::new(Slot {
            name: name.clone(),
            inbox: Mutex::default(),
            arrived: Event::new(),
        });
        self.slots.insert(name, slot.clone());
        self.version += 1;
        Ok(slot)
    }

    pub(super) fn close(&mut self, name: &str) {
        self.slots.remove(name);
        self.version += 1;
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Slot>> {
        self.slots.get(name).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Slot>> {
        self.slots.values().cloned().collect()
    }

    /// The names, unless the remote has heard of them all and no others.
    pub(super) fn untold(&self, mail: &mut PeerMail) -> Option<Vec<Arc<str>>> {
        if mail.told == self.version {
            return None;
        }
        mail.told = self.version;
        Some(self.slots.keys().cloned().collect())
    }

    /// The names of ours that are not among those of the remote.
    pub(super) fn missing_from(&self, names: &BTreeSet<&str>) -> BTreeSet<Arc<str>> {
        let ours = self.slots.keys();
        ours.filter(|name| !names.contains(&***name))
            .cloned()
            .collect()
    }
}

/// One mailbox.
#[derive(Debug)]
pub(super) struct Slot {
    name: Arc<str>,
    inbox: Mutex<Inbox>,
    /// Told once for each message, and when the log is closed.
    arrived: Event,
}

impl Slot {
    /// Puts a message in if there is room.
    pub(super) fn deliver(&self, from: PeerId, message: Bytes) {
        if self.inbox().put(from, message) {
            self.arrived.notify_additional(1);
        }
    }

    /// Lets everybody look who waits for a message.
    pub(super) fn wake(&self) {
        self.arrived.notify(usize::MAX);
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Messages that wait to be received.
#[derive(Debug, Default)]
struct Inbox {
    waiting: VecDeque<(PeerId, Bytes)>,
    bytes: usize,
    /// How much of it is whose.
    shares: HashMap<PeerId, Load>,
    missed: u64,
}

impl Inbox {
    fn put(&mut self, from: PeerId, message: Bytes) -> bool {
        let bytes = self.bytes + message.len();
        let fits = bytes <= MAX_MAILBOX_BYTES
            && self
                .shares
                .get(&from)
                .is_none_or(|load| load.has_room(message.len()));
        if fits {
            self.bytes = bytes;
            self.shares.entry(from).or_default().add(message.len());
            self.waiting.push_back((from, message));
        } else {
            self.missed += 1;
        }
        fits
    }

    fn take(&mut self) -> Option<(PeerId, Bytes)> {
        let (from, message) = self.waiting.pop_front()?;
        self.bytes -= message.len();
        if let Some(load) = self.shares.get_mut(&from) {
            load.remove(message.len());
            if load.messages == 0 {
                self.shares.remove(&from);
            }
        }
        Some((from, message))
    }
}

/// Messages from or for one remote.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    messages: usize,
    bytes: usize,
}

impl Load {
    fn has_room(self, bytes: usize) -> bool {
        self.messages == 0
            || self.messages < MAX_WAITING_MAIL && self.bytes + bytes <= MAX_WAITING_MAIL_BYTES
    }

    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.messages -= 1;
        self.bytes -= bytes;
    }
}

/// What one remote knows of mailboxes, and what waits to be sent to it.
#[derive(Debug, Default)]
pub(super) struct PeerMail {
    /// Messages and the mailboxes they are for.
    waiting: VecDeque<(Arc<str>, Bytes)>,
    load: Load,
    /// The version of the names that it was told.
    told: u64,
    /// Mailboxes of ours that it has said not to have.
    pub(super) declined: BTreeSet<Arc<str>>,
}

impl PeerMail {
    pub(super) fn take(&mut self) -> Option<(Arc<str>, Bytes)> {
        let (name, message) = self.waiting.pop_front()?;
        self.load.remove(message.len());
        Some((name, message))
    }
}

impl Supply {
    /// Queues a message for the remote.
    fn post(&mut self, name: &Arc<str>, message: Bytes) -> Result<(), MailboxError> {
        if !self.mail.load.has_room(message.len()) {
            return Err(MailboxError::Full);
        }
        self.mail.load.add(message.len());
        self.mail.waiting.push_back((name.clone(), message));
        Waker::wake_by_ref(&self.doorbell);
        Ok(())
    }
}
