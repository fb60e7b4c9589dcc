//! What is measured in a simulated network.

use std::collections::BTreeSet;
use std::time::Duration;

use hyperswarm_dht::{
    AnnounceOptions, CLOSEST_NODES, Event, Id, LookupOptions, Summary, Timestamp,
};

use super::{Character, World};

/// How lookups of announced topics went.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    pub requests: Vec<f64>,
    pub hops: Vec<f64>,
    /// From the question to the first true answer, in seconds; only those that had one.
    pub first: Vec<f64>,
    /// Until the lookup was over, in seconds.
    pub whole: Vec<f64>,
    /// Share of the true 20 closest among those that were asked.
    pub recall: Vec<f64>,
    pub found: usize,
    pub count: usize,
    /// How long announcements took, in seconds.
    pub announce: Vec<f64>,
}

impl Lookups {
    pub fn found_share(&self) -> f64 {
        self.found as f64 / self.count as f64
    }
}

/// The value below which the given share of the values lies.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * share).round();
    sorted.get(at as usize).copied().unwrap_or(f64::NAN)
}

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl World {
    /// A host that comes, joins and is ready: a fresh ephemeral client.
    pub fn client(&mut self) -> usize {
        let host = self.add(Character {
            ephemeral: true,
            ..Character::default()
        });
        let query = self.act(host, |dht, now| dht.bootstrap(now));
        self.finish(host, query);
        host
    }

    /// One host announces a topic. Returns whether that succeeded, and how long it took.
    pub fn announce(&mut self, host: usize, topic: Id) -> Option<Duration> {
        let started = self.now;
        let query = self.act(host, |dht, now| {
            dht.announce(now, topic, AnnounceOptions::default())
        });
        let events = self.finish(host, query);
        let (at, Event::Done { result, .. }) = events.last()? else {
            return None;
        };
        result.as_ref().ok()?;
        Some(at.saturating_since(started))
    }

    /// One host looks a topic up. Returns when it found `wanted` first, and the summary.
    pub fn look_up(
        &mut self,
        host: usize,
        topic: Id,
        wanted: std::net::SocketAddrV4,
    ) -> (Option<Duration>, Option<Summary>) {
        let started = self.now;
        let query = self.act(host, |dht, now| {
            dht.lookup(now, topic, LookupOptions::default())
        });
        let events = self.finish(host, query);
        let first = events.iter().find_map(|(at, event)| match event {
            Event::Peers { peers, .. } if peers.peers.contains(&wanted) => {
                Some(at.saturating_since(started))
            }
            _ => None,
        });
        let summary = events.into_iter().find_map(|(_, event)| match event {
            Event::Done { result, .. } => result.ok(),
            _ => None,
        });
        (first, summary)
    }

    /// Announces and looks up so many topics, each announced by a fresh client and looked up by
    /// another.
    pub fn measure_lookups(&mut self, count: usize) -> Lookups {
        let mut all = Lookups::default();
        let mut left = count;
        while left > 0 {
            // A few at a time: records are forgotten after a while.
            let batch = left.min(10);
            left -= batch;
            let announced: Vec<_> = (0..batch)
                .map(|_| {
                    let (announcer, topic) = (self.client(), self.random_id());
                    let time = self.announce(announcer, topic);
                    all.announce.extend(time.map(|it| it.as_secs_f64()));
                    (topic, self.hosts[announcer].address)
                })
                .collect();
            for (topic, address) in announced {
                self.measure_lookup(topic, address, &mut all);
            }
        }
        all
    }

    /// One lookup by a fresh client.
    pub fn measure_lookup(
        &mut self,
        topic: Id,
        address: std::net::SocketAddrV4,
        all: &mut Lookups,
    ) {
        let client = self.client();
        let started = self.now;
        let (first, summary) = self.look_up(client, topic, address);
        all.count += 1;
        if let Some(first) = first {
            all.found += 1;
            all.first.push(first.as_secs_f64());
        }
        let Some(summary) = summary else { return };
        let truly: BTreeSet<Id> = self
            .truly_closest(topic, CLOSEST_NODES)
            .into_iter()
            .collect();
        let hits = summary.closest.iter().filter(|it| truly.contains(&it.id));
        all.recall
            .push(hits.count() as f64 / truly.len().max(1) as f64);
        all.requests.push(summary.requests as f64);
        all.hops.extend(summary.hops_to_value.map(f64::from));
        all.whole.push(summary.elapsed.as_secs_f64());
        debug_assert!(self.now.saturating_since(started) >= summary.elapsed);
        self.kill(client);
    }

    /// Kills a share of the hosts at once, bootstrap nodes excepted.
    pub fn kill_share(&mut self, share: f64) {
        let spared = self.bootstrap.clone();
        for index in 0..self.hosts.len() {
            if super::link::share(&mut self.rng) < share
                && !spared.contains(&self.hosts[index].address)
            {
                self.kill(index);
            }
        }
    }

    pub fn random_id(&mut self) -> Id {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&self.rng.bytes(32));
        Id::from_bytes(bytes)
    }

    pub fn seconds(&self) -> f64 {
        self.now
            .saturating_since(Timestamp::default())
            .as_secs_f64()
    }
}
