//! Nodes that come and go.

use std::time::Duration;

use hyperswarm_dht::{AnnounceOptions, Id, Timestamp};

use super::link::share;
use super::measure::Lookups;
use super::{Character, World};

/// A peer of a topic, which announces again and again as long as it is there.
struct Announcer {
    host: usize,
    topic: Id,
    next: Timestamp,
}

impl World {
    /// Lets nodes come and go, as many as there are, with sessions of that median length, while
    /// announced topics are looked up by new clients. Bootstrap nodes and announcers stay.
    pub fn measure_churn(
        &mut self,
        median_session: Duration,
        minutes: u64,
        topics: usize,
    ) -> Lookups {
        let mut all = Lookups::default();
        let mut announcers: Vec<Announcer> = (0..topics)
            .map(|_| {
                let host = self.client();
                let topic = self.random_id();
                Announcer {
                    host,
                    topic,
                    next: self.now,
                }
            })
            .collect();
        let spared: Vec<usize> = announcers.iter().map(|it| it.host).collect();
        // In a steady state each session's end is as far off as its beginning lies back.
        let mut ends: Vec<(usize, Timestamp)> = Vec::new();
        for host in 0..self.hosts.len() {
            let stays = self.bootstrap.contains(&self.hosts[host].address);
            if self.hosts[host].is_alive && !stays && !spared.contains(&host) {
                let rest = self.session(median_session).mul_f64(share(&mut self.rng));
                ends.push((host, self.now + rest));
            }
        }
        let end = self.now + Duration::from_secs(60 * minutes);
        let mut next_lookup = self.now + Duration::from_secs(30);
        while self.now < end {
            let next_end = ends.iter().map(|it| it.1).min().unwrap_or(end);
            let next_announce = announcers.iter().map(|it| it.next).min().unwrap_or(end);
            let next = next_end.min(next_announce).min(next_lookup).min(end);
            let next = next.max(self.now);
            self.run_until(next, |_| false);
            for session in &mut ends {
                if session.1 > self.now {
                    continue;
                }
                self.kill(session.0);
                let host = self.add(Character::default());
                self.act(host, |dht, now| dht.bootstrap(now));
                *session = (host, self.now + self.session(median_session));
            }
            for announcer in &mut announcers {
                if announcer.next <= self.now {
                    let topic = announcer.topic;
                    self.act(announcer.host, |dht, now| {
                        dht.announce(now, topic, AnnounceOptions::default())
                    });
                    // Five to ten minutes, as peers do.
                    let pause = 300.0 + 300.0 * share(&mut self.rng);
                    announcer.next = self.now + Duration::from_secs_f64(pause);
                }
            }
            if next_lookup <= self.now {
                let which = usize::try_from(self.rng.below(topics as u64)).unwrap();
                let address = self.hosts[announcers[which].host].address;
                self.measure_lookup(announcers[which].topic, address, &mut all);
                next_lookup = self.now + Duration::from_secs(5);
            }
        }
        self.forget_events();
        all
    }

    /// A session's length: log-normal, so that a few stay very long.
    fn session(&mut self, median: Duration) -> Duration {
        let (a, b) = (share(&mut self.rng), share(&mut self.rng));
        let normal = (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        median.mul_f64(normal.exp().clamp(0.01, 100.0))
    }
}
