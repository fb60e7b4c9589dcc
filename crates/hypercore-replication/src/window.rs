use std::collections::BTreeMap;
use std::time::Duration;

use hypercore::RequestLimits;
use hypercore_protocol::Timestamp;

/// How many requests to keep in flight to one remote, learned from how fast it answers.
///
/// The window grows while answers come back about as fast as they ever did, and shrinks when they
/// queue up on the way, so that a block that somebody waits for does not stand behind seconds of
/// others, and so that at the end of a download nobody is still busy with what others could have brought
/// long ago. It never asks for more than a set number of bytes ahead.
#[derive(Debug)]
pub(crate) struct Window {
    requests: usize,
    max_bytes: usize,
    /// Running mean of block sizes, in bytes.
    block_bytes: usize,
    /// The fastest answer so far.
    fastest: Option<Duration>,
    /// Running mean of the time from one answer to the next while there is something to answer.
    pace: Duration,
    last_answer: Option<Timestamp>,
    sent: BTreeMap<(u64, bool), Timestamp>,
}

/// What the reference has in flight for downloads, and on top of it for blocks waited for.
const FIRST_REQUESTS: usize = 16;
const URGENT_REQUESTS: usize = 16;

/// What a remote is asked for at once that is too slow for more: one block under way while the next one
/// is asked for.
const MIN_REQUESTS: usize = 2;

/// Most requests in flight for one log on one connection.
const MAX_REQUESTS: usize = 1024;

/// How long answers may queue up on the way before the window shrinks.
const MAX_QUEUEING: Duration = Duration::from_millis(10);

/// How long they may take before it shrinks below what the reference has in flight.
const MAX_AHEAD: Duration = Duration::from_millis(500);

impl Window {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            requests: FIRST_REQUESTS,
            max_bytes,
            block_bytes: 0,
            fastest: None,
            pace: Duration::ZERO,
            last_answer: None,
            sent: BTreeMap::new(),
        }
    }

    pub(crate) fn limits(&self) -> RequestLimits {
        let by_bytes = self.max_bytes / self.block_bytes.max(1);
        let bulk = self.requests.min(by_bytes.max(FIRST_REQUESTS));
        RequestLimits {
            urgent: bulk + URGENT_REQUESTS,
            bulk,
        }
    }

    pub(crate) fn sent(&mut self, now: Timestamp, index: u64, hash: bool) {
        self.sent.insert((index, hash), now);
    }

    /// No answer is waited for any longer.
    pub(crate) fn cancelled(&mut self, index: u64) {
        self.sent.remove(&(index, false));
    }

    /// An answer of so many bytes came.
    pub(crate) fn answered(&mut self, now: Timestamp, index: u64, bytes: Option<usize>) {
        if let Some(bytes) = bytes {
            self.block_bytes = match self.block_bytes {
                0 => bytes,
                mean => (7 * mean + bytes) / 8,
            };
        }
        let Some(sent) = self.sent.remove(&(index, bytes.is_none())) else {
            return;
        };
        let took = now.saturating_since(sent);
        let fastest = self.fastest.map_or(took, |fastest| fastest.min(took));
        self.fastest = Some(fastest);
        if let Some(last) = self.last_answer.replace(now) {
            self.pace = (7 * self.pace + took.min(now.saturating_since(last))) / 8;
        }
        let target = 2 * fastest + MAX_QUEUEING;
        if took > target {
            // What was asked for long ago takes long even when the window is right by now.
            let least = match took > MAX_AHEAD {
                true => self.answered_within(target.max(MAX_AHEAD)),
                false => FIRST_REQUESTS,
            };
            self.requests = (self.requests - 1).max(least.min(self.requests));
        } else {
            self.requests = (self.requests + 1).min(MAX_REQUESTS);
        }
    }

    /// How many requests the remote answers in a time, from two to as many as it gets at first.
    fn answered_within(&self, time: Duration) -> usize {
        let count = time.as_micros() / self.pace.as_micros().max(1);
        usize::try_from(count)
            .unwrap_or(usize::MAX)
            .clamp(MIN_REQUESTS, FIRST_REQUESTS)
    }

    /// The requests made so far will not be answered.
    pub(crate) fn forget(&mut self) {
        self.sent.clear();
    }
}
