use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use hypercore_crypto::{DiscoveryKey, PublicKey};

use crate::Timestamp;
use crate::capability::Split;
use crate::channel::{Channel, Channels, Core, Remote, check_id};
use crate::cipher::Cipher;
use crate::config::Protection;
use crate::extension::Extensions;
use crate::frame::{Frame, FrameReader, Kind, read_varint};
use crate::handshake::{Established, Handshake, Progress};
use crate::message::{Cancel, Data, Extension, Have, Options, Request, Status};
use crate::message::{Unhave, Unwant, Want};
use crate::outbox::Outbox;
use crate::schema::{self, Opening};
use crate::timers::{Due, Timers};
use crate::{ChannelFault, Config, ConnectionError, Event, Message, OpenError, Secrets, SendError};

/// Which side began the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Dialled, and speaks first.
    Initiator,
    /// Was dialled.
    Responder,
}

/// One end of a connection on which any number of cores replicate, as a state machine.
///
/// It owns no socket, clock or task. The law for driving it: after each call that may change
/// something (`handle_*`, `open`, `close`, `refuse`, `send`), drain [`poll_event`], then write what
/// [`poll_transmit`] gives, then call [`handle_timeout`] no later than [`poll_timeout`] says.
///
/// Nothing bounds what is queued for sending but the caller: stop reading, and stop answering, while
/// [`queued_bytes`] is more than you want to hold.
///
/// After an error the connection has ended. Events that came before it can still be drained;
/// nothing more is transmitted.
///
/// [`poll_event`]: Self::poll_event
/// [`poll_transmit`]: Self::poll_transmit
/// [`poll_timeout`]: Self::poll_timeout
/// [`handle_timeout`]: Self::handle_timeout
/// [`queued_bytes`]: Self::queued_bytes
pub struct Connection {
    config: Config,
    role: Role,
    phase: Phase,
    /// Our nonce, until the handshake is complete.
    nonce: [u8; 24],
    /// `None` before the handshake is complete, and on connections without one.
    split: Option<Split>,
    incoming: FrameReader,
    decrypt: Option<Cipher>,
    outbox: Outbox,
    channels: Channels,
    stream_extensions: Extensions,
    /// Whether the remote has not been told our current stream extensions.
    stream_extensions_changed: bool,
    events: VecDeque<Event>,
    timers: Timers,
    remote_public_key: Option<[u8; 32]>,
    handshake_hash: Option<[u8; 64]>,
    bytes_sent: u64,
    bytes_received: u64,
}

#[derive(Debug)]
enum Phase {
    Handshake(Box<Handshake>),
    Running,
    Ended(ConnectionError),
}

impl Connection {
    /// Begins a connection. An initiator has bytes to transmit at once.
    pub fn new(role: Role, secrets: Secrets, config: Config, now: Timestamp) -> Self {
        let mut connection = Self {
            role,
            phase: Phase::Running,
            nonce: secrets.nonce,
            split: None,
            incoming: FrameReader::default(),
            decrypt: None,
            outbox: Outbox::new(config.max_early_bytes),
            channels: Channels::default(),
            stream_extensions: Extensions::default(),
            stream_extensions_changed: false,
            events: VecDeque::new(),
            timers: Timers::new(&config, now),
            remote_public_key: None,
            handshake_hash: None,
            bytes_sent: 0,
            bytes_received: 0,
            config,
        };
        if matches!(connection.config.protection, Protection::Plain(_)) {
            connection.outbox.start(None, None);
            connection.timers.handshake_complete();
        } else {
            let (handshake, first) = Handshake::new(role, &secrets);
            connection.phase = Phase::Handshake(Box::new(handshake));
            if let Some(message) = first {
                connection.outbox.raw(&message);
            }
        }
        connection
    }

    /// Takes bytes from the remote, cut in any way.
    ///
    /// An error ends the connection; every later call returns it again.
    pub fn handle_input(&mut self, now: Timestamp, bytes: &[u8]) -> Result<(), ConnectionError> {
        self.check()?;
        self.timers.advance(now);
        if bytes.is_empty() {
            return Ok(());
        }
        self.timers.received();
        self.bytes_received += bytes.len() as u64;
        let result = self.read(bytes);
        self.incoming.trim();
        result.map_err(|error| self.end(error))
    }

