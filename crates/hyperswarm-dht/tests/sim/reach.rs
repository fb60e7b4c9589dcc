//! Peers behind NATs: can one reach the other once it has found it?

use std::time::Duration;

use hyperswarm_dht::{AnnounceOptions, Event};

use super::{Character, Nat, World};

/// What came of one attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reached {
    /// The hole punch was answered.
    pub punched: bool,
    /// A datagram went to the other and one came back, as a connection needs it.
    pub connected: bool,
}

impl World {
    /// A host behind a NAT announces itself, another behind a NAT looks it up and tries to connect.
    ///
    /// `wait` passes between the two: NATs forget.
    pub fn try_to_reach(
        &mut self,
        announcer: Option<Nat>,
        dialler: Option<Nat>,
        wait: Duration,
    ) -> Reached {
        let topic = self.random_id();
        let [a, b] = [announcer, dialler].map(|nat| {
            let host = self.add(Character {
                ephemeral: true,
                nat,
                ..Character::default()
            });
            let query = self.act(host, |dht, now| dht.bootstrap(now));
            self.finish(host, query);
            host
        });
        let query = self.act(a, |dht, now| {
            dht.announce(now, topic, AnnounceOptions::default())
        });
        self.finish(a, query);
        self.run_for(wait);

        let query = self.act(b, |dht, now| dht.lookup(now, topic, Default::default()));
        let events = self.finish(b, query);
        let Some((peer, referrer)) = events.iter().find_map(|(_, event)| match event {
            Event::Peers { peers, .. } => Some((*peers.peers.first()?, peers.referrer)),
            _ => None,
        }) else {
            return Reached::default();
        };
        self.hosts[a].events.clear();
        let punch = self.act(b, |dht, now| dht.holepunch(now, peer, referrer));
        let mut reached = Reached::default();
        let mut dialled = vec![peer];
        // Ten seconds, as a connection is given; a first packet every half a second.
        for _ in 0..20 {
            for to in dialled.clone() {
                self.send(b, to, packet(HELLO));
            }
            self.run_for(Duration::from_millis(500));
            while let Some((_, event)) = self.hosts[b].events.pop_front() {
                if let Event::Punched { query, from, .. } = event
                    && query == punch
                {
                    reached.punched = true;
                    if !dialled.contains(&from) {
                        dialled.push(from);
                    }
                }
            }
            // Whoever is asked for may answer with a first packet too.
            while let Some((_, event)) = self.hosts[a].events.pop_front() {
                if let Event::PunchRequested { from, .. } = event {
                    self.send(a, from, packet(OPEN));
                }
            }
            while let Some((from, bytes)) = self.hosts[a].mail.pop_front() {
                if bytes == packet(HELLO) {
                    self.send(a, from, packet(WELCOME));
                }
            }
            let came = self.hosts[b]
                .mail
                .drain(..)
                .any(|(_, it)| it == packet(WELCOME));
            reached.connected |= came;
            if reached.connected {
                break;
            }
        }
        self.kill(a);
        self.kill(b);
        reached
    }
}

/// A datagram that looks like one of uTP.
fn packet(what: u8) -> Vec<u8> {
    let mut bytes = vec![what; 20];
    bytes[0] = 0x01;
    bytes[1] = 0;
    bytes
}

const HELLO: u8 = 1;
const WELCOME: u8 = 2;
const OPEN: u8 = 3;
