use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use super::{Download, Feed};
use crate::ReadError;

/// Which blocks a stream yields.
#[derive(Clone, Debug)]
pub struct ReadRange {
    start: u64,
    end: Option<u64>,
    tail: bool,
    live: bool,
    snapshot: bool,
}

impl Default for ReadRange {
    fn default() -> Self {
        Self {
            start: 0,
            end: None,
            tail: false,
            live: false,
            snapshot: true,
        }
    }
}

impl ReadRange {
    /// All blocks of the log as it is when the stream is made.
    pub fn new() -> Self {
        Self::default()
    }

    /// From this block on (default: 0).
    #[must_use]
    pub fn start(mut self, start: u64) -> Self {
        self.start = start;
        self
    }

    /// Up to this block, which is not part of it (default: the log's end). Blocks that the log does
    /// not have yet are waited for.
    #[must_use]
    pub fn end(mut self, end: u64) -> Self {
        self.end = Some(end);
        self
    }

    /// Only what comes after the log's present end, and without end.
    #[must_use]
    pub fn tail(mut self) -> Self {
        self.tail = true;
        self.live = true;
        self
    }

    /// Whether to go on with what the log grows by, without end (default: no).
    #[must_use]
    pub fn live(mut self, live: bool) -> Self {
        self.live = live;
        self
    }

    /// Whether the log's end is that at the beginning (default), or the one found there on arrival.
    #[must_use]
    pub fn snapshot(mut self, snapshot: bool) -> Self {
        self.snapshot = snapshot;
        self
    }
}

/// The blocks of a range in order, as a [`Stream`]. Made by [`Feed::read`].
///
/// Missing blocks are fetched from peers, a few dozen ahead of the one that is waited for. After an
/// error the stream ends. Dropping it takes back what was asked for.
pub struct Blocks {
    feed: Feed,
    next: u64,
    /// `None` if the end is that of the log when it is reached, or if there is none.
    end: Option<u64>,
    live: bool,
    ended: bool,
    get: Option<Pin<Box<GetBlock>>>,
    /// What is fetched ahead, and where that ends.
    ahead: Option<(Download, u64)>,
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks")
            .field("next", &self.next)
            .field("end", &self.end)
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// The blocks of a range, one after the other, as they arrive.
    pub fn read(&self, range: ReadRange) -> Blocks {
        let length = self.length();
        let open_end = (range.snapshot && !range.live).then_some(length);
        Blocks {
            feed: self.clone(),
            next: if range.tail { length } else { range.start },
            end: range.end.or(open_end),
            live: range.live,
            ended: false,
            get: None,
            ahead: None,
        }
    }
}

impl Blocks {
    fn is_at_end(&self) -> bool {
        match self.end {
            Some(end) => self.next >= end,
            None => !self.live && self.next >= self.feed.length(),
        }
    }

    /// Keeps a window of blocks asked for.
    fn fetch_ahead(&mut self) {
        let until = self.ahead.as_ref().map_or(0, |ahead| ahead.1);
        if until.saturating_sub(self.next) >= AHEAD / 2 {
            return;
        }
        let end = self.next.saturating_add(AHEAD);
        let end = self.end.map_or(end, |last| end.min(last));
        let missing = self.feed.next_missing(self.next, end);
        self.ahead = missing.map(|first| (self.feed.download_linear(first..end), end));
    }
}

impl Stream for Blocks {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended || self.get.is_none() && self.is_at_end() {
            self.ahead = None;
            return Poll::Ready(None);
        }
        let index = self.next;
        if self.get.is_none() {
            self.fetch_ahead();
        }
        let feed = self.feed.clone();
        let get = self
            .get
            .get_or_insert_with(|| Box::pin(async move { feed.get(index).await }));
        let Poll::Ready(block) = get.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        self.get = None;
        self.next += 1;
        self.ended = block.is_err();
        Poll::Ready(Some(block))
    }
}

type GetBlock = dyn Future<Output = Result<Bytes, ReadError>> + Send;

/// How many blocks are asked for ahead.
const AHEAD: u64 = 64;
