//! What a node does by itself as time passes.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use super::Dht;
use super::walk::Ask;
use crate::query::Task;
use crate::random::Random;
use crate::rpc::Purpose;
use crate::wire::command;
use crate::{Config, Event, Id, Timestamp};

/// When what is due.
#[derive(Debug)]
pub(super) struct Upkeep {
    next: Timestamp,
    next_refresh: Timestamp,
    /// When to see whether we can be of use to others; `None` if that is settled.
    next_trial: Option<Timestamp>,
    next_warming: Timestamp,
    /// Nodes that keep our announcements, and until when that matters.
    warm: BTreeMap<SocketAddrV4, Timestamp>,
    is_ready: bool,
    refreshes_own: bool,
    /// The parts of the space that share fewer bits with us have been looked into.
    filled: usize,
}

impl Upkeep {
    pub(super) fn new(config: &Config, now: Timestamp, random: &mut Random) -> Self {
        let trial = config.ephemeral && config.adaptive;
        Self {
            next: now + jittered(INTERVAL, random),
            next_refresh: now + jittered(REFRESH, random),
            next_trial: trial.then(|| now + jittered(TRIAL, random)),
            next_warming: now,
            warm: BTreeMap::new(),
            is_ready: false,
            refreshes_own: false,
            filled: 0,
        }
    }

    pub(super) fn next_deadline(&self) -> Timestamp {
        let warming = (!self.warm.is_empty()).then_some(self.next_warming);
        warming.map_or(self.next, |warming| warming.min(self.next))
    }
}

impl Dht {
    /// Does what is due.
    pub(super) fn keep_up(&mut self) {
        self.keep_warm();
        let late = self.now.saturating_since(self.upkeep.next);
        if self.now < self.upkeep.next {
            return;
        }
        self.upkeep.next = self.now + jittered(INTERVAL, &mut self.random);
        self.peers.expire(self.now);
        self.values.expire(self.now);
        for node in self.table.oldest(self.now, CHECK_AGE, CHECKS_AT_ONCE) {
            self.check(node);
        }
        self.consider_persistence(late);
        let is_lost = self.table.len() == 0 && !self.config.bootstrap.is_empty();
        if self.upkeep.is_ready && (is_lost || self.now >= self.upkeep.next_refresh) {
            self.refresh();
        }
    }

    /// Walks to our own neighbourhood and to a random place in turn, so that the table stays true
    /// near and far.
    fn refresh(&mut self) {
        self.upkeep.next_refresh = self.now + jittered(REFRESH, &mut self.random);
        self.upkeep.refreshes_own = !self.upkeep.refreshes_own;
        if self.queries.len() >= self.config.max_queries {
            return;
        }
        let target = if self.upkeep.refreshes_own {
            self.id
        } else {
            Id::from_bytes(self.random.bytes32())
        };
        self.start(self.now, target, Task::Refresh);
    }

    /// The first walk is over.
    pub(super) fn bootstrapped(&mut self) {
        if !self.upkeep.is_ready {
            self.upkeep.is_ready = true;
            let nodes = self.table.len();
            self.events.push_back(Event::Ready { nodes });
        }
        self.upkeep.filled = 0;
        self.fill();
    }

    /// The first walk meets those near us and hardly anybody else. Short ones, one after the other,
    /// meet some of every other part of the space.
    pub(super) fn fill(&mut self) {
        let Some(part) = self
            .table
            .sparse_parts()
            .find(|it| *it >= self.upkeep.filled)
        else {
            return;
        };
        self.upkeep.filled = part + 1;
        let target = self.id.diverging(part, &self.random.bytes32());
        self.start(self.now, target, Task::Fill);
    }

    /// An ephemeral node that has been there for long enough, and whose address and port all others
    /// see alike, can be counted on.
    fn consider_persistence(&mut self, late: Duration) {
        let Some(trial) = self.upkeep.next_trial.filter(|trial| self.now >= *trial) else {
            return;
        };
        // A machine that slept has not been there.
        let has_slept =
            late > MAX_LATENESS || self.now.saturating_since(trial) > INTERVAL * 2 + MAX_LATENESS;
        let is_reachable = self
            .observed
            .current()
            .is_some_and(|observed| observed.port.is_some());
        if has_slept || !is_reachable {
            self.upkeep.next_trial = Some(self.now + jittered(TRIAL, &mut self.random));
            return;
        }
        self.upkeep.next_trial = None;
        self.is_ephemeral = false;
        self.events.push_back(Event::Persistent);
        // Those near us get to know us by being asked.
        self.start(self.now, self.id, Task::Refresh);
    }

    /// Remembers who keeps an announcement of ours.
    pub(super) fn warm_up(&mut self, storers: impl Iterator<Item = SocketAddrV4>) {
        let Some(interval) = self.config.keep_warm else {
            return;
        };
        if self.upkeep.warm.is_empty() {
            self.upkeep.next_warming = self.now + interval;
        }
        let until = self.now + WARM_FOR;
        for storer in storers {
            if self.upkeep.warm.len() < MAX_WARM || self.upkeep.warm.contains_key(&storer) {
                self.upkeep.warm.insert(storer, until);
            }
        }
    }

    fn keep_warm(&mut self) {
        let Some(interval) = self.config.keep_warm else {
            return;
        };
        if self.upkeep.warm.is_empty() || self.now < self.upkeep.next_warming {
            return;
        }
        self.upkeep.next_warming = self.now + interval;
        let now = self.now;
        self.upkeep.warm.retain(|_, until| *until > now);
        let storers: Vec<_> = self.upkeep.warm.keys().copied().collect();
        for storer in storers {
            if self.rpc.len() < self.config.max_in_flight {
                self.ask(Ask::query(storer, command::PING, Purpose::Warm));
            }
        }
    }
}

/// A quarter more or less, so that nodes that were started together do not stay in step.
fn jittered(interval: Duration, random: &mut Random) -> Duration {
    let quarter = usize::try_from(interval.as_millis() / 4).unwrap_or(usize::MAX);
    interval - interval / 4 + Duration::from_millis(random.below(2 * quarter + 1) as u64)
}

/// How often the node looks after its table and its stores.
pub(super) const INTERVAL: Duration = Duration::from_secs(15);

/// Nodes that are asked at once whether they are there, for whatever reason.
pub(super) const MAX_CHECKS: usize = 32;

/// Nodes that are asked in each interval, if they have been silent for this long.
const CHECKS_AT_ONCE: usize = 4;
const CHECK_AGE: Duration = Duration::from_secs(60);

/// How often the node walks to its own neighbourhood or to a random place.
const REFRESH: Duration = Duration::from_secs(5 * 60);

/// How long an ephemeral node has to have been there: 20 to 30 minutes with the jitter.
const TRIAL: Duration = Duration::from_secs(25 * 60);

/// A timer that comes later has been asleep.
const MAX_LATENESS: Duration = Duration::from_secs(60);

/// How long those who keep an announcement are kept warm for it: longer than until the next one.
const WARM_FOR: Duration = Duration::from_secs(12 * 60);

/// Nodes that are kept warm.
const MAX_WARM: usize = 64;
