use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::stream::FuturesUnordered;
use hypercore::{AvailableHold, Feed};
use hypercore_crypto::DiscoveryKey;
use hypercore_protocol::{Protection, Role, Secrets, Timestamp};
use hypercore_runtime::{BoxFuture, Runtime};

use crate::{Config, FeedSource, Identity, ReplicationError, Replicator, ReplicatorEvent};

/// What went over a connection that has ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The remote's static key, if the handshake was completed. No log's key.
    pub remote_public_key: Option<[u8; 32]>,
    /// Bytes written to the stream.
    pub bytes_sent: u64,
    /// Bytes read from the stream.
    pub bytes_received: u64,
}

/// Replicates logs over a stream until it ends.
///
/// Offers the remote every log of [`FeedSource::opened`] and serves what it asks for by
/// [`FeedSource::find`], in both directions. Returns when the remote ends the stream, or, if the
/// configuration is not live, when everything was exchanged. Dropping the future ends the
/// connection; what was stored until then stays.
///
/// The stream is used for nothing else: its first bytes are those of the handshake.
pub async fn replicate(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    role: Role,
    source: Arc<dyn FeedSource>,
    runtime: Arc<dyn Runtime>,
    config: Config,
) -> Result<Summary, ReplicationError> {
    let now = Timestamp::from_start(runtime.now());
    let secrets = secrets(config.identity.as_ref())?;
    let handshake = !matches!(config.protocol.protection, Protection::Plain(_));
    let mut driver = Driver {
        stream,
        replicator: Replicator::new(role, secrets, config, now),
        opened: source.opened(),
        source: &*source,
        is_known: !handshake,
        authentication: None,
        waiting: Vec::new(),
        admissions: FuturesUnordered::new(),
        deciding: HashSet::new(),
        offers: VecDeque::new(),
        finds: FuturesUnordered::new(),
        output: VecDeque::new(),
        input: vec![0; READ_BYTES],
        small_reads: 0,
        timer: None,
        runtime: &*runtime,
        closing: false,
    };
    driver.replicator.hand_out_flushes();
    let result = poll_fn(|cx| driver.poll(cx)).await;
    driver.replicator.flush();
    result?;
    let connection = driver.replicator.connection();
    Ok(Summary {
        remote_public_key: connection.remote_public_key().copied(),
        bytes_sent: connection.bytes_sent(),
        bytes_received: connection.bytes_received(),
    })
}

/// Bytes read from the stream at once, when little comes and when much does: several large blocks that
/// arrive together are hashed side by side.
const READ_BYTES: usize = 64 << 10;
const MANY_READ_BYTES: usize = 512 << 10;

/// Reads that would have found room in the small buffer, after which the large one is given up.
const SMALL_READS: usize = 64;

/// Bytes gathered for one write, and most pieces of it.
const WRITE_BYTES: usize = 256 << 10;
const WRITE_PIECES: usize = 32;

/// Offered logs that are looked up at once.
const MAX_FINDS: usize = 16;

/// Rounds before other tasks get their turn.
const ROUNDS: usize = 32;

