use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use hypercore::{Answer, Feed, HintBudget};
use hypercore_crypto::{DiscoveryKey, PublicKey};
use hypercore_protocol as wire;
use hypercore_protocol::{
    Channel, Connection, Event, Extension, Message, Protection, Role, Secrets, Timestamp,
};

use crate::doorbell::Doorbell;
use crate::peer::{Fault, Moment, Peer, refusal, unhave};
use crate::queue::{Job, Queue};
use crate::{Config, ReplicationError, exchange};

/// One connection and the logs replicated over it, as a state machine.
///
/// It owns no socket, clock or task. Put in bytes ([`handle_input`](Self::handle_input)), time
/// ([`handle_timeout`](Self::handle_timeout)), logs ([`open`](Self::open),
/// [`refuse`](Self::refuse)) and, whenever the waker of [`register`](Self::register) was woken, the
/// logs' changes ([`handle_changes`](Self::handle_changes)). After each, drain
/// [`poll_event`](Self::poll_event) and, as fast as the stream takes it,
/// [`poll_transmit`](Self::poll_transmit).
#[derive(Debug)]
pub struct Replicator {
    connection: Connection,
    config: Config,
    peers: BTreeMap<Channel, Peer>,
    channels: HashMap<DiscoveryKey, Channel>,
    doorbell: Arc<Doorbell>,
    /// What the remote may make us remember of its blocks.
    hints: HintBudget,
    queue: Queue,
    events: VecDeque<ReplicatorEvent>,
    /// Peers that got messages since they last decided what to send.
    touched: BTreeSet<Channel>,
    /// When each peer has to be looked at again.
    deadlines: BTreeSet<(Timestamp, Channel)>,
    /// When stored blocks are made durable.
    flush_at: Option<Timestamp>,
    /// Whether somebody else flushes the logs, and those that are due.
    flushes: Option<VecDeque<Feed>>,
    /// Answers about one log that came one after the other and were not looked at yet.
    burst: Option<(Channel, Vec<wire::Data>)>,
    now: Timestamp,
    faults: u32,
    connected: bool,
    /// Whether a log was open on both sides at some time.
    was_used: bool,
}

/// What happened on a connection that somebody has to decide about or may want to know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReplicatorEvent {
    /// The handshake is complete.
    Connected {
        /// The remote's static key of this connection; no log's key.
        remote_public_key: [u8; 32],
    },
    /// The remote offers a log that is not open here. Answer with [`Replicator::open`] or
    /// [`Replicator::refuse`].
    Offered(DiscoveryKey),
    /// A log is open on both sides.
    Opened(PublicKey),
    /// A log is no longer replicated over this connection.
    Closed(PublicKey),
}

/// Faults after which the connection is given up.
const MAX_FAULTS: u32 = 8;

/// Answers are made only while fewer bytes than this wait to be sent.
const MAX_QUEUED_BYTES: usize = 512 << 10;

/// Most answers about one log before another has its turn.
const MAX_ANSWERS: usize = 32;

/// Nothing is announced or asked while more bytes than this wait to be sent, and nothing is read
/// while twice as many do.
const MAX_PENDING_BYTES: usize = 1 << 20;

/// Blocks in a bitfield page: what Have messages with bitfields are aligned to.
const PAGE_BLOCKS: u64 = 8192;

/// How long an appended block may wait for the flush before which no peer hears of it.
const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(50);

/// Stored blocks are made durable at once when they are so many bytes. A log flushes by itself, and is
/// waited for, when they are four times as many.
const FLUSH_BYTES: u64 = 16 << 20;

fn is_due(feed: &Feed) -> bool {
    feed.unflushed_bytes() >= FLUSH_BYTES && !feed.is_flushing()
}

/// Most answers that are taken in together.
const MAX_BURST: usize = 64;

/// No block at or beyond this index is believed to exist.
const MAX_BLOCKS: u64 = 1 << 40;

