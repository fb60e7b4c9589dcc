use std::time::Duration;

use crate::{Config, Timestamp};

/// What the passing of time asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    HandshakeTimeout,
    IdleTimeout,
    KeepAlive,
}

/// The three deadlines of a connection.
#[derive(Debug)]
pub(crate) struct Timers {
    now: Timestamp,
    received: Timestamp,
    sent: Timestamp,
    /// `None` once the handshake is complete.
    handshake_end: Option<Timestamp>,
    idle_timeout: Option<Duration>,
    keep_alive: Option<Duration>,
}

impl Timers {
    pub(crate) fn new(config: &Config, now: Timestamp) -> Self {
        Self {
            now,
            received: now,
            sent: now,
            handshake_end: Some(now + config.handshake_timeout),
            idle_timeout: config.idle_timeout,
            keep_alive: config.keep_alive,
        }
    }

    pub(crate) fn handshake_complete(&mut self) {
        self.handshake_end = None;
        self.sent = self.now;
    }

    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    pub(crate) fn received(&mut self) {
        self.received = self.now;
    }

    /// Something was sent at about the time last heard of. If it was later in truth, the next
    /// keep-alive comes early, which does no harm.
    pub(crate) fn sent(&mut self) {
        self.sent = self.now;
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        [self.handshake_end, self.idle_end(), self.keep_alive_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What is overdue, the gravest first.
    pub(crate) fn due(&self) -> Option<Due> {
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.now);
        if passed(self.handshake_end) {
            Some(Due::HandshakeTimeout)
        } else if passed(self.idle_end()) {
            Some(Due::IdleTimeout)
        } else if passed(self.keep_alive_at()) {
            Some(Due::KeepAlive)
        } else {
            None
        }
    }

    fn idle_end(&self) -> Option<Timestamp> {
        self.idle_timeout.map(|timeout| self.received + timeout)
    }

    /// No keep-alives are sent while the handshake runs.
    fn keep_alive_at(&self) -> Option<Timestamp> {
        match self.handshake_end {
            Some(_) => None,
            None => self.keep_alive.map(|interval| self.sent + interval),
        }
    }
}
