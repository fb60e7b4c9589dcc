use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::output::{count, size};

/// Who is connected, and what went over the connections so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Traffic {
    pub(crate) peers: usize,
    /// Bytes from peers, and to them.
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Traffic {
    /// Whether so much has changed that a log file is to have another line: keep-alives alone are not.
    pub(crate) fn is_worth_telling_after(&self, told: &Self) -> bool {
        let moved = (self.received + self.sent).saturating_sub(told.received + told.sent);
        self.peers != told.peers || moved >= WORTH_TELLING_BYTES
    }
}

/// Where traffic can be read at any time.
#[derive(Clone)]
pub(crate) struct Meter(Arc<dyn Fn() -> Traffic + Send + Sync>);

impl Meter {
    pub(crate) fn new(look: impl Fn() -> Traffic + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    pub(crate) fn look(&self) -> Traffic {
        (self.0)()
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.look()).finish()
    }
}

/// What was read over the last seconds, for rates that are neither of one moment nor of all time.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    readings: VecDeque<(Instant, Traffic)>,
}

impl Rates {
    /// Reads the meter, and tells peers and rates: `2 peers, 1.2 MiB/s in, 0 B/s out`.
    pub(crate) fn look(&mut self, meter: &Meter, now: Instant) -> String {
        self.add(meter.look(), now)
    }

    fn add(&mut self, traffic: Traffic, now: Instant) -> String {
        self.readings.push_back((now, traffic));
        // The oldest that is kept is the newest that is old enough.
        while self.readings.len() > 2 && now.duration_since(self.readings[1].0) >= WINDOW {
            self.readings.pop_front();
        }
        let (since, before) = self.readings[0];
        let millis = u64::try_from(now.duration_since(since).as_millis()).unwrap_or(u64::MAX);
        let rate = |now: u64, before: u64| {
            let rate = now.saturating_sub(before).saturating_mul(1000);
            size(rate.checked_div(millis).unwrap_or(0))
        };
        format!(
            "{}, {}/s in, {}/s out",
            count(traffic.peers as u64, "peer"),
            rate(traffic.received, before.received),
            rate(traffic.sent, before.sent),
        )
    }
}

/// Time over which a rate is taken.
const WINDOW: Duration = Duration::from_secs(3);

/// Bytes that are more than what connections carry to keep themselves alive.
const WORTH_TELLING_BYTES: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(peers: usize, received: u64, sent: u64) -> Traffic {
        Traffic {
            peers,
            received,
            sent,
        }
    }

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let start = Instant::now();
        let mut rates = Rates::default();
        let mut add = |second, traffic| rates.add(traffic, start + Duration::from_secs(second));
        assert_eq!(add(0, traffic(0, 0, 0)), "0 peers, 0 B/s in, 0 B/s out");
        assert_eq!(
            add(1, traffic(1, 2048, 0)),
            "1 peer, 2.0 KiB/s in, 0 B/s out"
        );
        assert_eq!(
            add(2, traffic(2, 4096, 10)),
            "2 peers, 2.0 KiB/s in, 5 B/s out"
        );
        // What was before the window does not count any more.
        assert_eq!(
            add(10, traffic(2, 4096, 10)),
            "2 peers, 0 B/s in, 0 B/s out"
        );
        assert_eq!(
            add(14, traffic(2, 8192, 10)),
            "2 peers, 1.0 KiB/s in, 0 B/s out"
        );
    }

    #[test]
    fn keep_alives_are_not_worth_a_line() {
        let told = traffic(1, 0, 0);
        assert!(!traffic(1, 100, 100).is_worth_telling_after(&told));
        assert!(traffic(1, 1000, 100).is_worth_telling_after(&told));
        assert!(traffic(2, 0, 0).is_worth_telling_after(&told));
        assert!(traffic(0, 0, 0).is_worth_telling_after(&told));
    }
}