impl Replicator {
    /// Starts on a connection that was just made.
    pub fn new(role: Role, secrets: Secrets, config: Config, now: Timestamp) -> Self {
        // Without a handshake nothing has to be waited for.
        let connected = matches!(config.protocol.protection, Protection::Plain(_));
        let connection = Connection::new(role, secrets, config.protocol.clone(), now);
        Self {
            connection,
            config,
            peers: BTreeMap::new(),
            channels: HashMap::new(),
            doorbell: Arc::default(),
            hints: HintBudget::default(),
            queue: Queue::default(),
            events: VecDeque::new(),
            touched: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            flush_at: None,
            flushes: None,
            burst: None,
            now,
            faults: 0,
            connected,
            was_used: false,
        }
    }

    /// Takes in bytes from the remote, cut in any way. An error ends the connection.
    pub fn handle_input(&mut self, now: Timestamp, bytes: &[u8]) -> Result<(), ReplicationError> {
        self.now = now;
        // A mailbox that was opened before its first message came has to be known by then.
        self.touched.append(&mut self.doorbell.take());
        self.pump_all();
        let result = self.connection.handle_input(now, bytes);
        // What came before the error counts.
        let advanced = self.advance();
        result.map_err(|error| self.end(error.into()))?;
        advanced
    }