struct Driver<'a, S> {
    stream: S,
    replicator: Replicator,
    opened: BoxStream<'static, Feed>,
    source: &'a dyn FeedSource,
    /// Whether it was decided to go on with the remote. No log is opened before.
    is_known: bool,
    /// While that is being decided.
    authentication: Option<BoxFuture<'a, bool>>,
    /// Logs that are to be opened if the remote may have them. Those who ask what is available wait for
    /// that.
    waiting: Vec<(Feed, AvailableHold)>,
    /// While that is being decided.
    admissions: FuturesUnordered<BoxFuture<'a, (Feed, AvailableHold, bool)>>,
    /// The logs that it is being decided about.
    deciding: HashSet<DiscoveryKey>,
    /// What the remote offers, and the search for it.
    offers: VecDeque<DiscoveryKey>,
    finds: FuturesUnordered<BoxFuture<'a, (DiscoveryKey, Option<Feed>)>>,
    output: VecDeque<Bytes>,
    input: Vec<u8>,
    /// How many reads in a row were small.
    small_reads: usize,
    timer: Option<(Timestamp, BoxFuture<'static, ()>)>,
    runtime: &'a dyn Runtime,
    /// Whether our half of the stream is being closed.
    closing: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<'_, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReplicationError>> {
        // A connection that always has something to read would never get to its timer.
        if self
            .replicator
            .poll_timeout()
            .is_some_and(|at| at <= self.now())
        {
            self.replicator.handle_timeout(self.now())?;
        }
        for _ in 0..ROUNDS {
            self.start_flushes();
            let mut progress = self.poll_feeds(cx);
            progress |= self.poll_changes(cx)?;
            self.poll_events();
            if let Some(authentication) = &mut self.authentication {
                match authentication.as_mut().poll(cx) {
                    Poll::Ready(true) => {
                        self.authentication = None;
                        self.is_known = true;
                    }
                    Poll::Ready(false) => return Poll::Ready(Err(ReplicationError::Refused)),
                    Poll::Pending if progress || self.poll_timer(cx)? => continue,
                    Poll::Pending => return Poll::Pending,
                }
            }
            if self.is_known {
                // What is open here needs not be looked for.
                progress |= self.poll_admissions(cx);
                progress |= self.poll_finds(cx);
            }
            progress |= self.poll_write(cx)?;
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(bytes)) => {
                    self.replicator
                        .handle_input(self.now(), &self.input[..bytes])?;
                    self.fit_input(bytes);
                    progress = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {}
            }
            if !progress && !self.poll_timer(cx)? {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Has logs flushed elsewhere, since that waits for the disk.
    fn start_flushes(&mut self) {
        while let Some(feed) = self.replicator.poll_flush() {
            // A log whose flush failed takes nothing more, which the next block or flush finds out.
            let flush = move || drop(feed.flush_aside());
            self.runtime.spawn_blocking(Box::new(flush));
        }
    }

    /// Chooses how much to read next time, after a read of so many bytes.
    fn fit_input(&mut self, bytes: usize) {
        if bytes == self.input.len() {
            self.input.resize(MANY_READ_BYTES, 0);
        }
        self.small_reads = match bytes < READ_BYTES {
            true => self.small_reads + 1,
            false => 0,
        };
        if self.small_reads >= SMALL_READS && self.input.len() > READ_BYTES {
            self.input = vec![0; READ_BYTES];
        }
    }

    /// Logs that were opened here.
    fn poll_feeds(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        while let Poll::Ready(Some(feed)) = self.opened.as_mut().poll_next(cx) {
            let hold = feed.hold_available();
            self.waiting.push((feed, hold));
            progress = true;
        }
        progress
    }

    /// What happened on the connection.
    fn poll_events(&mut self) {
        while let Some(event) = self.replicator.poll_event() {
            match event {
                ReplicatorEvent::Offered(key) => self.offers.push_back(key),
                ReplicatorEvent::Connected { remote_public_key } => {
                    self.authentication = Some(self.source.authenticate(remote_public_key));
                }
                _ => {}
            }
        }
    }

    /// Opens the logs that the remote may have.
    fn poll_admissions(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        let remote = self.replicator.connection().remote_public_key().copied();
        for (feed, hold) in self.waiting.drain(..) {
            self.deciding.insert(feed.discovery_key());
            let admitted = self.source.admit(&feed, remote);
            let decision = async move { (feed, hold, admitted.await) };
            self.admissions.push(Box::pin(decision));
            progress = true;
        }
        while let Poll::Ready(Some((feed, hold, admitted))) =
            Pin::new(&mut self.admissions).poll_next(cx)
        {
            self.deciding.remove(&feed.discovery_key());
            if admitted && !feed.is_closed() {
                self.replicator.open(self.now(), &feed);
            } else {
                self.replicator.refuse(&feed.discovery_key());
            }
            drop(hold);
            progress = true;
        }
        progress
    }

    /// What changed in the logs.
    fn poll_changes(&mut self, cx: &mut Context<'_>) -> Result<bool, ReplicationError> {
        let rung = self.replicator.register(cx.waker());
        if rung {
            self.replicator.handle_changes(self.now())?;
        }
        Ok(rung)
    }

    /// Logs that the remote offers.
    fn poll_finds(&mut self, cx: &mut Context<'_>) -> bool {
        let mut progress = false;
        loop {
            while self.finds.len() < MAX_FINDS
                && let Some(key) = self.offers.pop_front()
            {
                // One that was opened meanwhile, or is about to be, needs no search.
                if !self.deciding.contains(&key) && !self.replicator.is_open(&key) {
                    let found = self.source.find(key);
                    self.finds.push(Box::pin(async move { (key, found.await) }));
                }
            }
            let Poll::Ready(Some((key, found))) = Pin::new(&mut self.finds).poll_next(cx) else {
                return progress;
            };
            progress = true;
            match found.filter(|feed| !feed.is_closed()) {
                Some(feed) => {
                    let hold = feed.hold_available();
                    self.waiting.push((feed, hold));
                }
                None => self.replicator.refuse(&key),
            }
        }
    }

    /// Writes as much as the stream takes. True if it took something.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut progress = false;
        loop {
            let mut waiting: usize = self.output.iter().map(Bytes::len).sum();
            while waiting < WRITE_BYTES
                && let Some(bytes) = self.replicator.poll_transmit()
            {
                waiting += bytes.len();
                self.output.push_back(bytes);
            }
            if self.output.is_empty() {
                break;
            }
            let mut pieces = [IoSlice::new(&[]); WRITE_PIECES];
            for (piece, bytes) in pieces.iter_mut().zip(&self.output) {
                *piece = IoSlice::new(bytes);
            }
            let count = self.output.len().min(WRITE_PIECES);
            let stream = Pin::new(&mut self.stream);
            match stream.poll_write_vectored(cx, &pieces[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => self.consume(written),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(progress),
            }
            progress = true;
        }
        self.closing |= self.replicator.is_finished();
        let ended = match self.closing {
            true => Pin::new(&mut self.stream).poll_close(cx),
            false => Pin::new(&mut self.stream).poll_flush(cx),
        };
        match ended {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(progress),
        }
    }

    fn consume(&mut self, mut written: usize) {
        while let Some(bytes) = self.output.front_mut() {
            if written < bytes.len() {
                bytes.advance(written);
                return;
            }
            written -= bytes.len();
            self.output.pop_front();
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.replicator.is_input_paused() {
            return Poll::Pending; // what was answered by then makes the next write
        }
        Pin::new(&mut self.stream).poll_read(cx, &mut self.input)
    }

    /// Waits for the next deadline. True if it is here.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Result<bool, ReplicationError> {
        let Some(deadline) = self.replicator.poll_timeout() else {
            return Ok(false);
        };
        // A timer that fires early costs less than one that is set anew for every message.
        if self.timer.as_ref().is_none_or(|(at, _)| *at > deadline) {
            let wait = deadline.saturating_since(self.now());
            self.timer = Some((deadline, self.runtime.sleep(wait)));
        }
        let Some((_, timer)) = &mut self.timer else {
            return Ok(false);
        };
        if timer.as_mut().poll(cx).is_pending() {
            return Ok(false);
        }
        self.timer = None;
        self.replicator.handle_timeout(self.now())?;
        Ok(true)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_start(self.runtime.now())
    }
}

/// Fresh keys for one connection, but the static one that we are known by, if there is one.
fn secrets(identity: Option<&Identity>) -> Result<Secrets, ReplicationError> {
    let mut secrets = Secrets {
        static_key: [0; 32],
        ephemeral_key: [0; 32],
        nonce: [0; 24],
    };
    let Secrets {
        static_key,
        ephemeral_key,
        nonce,
    } = &mut secrets;
    for part in [&mut static_key[..], ephemeral_key, nonce] {
        getrandom::fill(part).map_err(|_| ReplicationError::Randomness)?;
    }
    if let Some(identity) = identity {
        secrets.static_key = *identity.static_key();
    }
    Ok(secrets)
}
