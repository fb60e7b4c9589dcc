use std::ops::Range;
use std::sync::Arc;

use hypercore::{Answer, DataError, Delivery, Feed, Received, RemoteTree, Request};
use hypercore_protocol as wire;
use hypercore_protocol::{Message, Timestamp};

use crate::window::Window;
use crate::{Config, exchange};

/// One log on one connection: what the remote said, and what it was told and asked.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Our side of it: demand, supply and storage.
    pub(crate) log: hypercore::Peer,
    /// Whether the remote has opened the log too.
    open: bool,
    /// What the remote knows that we do.
    told: wire::Status,
    /// What the remote does.
    remote: wire::Status,
    /// Whether the remote said so since we last said what we do.
    remote_answered: bool,
    /// Whether the remote wants to know when its blocks are stored.
    pub(crate) remote_ack: bool,
    /// Nodes that the remote is known to have.
    remote_tree: RemoteTree,
    /// The byte offset that the remote looked for last.
    last_seek: u64,
    /// Whether we ask the remote for blocks.
    downloading: bool,
    /// Whether we ever did.
    has_downloaded: bool,
    /// What became of asking for the first region before the remote had opened the log.
    early: Early,
    /// Whether the remote marked itself as one that announces everything unasked.
    announces_all: bool,
    /// Whether the remote asked which blocks are here, and so wants to be told of refusals.
    pub(crate) has_asked: bool,
    /// Whether the remote was answered, and is told of new blocks since.
    subscribed: bool,
    window: Window,
    /// Until when the remote has to open the log and say what it has of it.
    answer_by: Option<Timestamp>,
    /// When the remote last answered a request, or was asked while nothing was unanswered.
    progress: Option<Timestamp>,
    /// Whether others may be asked for what was asked of this remote.
    stalled: bool,
    /// How many bytes the connection had brought then.
    received: u64,
    /// How often more time was granted since then.
    put_off: u32,
    /// The entry in the replicator's list of deadlines.
    pub(crate) deadline: Option<Timestamp>,
}

/// A question that was asked together with the opening of the log, so that a remote which has the log
/// open already need not be waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Early {
    Unasked,
    /// The remote drops it unless it had the log open by then.
    Asked,
    Answered,
}

/// When something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    /// How many bytes the connection has brought by then.
    pub(crate) received: u64,
    /// Whether the handshake is over.
    pub(crate) connected: bool,
}

/// Why a log is given up on a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// The remote broke the rules.
    Theirs,
    /// It cannot be read or written here.
    Ours,
}

/// What came of a message with data.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) reply: Option<Message>,
    /// Whether it did not verify.
    pub(crate) refused: bool,
}

// Every mailbox can be told, and every message sent.
const _: () = assert!(hypercore::MAX_MAILBOXES <= wire::MAX_EXTENSIONS);
const _: () = assert!(hypercore::MAX_MAILBOX_NAME_BYTES <= wire::MAX_EXTENSION_NAME_BYTES);
const _: () = assert!(hypercore::MAX_MAIL_BYTES + 16 <= wire::MAX_BODY_BYTES);

/// What each side assumes of the other until it hears otherwise.
const EVERYTHING: wire::Status = wire::Status {
    uploading: true,
    downloading: true,
};

const PAGE_BLOCKS: u64 = 8192;
const REGION_BLOCKS: u64 = 1 << 20;

/// Ranges within one page that are announced one by one. Each takes about 8 bytes, a bitfield of a
/// page with many up to 1 KiB.
const MAX_RANGES: usize = 64;

/// A connection that brings less than this while it is waited for counts as silent, keep-alives
/// notwithstanding.
const SLOW_BYTES: u64 = 4 << 10;

/// How often a stall is put off while bytes arrive, and how often that and the end of the requests
/// together.
const MAX_STALLS_PUT_OFF: u32 = 5;
const MAX_PUT_OFF: u32 = 10;

/// Largest bitfield that is unpacked, in bytes: one region's worth.
const MAX_BITFIELD_BYTES: usize = 128 << 10;

impl Peer {
    pub(crate) fn new(log: hypercore::Peer, config: &Config) -> Self {
        let downloading = !log.feed().is_writable();
        Self {
            log,
            open: false,
            told: EVERYTHING,
            remote: EVERYTHING,
            remote_answered: false,
            remote_ack: false,
            remote_tree: RemoteTree::default(),
            last_seek: 0,
            downloading,
            has_downloaded: downloading,
            early: Early::Unasked,
            announces_all: false,
            has_asked: false,
            subscribed: false,
            window: Window::new(config.max_bytes_in_flight),
            answer_by: None,
            progress: None,
            stalled: false,
            received: 0,
            put_off: 0,
            deadline: None,
        }
    }

