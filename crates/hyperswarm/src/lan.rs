//! Discovery on the local network, with the reference's multicast packets.
//!
//! [`Lan`] decides what to ask, what to answer and whom to believe, and owns neither socket nor clock:
//! after each call, drain [`poll_transmit`](Lan::poll_transmit) and [`poll_event`](Lan::poll_event).
//! Its packets are described in `docs/formats/swarm.md`.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

mod links;
mod name;
mod packet;
mod sources;

pub use links::{Link, MAX_LINKS, links};
pub use packet::{Answer, LanTopic, MAX_PACKET_BYTES, MAX_RECORDS, Packet, PacketError, Service};

use sources::Sources;

use crate::bucket::Bucket;

/// Where everybody sends and listens.
pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);

/// Peers on the local network, as a state machine.
///
/// Times are durations since an arbitrary start, the same for all calls.
pub struct Lan {
    topics: BTreeMap<[u8; 32], Topic>,
    links: Vec<Link>,
    sources: Sources,
    random: ChaCha20Rng,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<LanEvent>,
    stats: LanStats,
}

/// What is wanted of a topic on the local network.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LanJoin {
    /// The TCP port to tell others, if any is to be told.
    pub announce: Option<u16>,
    /// Whether to look for others.
    pub lookup: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LanEvent {
    /// A peer of a topic. The same peer is reported whenever it says so again.
    Peer {
        /// The topic.
        topic: [u8; 32],
        /// The peer's TCP address. It is the address that the packet came from, which no peer can
        /// choose freely, with the port that the peer named.
        address: SocketAddrV4,
    },
}

/// How many packets were dropped, and why.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LanStats {
    /// Packets that were read.
    pub accepted: u64,
    /// They came from an address on none of our links, or from another port than everybody's.
    pub off_link: u64,
    /// Their source, or all sources together, sent too many.
    pub too_many: u64,
    /// They are no packets.
    pub malformed: u64,
    /// Services named an address that was not the sender's.
    pub foreign: u64,
}

#[derive(Debug)]
struct Topic {
    id: [u8; 32],
    join: LanJoin,
    /// When to ask again.
    next_query: Duration,
    answers: Bucket,
    /// Whoever asked while no answer was allowed.
    asker: Option<Ipv4Addr>,
}

impl Lan {
    /// Nothing is joined yet. `seed` decides the ids and the times between queries; it must not
    /// repeat.
    pub fn new(seed: [u8; 32], now: Duration) -> Self {
        Self {
            topics: BTreeMap::new(),
            links: Vec::new(),
            sources: Sources::new(now),
            random: ChaCha20Rng::from_seed(seed),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            stats: LanStats::default(),
        }
    }

    /// Asks for peers of a topic and answers those who ask, from now on. Joining again replaces what
    /// was wanted before.
    pub fn join(&mut self, now: Duration, topic: [u8; 32], join: LanJoin) {
        let mut id = [0; 32];
        self.random.fill_bytes(&mut id);
        let joined = Topic {
            id,
            join,
            next_query: now,
            answers: Bucket::full(ANSWER_BURST, ANSWER_INTERVAL, now),
            asker: None,
        };
        self.topics.insert(topic, joined);
        self.announce(now, &topic);
        self.handle_timeout(now);
    }

    /// Neither asks nor answers any longer. The format has no farewell.
    pub fn leave(&mut self, topic: &[u8; 32]) {
        self.topics.remove(topic);
    }

    /// The links that we are on now. When there is a new one, everything is said and asked again.
    pub fn set_links(&mut self, now: Duration, links: Vec<Link>) {
        let is_new = links.iter().any(|link| !self.links.contains(link));
        self.links = links;
        if is_new {
            self.refresh(now);
        }
    }

    /// Says and asks everything again at once.
    pub fn refresh(&mut self, now: Duration) {
        let topics: Vec<[u8; 32]> = self.topics.keys().copied().collect();
        for topic in topics {
            self.announce(now, &topic);
            if let Some(joined) = self.topics.get_mut(&topic) {
                joined.next_query = now;
            }
        }
        self.handle_timeout(now);
    }

