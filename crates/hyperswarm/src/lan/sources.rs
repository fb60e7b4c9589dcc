use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::bucket::Bucket;

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
            self.each.retain(|_, bucket| !bucket.is_full(now));
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