    /// The remote should open the log from now on.
    pub(crate) fn expect_answer(&mut self, now: Timestamp, config: &Config) {
        self.answer_by = Some(now + config.answer_timeout);
    }

    /// The remote has opened the log; returns what to send first.
    pub(crate) fn handle_open(&mut self, now: Timestamp, config: &Config) -> Vec<Message> {
        self.open = true;
        self.log.handle_open();
        self.expect_answer(now, config);
        // Options come first, so that the remote knows the numbers of the extensions.
        let mut messages = vec![options(
            self.log.poll_mailboxes().unwrap_or_default(),
            config,
        )];
        self.tell_status(config, &mut messages);
        messages
    }

    /// Whether the remote's questions are answered.
    pub(crate) fn is_uploading(&self, config: &Config) -> bool {
        config.upload && self.feed().is_uploading()
    }

    pub(crate) fn handle_status(&mut self, status: wire::Status) {
        if status.uploading != self.remote.uploading {
            self.log.handle_uploading(status.uploading);
            if !status.uploading {
                self.forget_requests();
            }
        }
        self.remote = status;
        self.remote_answered = true;
    }

    pub(crate) fn handle_have(
        &mut self,
        now: Timestamp,
        have: wire::Have,
        config: &Config,
    ) -> Result<(), Fault> {
        let wire::Have {
            start,
            length,
            bitfield,
            ack,
        } = have;
        if ack && config.ack && bitfield.is_none() {
            self.log.handle_ack(start);
            return Ok(());
        }
        match bitfield {
            None => self.log.handle_have(start..start.saturating_add(length)),
            Some(bitfield) => {
                if !start.is_multiple_of(PAGE_BLOCKS) {
                    return Err(Fault::Theirs);
                }
                self.announces_all |= length <= 1;
                let max_bytes = match length {
                    0 | 1 => MAX_BITFIELD_BYTES,
                    _ => usize::try_from(length.div_ceil(8))
                        .unwrap_or(usize::MAX)
                        .min(MAX_BITFIELD_BYTES),
                };
                let bits =
                    hypercore::rle::decode(&bitfield, max_bytes).map_err(|_| Fault::Theirs)?;
                self.log.handle_bitfield(start, &bits);
            }
        }
        if length == REGION_BLOCKS {
            if start == 0 && self.early == Early::Asked {
                self.early = Early::Answered;
            }
            self.log.handle_region(start);
            self.expect_answer(now, config);
        }
        Ok(())
    }

    /// The remote wants to hear of new blocks no longer, unless it asks again.
    pub(crate) fn handle_unwant(&mut self) {
        self.subscribed = false;
        self.log.handle_unsubscribe();
    }

    pub(crate) fn handle_unhave(&mut self, at: Moment, range: Range<u64>) {
        let before = self.log.requests_in_flight();
        self.log.handle_unhave(range);
        if self.log.requests_in_flight() < before {
            self.progressed(at);
        }
    }

    /// Takes in several answers. What comes after one that is at fault is not looked at.
    pub(crate) fn handle_data(
        &mut self,
        at: Moment,
        answers: Vec<wire::Data>,
    ) -> Vec<Result<Outcome, Fault>> {
        let deliveries = answers.into_iter().map_while(exchange::delivery);
        let deliveries: Vec<Delivery> = deliveries.collect();
        let about = |delivery: &Delivery| {
            let bytes = delivery.value.as_ref().map(bytes::Bytes::len);
            (delivery.index, bytes)
        };
        let about: Vec<_> = deliveries.iter().map(about).collect();
        let results = self
            .log
            .handle_deliveries(deliveries)
            .into_iter()
            .zip(about);
        results
            .map(|(result, (index, bytes))| self.outcome(at, index, bytes, result))
            .collect()
    }

    fn outcome(
        &mut self,
        at: Moment,
        index: u64,
        bytes: Option<usize>,
        result: Result<Received, DataError>,
    ) -> Result<Outcome, Fault> {
        match result {
            Ok(Received::Unsolicited { missing }) => {
                let unwanted = Message::Unhave(wire::Unhave {
                    start: index,
                    length: 1,
                });
                let tell = missing && self.has_asked && bytes.is_some();
                Ok(Outcome {
                    reply: tell.then_some(unwanted),
                    refused: false,
                })
            }
            Ok(Received::Duplicate | Received::Declined) => {
                self.answered(at, index, bytes);
                Ok(Outcome::default())
            }
            Ok(Received::Stored) => {
                self.answered(at, index, bytes);
                let have = wire::Have {
                    start: index,
                    length: 1,
                    bitfield: None,
                    ack: true,
                };
                let reply = self.remote_ack.then_some(Message::Have(have));
                Ok(Outcome {
                    reply,
                    refused: false,
                })
            }
            Err(DataError::Refused(_)) => {
                self.answered(at, index, bytes);
                Ok(Outcome {
                    reply: None,
                    refused: true,
                })
            }
            Err(_) => Err(Fault::Ours),
        }
    }

