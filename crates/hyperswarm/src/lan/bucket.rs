use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A number of tokens that fills up with time.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    burst: u32,
    interval: Duration,
    tokens: u32,
    /// When the bucket gained a token last, or was full.
    since: Duration,
}

impl Bucket {
    /// A full bucket of `burst` tokens, which gains one in each `interval`.
    pub(crate) fn full(burst: u32, interval: Duration, now: Duration) -> Self {
        Self {
            burst,
            interval,
            tokens: burst,
            since: now,
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        self.fill(now);
        let some = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        some
    }

    /// When an empty bucket has a token again.
    pub(crate) fn next(&self) -> Duration {
        self.since + self.interval
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.since).as_nanos() / self.interval.as_nanos();
        let gained = u32::try_from(passed).unwrap_or(u32::MAX);
        if gained >= self.burst - self.tokens {
            self.tokens = self.burst;
            self.since = now;
        } else {
            self.tokens += gained;
            self.since += self.interval * gained;
        }
    }
}

/// How much is read of each address, and of all together.
#[derive(Debug)]
pub(super) struct Sources {
    each: BTreeMap<Ipv4Addr, Bucket>,
    all: Bucket,
}

impl Sources {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            each: BTreeMap::new(),
            all: Bucket::full(ALL_BURST, ALL_INTERVAL, now),
        }
    }

    /// Whether a packet from an address is to be read.
    pub(super) fn take(&mut self, now: Duration, from: Ipv4Addr) -> bool {
        if !self.each.contains_key(&from) && self.each.len() >= MAX_SOURCES {
            // Whoever has been silent for a while starts anew unharmed.
            self.each.retain(|_, bucket| {
                bucket.fill(now);
                bucket.tokens < bucket.burst
            });
            if self.each.len() >= MAX_SOURCES {
                return false;
            }
        }
        let source = self
            .each
            .entry(from)
            .or_insert_with(|| Bucket::full(SOURCE_BURST, SOURCE_INTERVAL, now));
        // In this order, so that one that sends too much takes nothing from the others.
        source.take(now) && self.all.take(now)
    }
}

/// Packets read of one address: so many at once, then one in each interval. A host that joins some
/// hundred topics at once stays below.
const SOURCE_BURST: u32 = 200;
const SOURCE_INTERVAL: Duration = Duration::from_millis(20);

/// Packets read of all addresses together.
const ALL_BURST: u32 = 1000;
const ALL_INTERVAL: Duration = Duration::from_millis(2);

/// Addresses that are told apart. Further ones are not read until some have been silent.
const MAX_SOURCES: usize = 1024;