    /// Takes in a packet. Whatever it holds, this returns soon and keeps nothing of it but its peers.
    pub fn handle_packet(&mut self, now: Duration, from: SocketAddrV4, bytes: &[u8]) {
        let ours = self.links.iter().any(|link| link.contains(*from.ip()));
        if !ours || from.port() != GROUP.port() {
            self.stats.off_link += 1;
        } else if !self.sources.take(now, *from.ip()) {
            self.stats.too_many += 1;
        } else {
            match Packet::decode(bytes) {
                Ok(Packet::Query { topics, ids }) => self.handle_query(now, from, &topics, &ids),
                Ok(Packet::Response { services, ids }) => {
                    self.handle_response(from, &services, &ids);
                }
                Err(_) => {
                    self.stats.malformed += 1;
                    return;
                }
            }
            self.stats.accepted += 1;
        }
    }

    /// Tells that the time is `now`. Calling early or late is harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        for (topic, joined) in &mut self.topics {
            if joined.join.lookup && joined.next_query <= now {
                let jitter = self.random.next_u64() % millis(QUERY_INTERVAL);
                joined.next_query = now + QUERY_INTERVAL + Duration::from_millis(jitter);
                self.transmits.push_back(Packet::query(LanTopic::of(topic)));
            }
            if let Some(asker) = joined.asker
                && joined.answers.take(now)
            {
                joined.asker = None;
                self.transmits.extend(joined.answer(topic, Some(asker)));
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let next = |joined: &Topic| {
            let query = joined.join.lookup.then_some(joined.next_query);
            let answer = joined.asker.map(|_| joined.answers.next());
            query.into_iter().chain(answer).min()
        };
        self.topics.values().filter_map(next).min()
    }

    /// The next packet to send to [`GROUP`], through every link.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// What was found.
    pub fn poll_event(&mut self) -> Option<LanEvent> {
        self.events.pop_front()
    }

    /// Links that we are on.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// What was dropped so far.
    pub fn stats(&self) -> LanStats {
        self.stats
    }

    /// Says unasked where we are.
    fn announce(&mut self, now: Duration, topic: &[u8; 32]) {
        if let Some(joined) = self.topics.get_mut(topic)
            && joined.answers.take(now)
        {
            self.transmits.extend(joined.answer(topic, None));
        }
    }

    fn handle_query(
        &mut self,
        now: Duration,
        from: SocketAddrV4,
        asked: &[LanTopic],
        ids: &[[u8; 32]],
    ) {
        for (topic, joined) in &mut self.topics {
            if joined.join.announce.is_none()
                || !asked.contains(&LanTopic::of(topic))
                || ids.contains(&joined.id)
            {
                continue;
            }
            if joined.answers.take(now) {
                self.transmits
                    .extend(joined.answer(topic, Some(*from.ip())));
            } else {
                // The answer goes to everybody, so one later serves all who ask meanwhile.
                joined.asker = Some(*from.ip());
            }
        }
    }

    fn handle_response(&mut self, from: SocketAddrV4, services: &[Service], ids: &[[u8; 32]]) {
        for service in services {
            // Otherwise anyone could send everyone else to an address of their choice.
            if service.host.is_some_and(|host| host != *from.ip()) {
                self.stats.foreign += 1;
                continue;
            }
            for (topic, joined) in &self.topics {
                if joined.join.lookup
                    && LanTopic::of(topic) == service.topic
                    && !ids.contains(&joined.id)
                    && self.events.len() < MAX_EVENTS
                {
                    self.events.push_back(LanEvent::Peer {
                        topic: *topic,
                        address: SocketAddrV4::new(*from.ip(), service.port),
                    });
                }
            }
        }
    }
}

impl Topic {
    fn answer(&self, topic: &[u8; 32], asker: Option<Ipv4Addr>) -> Option<Vec<u8>> {
        let answer = Answer {
            topic: LanTopic::of(topic),
            port: self.join.announce?,
            id: self.id,
        };
        Some(Packet::response(&answer, asker))
    }
}

impl fmt::Debug for Lan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lan")
            .field("topics", &self.topics.len())
            .field("links", &self.links)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Time between two queries: this, and up to as much again at random (the reference's).
const QUERY_INTERVAL: Duration = Duration::from_secs(30);

/// Answers to everybody about one topic: so many at once, then one in each interval (RFC 6762,
/// section 6, allows one a second). A query beyond is answered when the next one is due.
pub const ANSWER_BURST: u32 = 4;
/// See [`ANSWER_BURST`].
pub const ANSWER_INTERVAL: Duration = Duration::from_secs(1);

/// Events that wait to be polled. One packet makes less, so this is met only if nobody polls.
const MAX_EVENTS: usize = 1024;