    /// Tells the connection that the time is `now`. Calling early or late is harmless.
    ///
    /// An error ends the connection; every later call returns it again.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), ConnectionError> {
        self.check()?;
        self.timers.advance(now);
        match self.timers.due() {
            Some(Due::HandshakeTimeout) => Err(self.end(ConnectionError::HandshakeTimeout)),
            Some(Due::IdleTimeout) => Err(self.end(ConnectionError::IdleTimeout)),
            Some(Due::KeepAlive) => {
                self.outbox.keep_alive();
                self.timers.sent();
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The next bytes to write to the remote, in order.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        let bytes = self.outbox.poll()?;
        self.bytes_sent += bytes.len() as u64;
        Some(bytes)
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Opens a core, and with it the right of the remote to see its blocks, if it proves to know the
    /// key. Before the handshake is complete this waits for it.
    ///
    /// [`Event::Opened`] follows once the remote has opened the core too; if it has offered the core
    /// before, the event is there when this returns. Until then send nothing but
    /// [`Message::Options`], which wait, and [`Message::Want`]: the remote drops what it receives
    /// before it has opened the core, so repeat the `Want` when `Opened` comes later.
    pub fn open(&mut self, key: &PublicKey) -> Result<Channel, OpenError> {
        self.check().map_err(|_| OpenError::Ended)?;
        let discovery_key = key.discovery_key();
        if self.channels.by_key(&discovery_key).is_some() {
            return Err(OpenError::AlreadyOpen);
        }
        if self.channels.open_count() >= self.config.max_channels {
            return Err(OpenError::TooManyChannels);
        }
        let offered = self
            .channels
            .offered(&discovery_key)
            .map(|offer| offer.capability);
        if let (Some(capability), Some(split)) = (offered, &self.split)
            && !split.verify(key, capability.as_ref())
        {
            self.refuse(&discovery_key);
            return Err(OpenError::Capability);
        }
        let id = self.channels.next_id().ok_or(OpenError::TooManyChannels)?;
        self.outbox
            .open(id, key, self.split.as_ref())
            .map_err(|_| OpenError::QueueFull)?;
        self.timers.sent();
        let wants = self.channels.open(id, key, discovery_key);
        if offered.is_some() {
            self.events.push_back(Event::Opened(Channel(id)));
        }
        let wants = wants.into_iter().map(Message::Want);
        self.events
            .extend(wants.map(|want| Event::Message(Channel(id), want)));
        Ok(Channel(id))
    }

    /// Closes a channel. What the remote has sent on it and will still send is dropped. Does nothing
    /// if the channel is closed.
    pub fn close(&mut self, channel: Channel) {
        if self.channels.close(channel).is_some() {
            self.outbox.close(channel.0, None);
            self.timers.sent();
        }
    }

    /// Tells the remote that we will not open a core that it offered. Does nothing unless there is an
    /// unanswered offer.
    pub fn refuse(&mut self, discovery_key: &DiscoveryKey) {
        if self.channels.withdraw(discovery_key)
            && let Some(id) = self.channels.next_id()
        {
            self.outbox.close(id, Some(discovery_key));
            self.timers.sent();
        }
    }

    /// Sends a message about the core of a channel.
    ///
    /// [`Message::Options`] replace the channel's options. Given before the channel is open on both
    /// sides, they wait for that; the first ones are not sent at all if they say nothing.
    pub fn send(&mut self, channel: Channel, message: Message) -> Result<(), SendError> {
        let core = self.channels.get_mut(channel).ok_or(SendError::Closed)?;
        let outbox = &mut self.outbox;
        let id = channel.0;
        match message {
            Message::Options(mut options) => {
                core.extensions.set_local(&options.extensions)?;
                options.extensions = core.extensions.local();
                if core.remote.is_none() {
                    core.deferred = Some(options);
                    return Ok(());
                }
                announce(core, id, options, outbox)?;
            }
            Message::Status(it) => outbox.message(id, Kind::Status, &it.encode())?,
            Message::Have(it) => outbox.message(id, Kind::Have, &it.encode()?)?,
            Message::Unhave(it) => outbox.message(id, Kind::Unhave, &it.encode()?)?,
            Message::Want(it) => outbox.message(id, Kind::Want, &it.encode()?)?,
            Message::Unwant(it) => outbox.message(id, Kind::Unwant, &it.encode()?)?,
            Message::Request(it) => outbox.message(id, Kind::Request, &it.encode()?)?,
            Message::Cancel(it) => outbox.message(id, Kind::Cancel, &it.encode()?)?,
            Message::Data(it) => outbox.message(id, Kind::Data, &it.encode()?)?,
            Message::Extension(Extension { name, payload }) => {
                let number = core
                    .extensions
                    .local_id(&name)
                    .ok_or(SendError::UnknownExtension)?;
                outbox.extension(id, number, &payload)?;
            }
        }
        self.timers.sent();
        Ok(())
    }

    /// Sets the extensions of the connection as a whole. The remote is told before the next
    /// [`send_stream_extension`](Self::send_stream_extension).
    pub fn set_stream_extensions<S: AsRef<str>>(&mut self, names: &[S]) -> Result<(), SendError> {
        self.stream_extensions.set_local(names)?;
        self.stream_extensions_changed = true;
        Ok(())
    }

    /// Sends a message of an extension of the connection as a whole.
    pub fn send_stream_extension(&mut self, name: &str, payload: &[u8]) -> Result<(), SendError> {
        self.check().map_err(|_| SendError::Closed)?;
        let id = self
            .stream_extensions
            .local_id(name)
            .ok_or(SendError::UnknownExtension)?;
        if self.stream_extensions_changed {
            let options = schema::Options {
                extensions: self.stream_extensions.local(),
                ack: None,
            };
            self.outbox.message(0, Kind::Options, &options)?;
            self.stream_extensions_changed = false;
        }
        self.outbox.extension(0, id, payload)?;
        self.timers.sent();
        Ok(())
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest. `None` means never.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Ended(_) => None,
            _ => self.timers.next(),
        }
    }

    /// Bytes that wait to be transmitted, or for the handshake.
    pub fn queued_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Which side began.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The remote's static key; `None` until [`Event::Connected`].
    pub fn remote_public_key(&self) -> Option<&[u8; 32]> {
        self.remote_public_key.as_ref()
    }

    /// What identifies this connection on both sides; `None` until [`Event::Connected`].
    pub fn handshake_hash(&self) -> Option<&[u8; 64]> {
        self.handshake_hash.as_ref()
    }

    /// The core of a channel; `None` if the channel is closed.
    pub fn discovery_key(&self, channel: Channel) -> Option<&DiscoveryKey> {
        self.channels.get(channel).map(|core| &core.discovery_key)
    }

    /// Whether both sides have opened the channel's core.
    pub fn is_opened(&self, channel: Channel) -> bool {
        self.channels
            .get(channel)
            .is_some_and(|core| core.remote.is_some())
    }

    /// The number of cores known here: those open on this side and those offered by the remote.
    pub fn channel_count(&self) -> usize {
        self.channels.open_count() + self.channels.offer_count()
    }

    /// Bytes taken by [`poll_transmit`](Self::poll_transmit) so far, handshake and keep-alives
    /// included.
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// Bytes received so far, handshake and keep-alives included.
    pub fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    fn check(&self) -> Result<(), ConnectionError> {
        match &self.phase {
            Phase::Ended(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn end(&mut self, error: ConnectionError) -> ConnectionError {
        self.phase = Phase::Ended(error.clone());
        self.outbox.clear();
        self.incoming = FrameReader::default();
        self.channels = Channels::default();
        error
    }

    fn read(&mut self, mut input: &[u8]) -> Result<(), ConnectionError> {
        while let Phase::Handshake(handshake) = &mut self.phase {
            match handshake.handle_input(&mut input)? {
                Progress::Waiting => return Ok(()),
                Progress::Reply(message) => self.outbox.raw(&message),
                Progress::Complete(message, established) => {
                    if let Some(message) = message {
                        self.outbox.raw(&message);
                    }
                    self.establish(*established);
                }
            }
        }
        let received = self.incoming.extend(input);
        if let Some(cipher) = &mut self.decrypt {
            cipher.apply(received);
        }
        while let Some(frame) = self.incoming.next_frame()? {
            self.handle_frame(frame)?;
        }
        Ok(())
    }

    fn establish(&mut self, established: Established) {
        let Established {
            split,
            remote_nonce,
            remote_public_key,
            handshake_hash,
        } = established;
        let mut encrypt = None;
        if self.config.protection == Protection::Encrypted {
            encrypt = Some(Cipher::new(&split.send, &self.nonce));
            self.decrypt = Some(Cipher::new(&split.receive, &remote_nonce));
        }
        self.outbox.start(encrypt, Some(&split));
        self.split = Some(split);
        self.phase = Phase::Running;
        self.timers.handshake_complete();
        self.remote_public_key = Some(remote_public_key);
        self.handshake_hash = Some(handshake_hash);
        self.events.push_back(Event::Connected {
            remote_public_key,
            handshake_hash,
        });
    }

    fn handle_frame(&mut self, frame: Frame) -> Result<(), ConnectionError> {
        let Some(kind) = frame.kind else {
            return Ok(());
        };
        match kind {
            Kind::Open => return self.handle_open(frame.channel, frame.body),
            Kind::Close => return self.handle_close(frame.channel, frame.body),
            _ => {}
        }
        match self.channels.by_remote_id(frame.channel) {
            Some(Remote::Open(channel)) => {
                match self.decode(channel, kind, frame.body) {
                    Ok(Some(message)) => self.events.push_back(Event::Message(channel, message)),
                    Ok(None) => {}
                    Err(fault) => self.fail(channel, fault),
                }
                Ok(())
            }
            None if frame.channel == 0 => self.handle_stream(kind, frame.body),
            Some(Remote::Offered(discovery_key)) if kind == Kind::Want => {
                // One that is malformed is worth no more than one that is not read.
                if let Ok(want) = Want::decode(frame.body) {
                    self.channels.keep_want(&discovery_key, want);
                }
                Ok(())
            }
            // The remote speaks about a core that it has closed, or that we have not opened.
            Some(Remote::Offered(_)) | None => Ok(()),
        }
    }

    fn handle_open(&mut self, id: u64, body: Bytes) -> Result<(), ConnectionError> {
        let Opening {
            discovery_key,
            capability,
        } = Opening::decode(body).map_err(malformed(Kind::Open))?;
        let out_of_turn = ConnectionError::ChannelId { id };
        let remote = check_id(id).ok_or(out_of_turn.clone())?;
        let twice = self.channels.by_remote_id(id).is_some()
            || self.channels.offered(&discovery_key).is_some();
        if twice {
            return Err(out_of_turn);
        }
        let Some(channel) = self.channels.by_key(&discovery_key) else {
            return self.handle_offer(discovery_key, remote, capability);
        };
        let Some(core) = self
            .channels
            .get_mut(channel)
            .filter(|core| core.remote.is_none())
        else {
            return Err(out_of_turn);
        };
        if let Some(split) = &self.split
            && !split.verify(&core.key, capability.as_ref())
        {
            // That we notice tells the remote that we know the core; we were about to say so anyway.
            return Err(ConnectionError::Capability { discovery_key });
        }
        if let Some(options) = core.deferred.take() {
            announce(core, channel.0, options, &mut self.outbox)
                .expect("256 names of 1 KiB fit a frame, and the handshake is over");
            self.timers.sent();
        }
        self.channels.join(channel, remote);
        self.events.push_back(Event::Opened(channel));
        Ok(())
    }

    fn handle_offer(
        &mut self,
        discovery_key: DiscoveryKey,
        remote: u32,
        capability: Option<[u8; 32]>,
    ) -> Result<(), ConnectionError> {
        if self.channels.offer_count() < self.config.max_offers {
            self.channels.offer(discovery_key, remote, capability);
            self.events.push_back(Event::Offered(discovery_key));
            return Ok(());
        }
        let out_of_ids = ConnectionError::ChannelId {
            id: u64::from(remote),
        };
        let id = self.channels.next_id().ok_or(out_of_ids)?;
        self.outbox.close(id, Some(&discovery_key));
        self.timers.sent();
        Ok(())
    }

    fn handle_close(&mut self, id: u64, body: Bytes) -> Result<(), ConnectionError> {
        let named = schema::decode_close(body).map_err(malformed(Kind::Close))?;
        let (closed, discovery_key) = match self.channels.by_remote_id(id) {
            Some(Remote::Open(channel)) => (Some(channel), self.discovery_key(channel).copied()),
            Some(Remote::Offered(discovery_key)) => (None, Some(discovery_key)),
            // A refusal of what we opened, or of what was never known here.
            None => (named.and_then(|key| self.channels.by_key(&key)), named),
        };
        if named.is_some() && named != discovery_key {
            return Err(ConnectionError::CloseMismatch { id });
        }
        if let Some(channel) = closed {
            self.close(channel);
            self.events.push_back(Event::Closed(channel));
        } else if let Some(discovery_key) = discovery_key
            && self.channels.withdraw(&discovery_key)
        {
            self.events.push_back(Event::Withdrawn(discovery_key));
        }
        Ok(())
    }

    /// Options and extensions of the connection as a whole; other messages mean nothing there.
    fn handle_stream(&mut self, kind: Kind, body: Bytes) -> Result<(), ConnectionError> {
        match kind {
            Kind::Options => {
                let options = Options::decode(body).map_err(malformed(kind))?;
                let extensions = remote_names(&options);
                self.stream_extensions.set_remote(extensions.clone());
                self.events.push_back(Event::StreamOptions { extensions });
            }
            Kind::Extension => {
                let (id, payload) = split_extension(body).map_err(malformed(kind))?;
                if let Some(name) = self.stream_extensions.by_remote_id(id) {
                    self.events
                        .push_back(Event::StreamExtension(Extension { name, payload }));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A message of an open channel; `None` for one that means nothing here.
    fn decode(
        &mut self,
        channel: Channel,
        kind: Kind,
        body: Bytes,
    ) -> Result<Option<Message>, ChannelFault> {
        Ok(Some(match kind {
            Kind::Status => Message::Status(Status::decode(body)?),
            Kind::Have => Message::Have(Have::decode(body)?),
            Kind::Unhave => Message::Unhave(Unhave::decode(body)?),
            Kind::Want => Message::Want(Want::decode(body)?),
            Kind::Unwant => Message::Unwant(Unwant::decode(body)?),
            Kind::Request => Message::Request(Request::decode(body)?),
            Kind::Cancel => Message::Cancel(Cancel::decode(body)?),
            Kind::Data => Message::Data(Data::decode(body)?),
            Kind::Options => {
                let options = Options::decode(body)?;
                if let Some(core) = self.channels.get_mut(channel) {
                    core.extensions.set_remote(remote_names(&options));
                }
                Message::Options(options)
            }
            Kind::Extension => {
                let (id, payload) = split_extension(body)?;
                let core = self.channels.get(channel);
                let Some(name) = core.and_then(|core| core.extensions.by_remote_id(id)) else {
                    return Ok(None);
                };
                Message::Extension(Extension { name, payload })
            }
            Kind::Open | Kind::Close => return Ok(None),
        }))
    }

    fn fail(&mut self, channel: Channel, fault: ChannelFault) {
        self.close(channel);
        self.events.push_back(Event::Failed(channel, fault));
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("phase", &self.phase)
            .field("channels", &self.channel_count())
            .field("queued_bytes", &self.queued_bytes())
            .finish_non_exhaustive()
    }
}

fn malformed(kind: Kind) -> impl Fn(ChannelFault) -> ConnectionError {
    move |fault| ConnectionError::Malformed {
        message: kind.name(),
        fault,
    }
}

/// Sends a channel's options, unless they say what the remote assumes anyway.
fn announce(
    core: &mut Core,
    id: u32,
    options: Options,
    outbox: &mut Outbox,
) -> Result<(), SendError> {
    let Options { extensions, ack } = options;
    if core.announced || ack || !extensions.is_empty() {
        // The reference always writes `ack` here.
        let options = schema::Options {
            extensions,
            ack: Some(ack),
        };
        outbox.message(id, Kind::Options, &options)?;
        core.announced = true;
    }
    Ok(())
}

fn remote_names(options: &Options) -> Vec<Arc<str>> {
    options
        .extensions
        .iter()
        .map(|name| name.as_str().into())
        .collect()
}

/// The sender's id of an extension, and the payload.
fn split_extension(mut body: Bytes) -> Result<(u64, Bytes), ChannelFault> {
    match read_varint(&body) {
        Ok(Some((id, length))) => {
            body.advance(length);
            Ok((id, body))
        }
        _ => Err(ChannelFault::Encoding),
    }
}
