//! How often hole punches are forwarded and answered.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::Timestamp;

/// Counts hole punches by source and by destination, in periods of a second.
#[derive(Debug)]
pub(crate) struct Punches {
    sources: BTreeMap<Ipv4Addr, u32>,
    destinations: BTreeMap<Ipv4Addr, u32>,
    period_end: Timestamp,
    max: u32,
}

impl Punches {
    pub(crate) fn new(max: u32, now: Timestamp) -> Self {
        Self {
            sources: BTreeMap::new(),
            destinations: BTreeMap::new(),
            period_end: now + PERIOD,
            max,
        }
    }

    /// Whether one more is allowed, which is then counted.
    pub(crate) fn allow(
        &mut self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        now: Timestamp,
    ) -> bool {
        if now >= self.period_end {
            self.sources.clear();
            self.destinations.clear();
            self.period_end = now + PERIOD;
        }
        let is_new =
            !self.sources.contains_key(&source) || !self.destinations.contains_key(&destination);
        if is_new && self.sources.len().max(self.destinations.len()) >= MAX_COUNTED {
            return false;
        }
        let from = self.sources.get(&source).copied().unwrap_or(0);
        let to = self.destinations.get(&destination).copied().unwrap_or(0);
        if from >= self.max || to >= self.max {
            return false;
        }
        self.sources.insert(source, from + 1);
        self.destinations.insert(destination, to + 1);
        true
    }
}

const PERIOD: Duration = Duration::from_secs(1);

/// Addresses that are counted in one period; punches of further ones are refused.
const MAX_COUNTED: usize = 1024;
