//! How much is sent to whom, so that nobody makes us a weapon.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::address::is_limited;
use crate::{Config, MAX_REPLY_BYTES, Timestamp};

/// Bytes received from and sent to each IP address within a period.
///
/// Source addresses are easily forged, and answers are longer than questions. What is sent to an
/// address beyond its allowance is at most three times what came from it.
#[derive(Debug)]
pub(crate) struct Budget {
    flows: BTreeMap<Ipv4Addr, Flow>,
    /// All unproven addresses together.
    total: Flow,
    period_end: Timestamp,
    unproven: u64,
    unproven_total: u64,
    proven: u64,
    max_flows: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    received: u64,
    sent: u64,
    is_proven: bool,
}

impl Budget {
    pub(crate) fn new(config: &Config, now: Timestamp) -> Self {
        Self {
            flows: BTreeMap::new(),
            total: Flow::default(),
            period_end: now + PERIOD,
            unproven: config.unproven_allowance,
            unproven_total: config.unproven_total_allowance,
            proven: config.proven_allowance,
            max_flows: config.max_counted_ips,
        }
    }

    /// Counts a datagram, and says how long the reaction to it may be, in bytes.
    pub(crate) fn received(
        &mut self,
        ip: Ipv4Addr,
        bytes: usize,
        is_proven: bool,
        now: Timestamp,
    ) -> usize {
        if !is_limited(ip) {
            return MAX_REPLY_BYTES;
        }
        self.turn(now);
        let bytes = bytes as u64;
        let always = FACTOR * bytes;
        let is_full = self.flows.len() >= self.max_flows;
        let flow = match self.flows.get_mut(&ip) {
            Some(flow) => flow,
            // Nobody knows what went there before.
            None if is_full => return clamp(always),
            None => self.flows.entry(ip).or_default(),
        };
        flow.received += bytes;
        flow.is_proven = is_proven;
        let mut left = flow.left(if is_proven {
            self.proven
        } else {
            self.unproven
        });
        if !is_proven {
            self.total.received += bytes;
            left = left.min(self.total.left(self.unproven_total).max(always));
        }
        clamp(left)
    }

    /// Whether a datagram may go to an address that others have named, and counts it if so.
    pub(crate) fn may_send(
        &mut self,
        ip: Ipv4Addr,
        bytes: usize,
        is_proven: bool,
        now: Timestamp,
    ) -> bool {
        let may = self.received(ip, 0, is_proven, now) >= bytes;
        if may {
            self.sent(ip, bytes);
        }
        may
    }

    /// Begins a new period when the last one is over.
    fn turn(&mut self, now: Timestamp) {
        if now >= self.period_end {
            self.flows.clear();
            self.total = Flow::default();
            self.period_end = now + PERIOD;
        }
    }

    /// Counts what was sent in reaction to somebody's datagram.
    pub(crate) fn sent(&mut self, ip: Ipv4Addr, bytes: usize) {
        if let Some(flow) = self.flows.get_mut(&ip) {
            flow.sent += bytes as u64;
            if !flow.is_proven {
                self.total.sent += bytes as u64;
            }
        }
    }
}

impl Flow {
    /// Bytes that may still be sent.
    fn left(&self, allowance: u64) -> u64 {
        (allowance + FACTOR * self.received).saturating_sub(self.sent)
    }
}

fn clamp(bytes: u64) -> usize {
    usize::try_from(bytes)
        .unwrap_or(usize::MAX)
        .min(MAX_REPLY_BYTES)
}

/// Addresses that have answered requests of ours, and so are no forgery.
#[derive(Debug, Default)]
pub(crate) struct Proven {
    fresh: BTreeSet<SocketAddrV4>,
    stale: BTreeSet<SocketAddrV4>,
    turned: Timestamp,
}

impl Proven {
    pub(crate) fn insert(&mut self, address: SocketAddrV4, now: Timestamp) {
        if now.saturating_since(self.turned) >= PROOF_AGE || self.fresh.len() >= MAX_PROVEN {
            self.stale = std::mem::take(&mut self.fresh);
            self.turned = now;
        }
        self.fresh.insert(address);
    }

    pub(crate) fn contains(&self, address: SocketAddrV4) -> bool {
        self.fresh.contains(&address) || self.stale.contains(&address)
    }
}

const PERIOD: Duration = Duration::from_secs(10);

/// Bytes that may be sent for each received, beyond the allowance.
const FACTOR: u64 = 3;

/// An answer proves an address for this long to twice as long.
const PROOF_AGE: Duration = Duration::from_secs(20 * 60);

/// Addresses of one generation; there are two.
const MAX_PROVEN: usize = 4096;