    /// Deals with what the remote did not do in time; returns how often it was at fault.
    pub(crate) fn handle_timeout(&mut self, at: Moment, config: &Config) -> u32 {
        if self.answer_by.is_some_and(|by| by <= at.now) {
            self.answer_by = None;
            self.log.handle_overdue();
        }
        let Some(progress) = self.progress else {
            return 0;
        };
        let waited = at.now.saturating_since(progress);
        if !self.stalled && waited >= config.stall_timeout {
            if self.is_slow(at, MAX_STALLS_PUT_OFF) {
                return 0;
            }
            self.stalled = true;
            self.log.handle_stall();
        }
        if waited >= config.request_timeout && !self.is_slow(at, MAX_PUT_OFF) {
            self.forget_requests();
            return u32::from(self.log.handle_request_timeout() > 0);
        }
        0
    }

    /// Whether the answer may be on its way, behind those about other logs or because it is large.
    /// Then the clock starts anew, up to so many times without any answer.
    fn is_slow(&mut self, at: Moment, limit: u32) -> bool {
        let brought = at.received.saturating_sub(self.received);
        let slow = brought >= SLOW_BYTES && self.put_off < limit;
        if slow {
            self.received = at.received;
            self.put_off += 1;
            self.progress = Some(at.now);
        }
        slow
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn next_deadline(&self, config: &Config) -> Option<Timestamp> {
        let wait = if self.stalled {
            config.request_timeout
        } else {
            config.stall_timeout
        };
        let request = self.progress.map(|progress| progress + wait);
        [self.answer_by, request].into_iter().flatten().min()
    }

    /// Adds what to ask of the remote now.
    pub(crate) fn pump(&mut self, at: Moment, config: &Config, messages: &mut Vec<Message>) {
        if !self.log.is_unanswered() {
            self.answer_by = None;
        }
        if !self.open {
            if at.connected && self.downloading && self.early == Early::Unasked {
                self.early = Early::Asked;
                messages.push(want(0..REGION_BLOCKS));
            }
            return;
        }
        self.cancel(messages);
        if let Some(names) = self.log.poll_mailboxes() {
            messages.push(options(names, config));
        }
        self.tell_status(config, messages);
        if !self.downloading {
            if !self.log.is_needed() {
                return;
            }
            // A log that was written here lost blocks, and somebody wants them back.
            self.downloading = true;
            self.has_downloaded = true;
            self.tell_status(config, messages);
        }
        if !self.announces_all {
            while let Some(region) = self.log.poll_region() {
                if region.start == 0 && self.early == Early::Answered {
                    self.early = Early::Unasked;
                    self.log.handle_region(0);
                    continue;
                }
                self.expect_answer(at.now, config);
                messages.push(want(region));
            }
        }
        let mut requests = Vec::new();
        self.log.poll_requests(self.window.limits(), &mut requests);
        if !requests.is_empty() && self.progress.is_none() {
            self.progressed(at);
        }
        for request in requests {
            self.window.sent(at.now, request.index, request.hash);
            messages.push(Message::Request(exchange::request(&request)));
        }
    }

    /// Takes back requests for what nobody waits for any longer.
    fn cancel(&mut self, messages: &mut Vec<Message>) {
        for index in self.log.poll_cancels() {
            self.window.cancelled(index);
            messages.push(Message::Cancel(wire::Cancel {
                index,
                bytes: 0,
                hash: false,
            }));
        }
        if self.log.requests_in_flight() == 0 {
            self.stalled = false;
            self.progress = None;
        }
    }

    /// Whether both sides are done with the log. Tells the remote when we are.
    pub(crate) fn poll_finished(&mut self, config: &Config, messages: &mut Vec<Message>) -> bool {
        if config.live || !self.open {
            return false;
        }
        let needed = self.log.is_needed() && self.feed().is_downloading();
        if self.downloading && !self.log.is_unanswered() && !needed {
            self.downloading = false;
            self.remote_answered = false;
            self.tell_status(config, messages);
        }
        // Whoever is done last hears it from the other, and closes.
        let finished = !self.downloading && !self.remote.downloading && self.remote_answered;
        if finished && !self.has_downloaded {
            let status = wire::Status {
                uploading: false,
                downloading: false,
            };
            messages.push(Message::Status(status));
        }
        finished
    }

    /// The answer to the question which blocks of a region are here.
    pub(crate) fn answer_want(&mut self, start: u64, length: u64) -> Vec<Message> {
        let feed = self.log.feed();
        let mut messages = Vec::new();
        if !self.subscribed {
            self.subscribed = true;
            // From here on changes are announced, so none is missed in between.
            self.log.handle_subscribe();
            let last = feed.durable_length().checked_sub(1);
            let last = last.filter(|last| feed.has(*last));
            messages.extend(last.map(|last| Message::Have(wire::Have::range(last, 1))));
        }
        messages.push(self.have_bitfield(start, length));
        messages
    }

    /// What to send for the requests that `next` gives, up to about so many bytes.
    pub(crate) fn answer_requests(
        &mut self,
        mut next: impl FnMut() -> Option<Request>,
        max_bytes: usize,
    ) -> Result<Vec<(Request, Answer)>, Fault> {
        let last_seek = &mut self.last_seek;
        // The reference asks many times for one byte offset, which is answered once.
        let unanswered = || loop {
            let request = next()?;
            let again = request.bytes > 0 && *last_seek == request.bytes;
            if request.bytes > 0 {
                *last_seek = request.bytes;
            }
            if !again {
                return Some(request);
            }
        };
        let answers = self
            .log
            .answer_all(unanswered, max_bytes, &mut self.remote_tree);
        answers.map_err(|_| Fault::Ours)
    }

    /// Announces blocks: as ranges, or, where many are scattered over a page, as its bitfield.
    pub(crate) fn announce(&self, have: &[Range<u64>], messages: &mut Vec<Message>) {
        let page = |range: &Range<u64>| range.start / PAGE_BLOCKS;
        for ranges in have.chunk_by(|a, b| page(a) == page(b)) {
            if ranges.len() > MAX_RANGES {
                let start = page(&ranges[0]) * PAGE_BLOCKS;
                messages.push(self.have_bitfield(start, PAGE_BLOCKS));
                // The last one may go on into the next page.
                let rest = ranges
                    .last()
                    .map_or(0, |last| last.end)
                    .checked_sub(start + PAGE_BLOCKS);
                let rest = rest.filter(|rest| *rest > 0);
                messages.extend(
                    rest.map(|rest| Message::Have(wire::Have::range(start + PAGE_BLOCKS, rest))),
                );
            } else {
                messages.extend(ranges.iter().map(|range| {
                    Message::Have(wire::Have::range(range.start, range.end - range.start))
                }));
            }
        }
    }

    pub(crate) fn feed(&self) -> &Feed {
        self.log.feed()
    }

    fn have_bitfield(&self, start: u64, length: u64) -> Message {
        let bitfield = Some(self.log.bitfield(start, length).into());
        Message::Have(wire::Have {
            start,
            length,
            bitfield,
            ack: false,
        })
    }

    /// Tells the remote what we do, if that changed.
    fn tell_status(&mut self, config: &Config, messages: &mut Vec<Message>) {
        let status = wire::Status {
            uploading: self.is_uploading(config),
            downloading: self.downloading && self.feed().is_downloading(),
        };
        if status != self.told {
            messages.push(Message::Status(status));
            self.told = status;
        }
    }

    /// The remote answered a request.
    fn answered(&mut self, at: Moment, index: u64, bytes: Option<usize>) {
        self.window.answered(at.now, index, bytes);
        self.progressed(at);
    }

    fn progressed(&mut self, at: Moment) {
        self.received = at.received;
        self.put_off = 0;
        self.stalled = false;
        self.progress = (self.log.requests_in_flight() > 0).then_some(at.now);
    }

    /// No request made so far will be answered.
    fn forget_requests(&mut self) {
        self.window.forget();
        self.stalled = false;
        self.progress = None;
    }
}

/// What the remote is told of mailboxes and acknowledgements. The connection does not send what the
/// remote assumes anyway.
fn options(mailboxes: Vec<Arc<str>>, config: &Config) -> Message {
    Message::Options(wire::Options {
        extensions: mailboxes.iter().map(ToString::to_string).collect(),
        ack: config.ack,
    })
}

/// The message that asks which blocks of a region the remote has.
fn want(region: Range<u64>) -> Message {
    Message::Want(wire::Want {
        start: region.start,
        length: region.end - region.start,
    })
}

/// The message that says that a request cannot be answered.
pub(crate) fn refusal(index: u64) -> Message {
    Message::Unhave(wire::Unhave {
        start: index,
        length: 1,
    })
}

/// The message that takes back a range of blocks.
pub(crate) fn unhave(range: &Range<u64>) -> Message {
    Message::Unhave(wire::Unhave {
        start: range.start,
        length: range.end - range.start,
    })
}