    /// Tells that the time is `now`. Calling early or late is harmless. An error ends the
    /// connection.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), ReplicationError> {
        self.now = now;
        self.connection
            .handle_timeout(now)
            .map_err(|error| self.end(error.into()))?;
        while let Some(&(deadline, channel)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.remove(&(deadline, channel));
            let at = self.moment();
            if let Some(peer) = self.peers.get_mut(&channel) {
                peer.deadline = None;
                self.faults += peer.handle_timeout(at, &self.config);
                self.touched.insert(channel);
            }
        }
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
            self.flush_due();
        }
        self.advance()
    }

    /// Takes in what changed in the logs since the last call. An error ends the connection.
    pub fn handle_changes(&mut self, now: Timestamp) -> Result<(), ReplicationError> {
        self.now = now;
        self.touched.append(&mut self.doorbell.take());
        self.advance()
    }

    /// Has `waker` woken when a log changes. True if one has changed already.
    pub fn register(&self, waker: &Waker) -> bool {
        self.doorbell.register(waker)
    }

    /// Replicates a log over this connection. A log that is open already is left as it is.
    pub fn open(&mut self, now: Timestamp, feed: &Feed) {
        self.now = now;
        let key = feed.public_key();
        if feed.is_closed() {
            return;
        }
        if let Some(&channel) = self.channels.get(&feed.discovery_key()) {
            let open = self.peers.get(&channel);
            if open.is_some_and(|peer| !peer.feed().is_closed()) {
                return;
            }
            // It was closed and opened again before anybody looked.
            self.connection.close(channel);
            self.remove(channel);
        }
        let Ok(channel) = self.connection.open(&key) else {
            // The remote does not know the key, or too many are open. The others go on.
            self.connection.refuse(&feed.discovery_key());
            return;
        };
        self.channels.insert(feed.discovery_key(), channel);
        let log = feed.join(self.doorbell.button(channel));
        log.share_hint_budget(&self.hints);
        let mut peer = Peer::new(log, &self.config);
        if self.connected {
            peer.expect_answer(now, &self.config);
        }
        self.peers.insert(channel, peer);
        self.touched.insert(channel);
        // The remote may have opened it before, so that there is an event already.
        let _ = self.advance();
    }

    /// Whether a log is open here on this connection.
    pub(crate) fn is_open(&self, discovery_key: &DiscoveryKey) -> bool {
        self.channels.contains_key(discovery_key)
    }

    /// Tells the remote that a log which it offered is not here.
    pub fn refuse(&mut self, discovery_key: &DiscoveryKey) {
        self.connection.refuse(discovery_key);
    }

    /// Ends the replication of a log over this connection.
    pub fn close(&mut self, discovery_key: &DiscoveryKey) {
        if let Some(&channel) = self.channels.get(discovery_key) {
            self.connection.close(channel);
            self.remove(channel);
        }
    }

    /// From now on logs are not flushed here but handed out by [`poll_flush`](Self::poll_flush), so that
    /// the connection need not wait for the disk.
    pub fn hand_out_flushes(&mut self) {
        self.flushes.get_or_insert_default();
    }

    /// The next log to be [flushed](Feed::flush_aside) by the caller.
    pub fn poll_flush(&mut self) -> Option<Feed> {
        self.flushes.as_mut()?.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<ReplicatorEvent> {
        self.events.pop_front()
    }

    /// The next bytes to send. Requests of the remote are answered here, so that no more answers
    /// wait in memory than the stream takes.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        while self.connection.queued_bytes() < MAX_QUEUED_BYTES && self.answer_next() {}
        self.pump_all();
        self.connection.poll_transmit()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called at the latest.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let peer = self.deadlines.first().map(|entry| entry.0);
        [self.connection.poll_timeout(), peer, self.flush_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether to read no more from the remote until it has read more of what was sent.
    pub fn is_input_paused(&self) -> bool {
        self.queue.is_full() || self.connection.queued_bytes() >= 2 * MAX_PENDING_BYTES
    }

    /// Whether everything was exchanged and the stream should end. Never for a live one.
    pub fn is_finished(&self) -> bool {
        !self.config.live && self.was_used && self.peers.is_empty()
    }

    /// The protocol underneath, for its counters and keys.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Makes everything stored so far durable. Logs that fail are closed here.
    pub fn flush(&mut self) {
        let failed = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.feed().flush().is_err());
        let failed: Vec<Channel> = failed.map(|(channel, _)| *channel).collect();
        for channel in failed {
            self.fail(channel, Fault::Ours);
        }
    }

    /// Flushes what has waited for long enough, or has others do it.
    fn flush_due(&mut self) {
        let Some(flushes) = &mut self.flushes else {
            self.flush();
            return;
        };
        let mut failed = Vec::new();
        for (channel, peer) in &self.peers {
            if peer.feed().is_poisoned() {
                failed.push(*channel);
            } else if peer.feed().is_dirty() {
                flushes.push_back(peer.feed().clone());
            }
        }
        for channel in failed {
            self.fail(channel, Fault::Ours);
        }
    }

    /// Handles what arrived, then lets every peer that was touched decide what to send.
    fn advance(&mut self) -> Result<(), ReplicationError> {
        while self.faults < MAX_FAULTS
            && let Some(event) = self.connection.poll_event()
        {
            match event {
                Event::Message(channel, Message::Data(data)) => self.gather(channel, data),
                event => {
                    self.handle_burst();
                    self.handle_event(event);
                }
            }
        }
        self.handle_burst();
        self.pump_all();
        if self.faults >= MAX_FAULTS {
            return Err(self.end(ReplicationError::Faults {
                faults: self.faults,
            }));
        }
        Ok(())
    }

    /// Lets go of every log: what was asked of this remote may be asked of others.
    fn end(&mut self, error: ReplicationError) -> ReplicationError {
        let channels: Vec<Channel> = self.peers.keys().copied().collect();
        for channel in channels {
            self.remove(channel);
        }
        error
    }

    /// Lets peers that were touched decide what to send, unless too much waits to be sent already.
    fn pump_all(&mut self) {
        while self.connection.queued_bytes() < MAX_PENDING_BYTES
            && let Some(channel) = self.touched.pop_first()
        {
            self.pump(channel);
        }
    }

    /// Puts an answer to others about the same log that came before it.
    fn gather(&mut self, channel: Channel, data: wire::Data) {
        let fits =
            |(other, answers): &(Channel, Vec<_>)| *other == channel && answers.len() < MAX_BURST;
        if !self.burst.as_ref().is_some_and(fits) {
            self.handle_burst();
        }
        let burst = self.burst.get_or_insert_with(|| (channel, Vec::new()));
        burst.1.push(data);
    }

    /// Takes in the answers that were gathered.
    fn handle_burst(&mut self) {
        let Some((channel, answers)) = self.burst.take() else {
            return;
        };
        let at = self.moment();
        let Some(peer) = self.peers.get_mut(&channel) else {
            return;
        };
        self.touched.insert(channel);
        let count = answers.len();
        let outcomes = peer.handle_data(at, answers);
        let malformed = outcomes.len() < count;
        for outcome in outcomes {
            match outcome {
                Ok(outcome) => {
                    if let Some(reply) = outcome.reply {
                        self.send(channel, reply);
                    }
                    self.faults += u32::from(outcome.refused);
                    if self.faults >= MAX_FAULTS {
                        return;
                    }
                }
                Err(fault) => {
                    self.fail(channel, fault);
                    return;
                }
            }
        }
        if malformed {
            self.fail(channel, Fault::Theirs);
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Connected {
                remote_public_key, ..
            } => {
                self.connected = true;
                for (channel, peer) in &mut self.peers {
                    peer.expect_answer(self.now, &self.config);
                    self.touched.insert(*channel);
                }
                self.events
                    .push_back(ReplicatorEvent::Connected { remote_public_key });
            }
            Event::Offered(key) => self.events.push_back(ReplicatorEvent::Offered(key)),
            Event::Opened(channel) => self.handle_opened(channel),
            Event::Message(channel, message) => {
                if let Err(fault) = self.handle_message(channel, message) {
                    self.fail(channel, fault);
                }
            }
            Event::Closed(channel) => self.remove(channel),
            Event::Failed(channel, _) => {
                self.faults += 1;
                self.remove(channel);
            }
            _ => {}
        }
    }

    fn handle_opened(&mut self, channel: Channel) {
        let Some(peer) = self.peers.get_mut(&channel) else {
            return;
        };
        self.was_used = true;
        self.events
            .push_back(ReplicatorEvent::Opened(peer.feed().public_key()));
        for message in peer.handle_open(self.now, &self.config) {
            self.send(channel, message);
        }
        self.touched.insert(channel);
    }

    fn handle_message(&mut self, channel: Channel, message: Message) -> Result<(), Fault> {
        let at = self.moment();
        let Some(peer) = self.peers.get_mut(&channel) else {
            return Ok(());
        };
        self.touched.insert(channel);
        match message {
            Message::Options(options) => {
                peer.remote_ack = options.ack;
                peer.log.handle_mailboxes(&options.extensions);
            }
            Message::Status(status) => peer.handle_status(status),
            Message::Have(have) => peer.handle_have(self.now, have, &self.config)?,
            Message::Unhave(wire::Unhave { start, length }) => {
                peer.handle_unhave(at, start..start.saturating_add(length))
            }
            Message::Want(wire::Want { start, length }) => {
                peer.has_asked = true;
                if peer.is_uploading(&self.config)
                    && start.is_multiple_of(PAGE_BLOCKS)
                    && length.is_multiple_of(PAGE_BLOCKS)
                    && start < MAX_BLOCKS
                {
                    self.queue.push(channel, Job::Want { start, length });
                }
            }
            Message::Request(request) => {
                if peer.is_uploading(&self.config) {
                    self.queue
                        .push(channel, Job::Request(exchange::request_from(request)));
                }
            }
            Message::Cancel(wire::Cancel { index, bytes, hash }) => {
                self.queue.cancel(channel, index, bytes, hash);
            }
            // Gathered before it comes here.
            Message::Data(_) => {}
            Message::Extension(Extension { name, payload }) => {
                peer.log.handle_mail(&name, payload);
            }
            Message::Unwant(wire::Unwant { start, length }) => {
                self.queue.unwant(channel, start, length);
                if length == 0 {
                    peer.handle_unwant();
                }
            }
        }
        Ok(())
    }

    /// Sends whatever a peer should be told or asked now.
    fn pump(&mut self, channel: Channel) {
        let at = self.moment();
        let Some(peer) = self.peers.get_mut(&channel) else {
            return;
        };
        let changes = peer.log.poll_changes();
        if changes.closed {
            self.connection.close(channel);
            self.remove(channel);
            return;
        }
        if peer.feed().is_dirty() {
            // Others hear of what was appended only once it is durable.
            let wait = match peer.feed().needs_flush() {
                true => self.config.flush_interval.min(ANNOUNCE_INTERVAL),
                false if is_due(peer.feed()) => Duration::ZERO,
                false => self.config.flush_interval,
            };
            let at = self.now + wait;
            self.flush_at = Some(self.flush_at.map_or(at, |before| before.min(at)));
        }
        let mut messages: Vec<Message> = changes.unhave.iter().map(unhave).collect();
        peer.announce(&changes.have, &mut messages);
        peer.pump(at, &self.config, &mut messages);
        let finished = peer.poll_finished(&self.config, &mut messages);
        for message in messages {
            self.send(channel, message);
        }
        self.send_mail(channel);
        if finished {
            self.connection.close(channel);
            self.remove(channel);
            return;
        }
        self.schedule(channel);
    }

    /// Sends the messages for mailboxes of the remote, as long as not too much waits already.
    fn send_mail(&mut self, channel: Channel) {
        loop {
            if self.connection.queued_bytes() >= MAX_PENDING_BYTES {
                self.touched.insert(channel);
                return;
            }
            let mail = self
                .peers
                .get(&channel)
                .and_then(|peer| peer.log.poll_mail());
            let Some((name, payload)) = mail else {
                return;
            };
            // One whose mailbox was closed meanwhile is not sent.
            self.send(channel, Message::Extension(Extension { name, payload }));
        }
    }

    /// Notes when a peer has to be looked at again.
    fn schedule(&mut self, channel: Channel) {
        let Some(peer) = self.peers.get_mut(&channel) else {
            return;
        };
        let deadline = peer.next_deadline(&self.config);
        if deadline != peer.deadline {
            if let Some(old) = peer.deadline.take() {
                self.deadlines.remove(&(old, channel));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, channel));
            }
            peer.deadline = deadline;
        }
    }

    /// Sends what the remote asked for next. False if there is nothing.
    fn answer_next(&mut self) -> bool {
        let Some((channel, job)) = self.queue.pop() else {
            return false;
        };
        let Some(peer) = self.peers.get_mut(&channel) else {
            return true;
        };
        let first = match job {
            Job::Want { start, length } => {
                for message in peer.answer_want(start, length) {
                    self.send(channel, message);
                }
                return true;
            }
            Job::Request(request) => request,
        };
        let queue = &mut self.queue;
        let first = std::iter::once(first);
        let more = std::iter::from_fn(|| queue.pop_request(channel));
        let mut requests = first.chain(more).take(MAX_ANSWERS);
        let room = MAX_QUEUED_BYTES.saturating_sub(self.connection.queued_bytes());
        match peer.answer_requests(|| requests.next(), room) {
            Err(fault) => self.fail(channel, fault),
            Ok(answers) => {
                for (request, answer) in answers {
                    self.send_answer(channel, request.index, answer);
                }
            }
        }
        true
    }

    fn send_answer(&mut self, channel: Channel, asked: u64, answer: Answer) {
        let Answer::Data {
            index,
            value,
            proof,
        } = answer
        else {
            self.send(channel, refusal(asked));
            return;
        };
        let data = Message::Data(exchange::data(index, value, proof));
        // Node's `append` takes blocks that fit no frame.
        if self.connection.send(channel, data).is_err() {
            self.send(channel, refusal(index));
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.now,
            received: self.connection.bytes_received(),
            connected: self.connected,
        }
    }

    fn send(&mut self, channel: Channel, message: Message) {
        // A channel that was closed meanwhile reports that with an event of its own. Nothing else
        // can go wrong with small messages about blocks that a log can have.
        let _ = self.connection.send(channel, message);
    }

    /// Gives up one log on this connection.
    fn fail(&mut self, channel: Channel, fault: Fault) {
        if fault == Fault::Theirs {
            self.faults += 1;
        }
        self.connection.close(channel);
        self.remove(channel);
    }

    fn remove(&mut self, channel: Channel) {
        self.queue.remove(channel);
        self.touched.remove(&channel);
        let Some(peer) = self.peers.remove(&channel) else {
            return;
        };
        if let Some(deadline) = peer.deadline {
            self.deadlines.remove(&(deadline, channel));
        }
        self.channels.remove(&peer.feed().discovery_key());
        self.events
            .push_back(ReplicatorEvent::Closed(peer.feed().public_key()));
    }
}
