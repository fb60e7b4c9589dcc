//! The peer records that are kept for others.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::address::{Subnet, is_limited};
use crate::random::Random;
use crate::shelf::Shelf;
use crate::wire::{PEER_BYTES, decode_peer, encode_peer};
use crate::{Config, Id, Timestamp};

/// Peers by topic. Local ones are kept for each /16 network apart.
#[derive(Debug)]
pub(crate) struct Peers {
    records: Shelf<Record, ()>,
    /// How often each public address stands in a record.
    addresses: BTreeMap<SocketAddrV4, usize>,
    max_per_topic: usize,
    max_per_topic_and_ip: usize,
}

/// A record is its own key, so that those of a topic lie side by side.
type Record = (Place, [u8; PEER_BYTES]);

/// The oldest record of some: its age, and which it is.
type Oldest = (u64, Record);

/// The topic, and for local peers the first two bytes of the network.
type Place = (Id, Option<[u8; 2]>);

impl Peers {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            records: Shelf::new(
                config.max_records,
                config.max_records_per_ip,
                config.record_age,
            ),
            addresses: BTreeMap::new(),
            max_per_topic: config.max_records_per_topic,
            max_per_topic_and_ip: config.max_records_per_topic_and_ip,
        }
    }

    pub(crate) fn announce(
        &mut self,
        topic: Id,
        peer: SocketAddrV4,
        source: Ipv4Addr,
        now: Timestamp,
    ) {
        self.insert((topic, None), encode_peer(peer), source, now);
    }

    pub(crate) fn announce_local(
        &mut self,
        topic: Id,
        local: SocketAddrV4,
        source: Ipv4Addr,
        now: Timestamp,
    ) {
        self.insert(local_place(topic, local), encode_peer(local), source, now);
    }

    pub(crate) fn unannounce(&mut self, topic: Id, peer: SocketAddrV4) {
        self.remove(&((topic, None), encode_peer(peer)));
    }

    pub(crate) fn unannounce_local(&mut self, topic: Id, local: SocketAddrV4) {
        self.remove(&(local_place(topic, local), encode_peer(local)));
    }

    /// Up to `count` random records of a topic, except the asker's own.
    pub(crate) fn sample(
        &self,
        topic: Id,
        except: SocketAddrV4,
        count: usize,
        random: &mut Random,
    ) -> Vec<[u8; PEER_BYTES]> {
        self.sample_place((topic, None), encode_peer(except), count, random)
    }

    /// Up to `count` random ones of the asker's network, as the four bytes that are sent of them.
    pub(crate) fn sample_local(
        &self,
        topic: Id,
        own: SocketAddrV4,
        count: usize,
        random: &mut Random,
    ) -> Vec<[u8; 4]> {
        self.sample_place(local_place(topic, own), encode_peer(own), count, random)
            .into_iter()
            .map(|[_, _, rest @ ..]| rest)
            .collect()
    }

    /// Whether somebody has announced this address, and is to be reached through us.
    pub(crate) fn contains_address(&self, address: SocketAddrV4) -> bool {
        self.addresses.contains_key(&address)
    }

    pub(crate) fn expire(&mut self, now: Timestamp) {
        for gone in self.records.expire(now) {
            self.uncount(&gone);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    fn insert(&mut self, place: Place, peer: [u8; PEER_BYTES], source: Ipv4Addr, now: Timestamp) {
        let record = (place, peer);
        if self.records.get(&record).is_none() {
            self.make_room(place, source);
            self.count(&record);
        }
        for gone in self.records.insert(record, (), source, now) {
            self.uncount(&gone);
        }
    }

    /// Sees to the limits of one topic. The oldest record of the address gives way, or that of the
    /// network that has most.
    fn make_room(&mut self, place: Place, source: Ipv4Addr) {
        let mut own = (0, None);
        let mut networks: BTreeMap<Subnet, (usize, Oldest)> = BTreeMap::new();
        let mut total = 0;
        for (record, ip, age) in self.records.range(span(place)) {
            total += 1;
            let this = (age, *record);
            if ip == source {
                own = (
                    own.0 + 1,
                    Some(own.1.map_or(this, |it: Oldest| it.min(this))),
                );
            }
            let network = networks.entry(Subnet::of(ip)).or_insert((0, this));
            *network = (network.0 + 1, network.1.min(this));
        }
        let victim = if own.0 >= self.max_per_topic_and_ip && is_limited(source) {
            own.1
        } else if total >= self.max_per_topic {
            let largest = networks.values().max_by_key(|it| (it.0, Reverse(it.1)));
            largest.map(|it| it.1)
        } else {
            None
        };
        if let Some((_, record)) = victim {
            self.remove(&record);
        }
    }

    fn remove(&mut self, record: &Record) {
        if self.records.remove(record).is_some() {
            self.uncount(record);
        }
    }

    fn count(&mut self, record: &Record) {
        if let Some(address) = public_address(record) {
            *self.addresses.entry(address).or_default() += 1;
        }
    }

    fn uncount(&mut self, record: &Record) {
        if let Some(address) = public_address(record)
            && let Some(count) = self.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    fn sample_place(
        &self,
        place: Place,
        except: [u8; PEER_BYTES],
        count: usize,
        random: &mut Random,
    ) -> Vec<[u8; PEER_BYTES]> {
        let records = self.records.range(span(place));
        let mut peers: Vec<_> = records
            .map(|(record, ..)| record.1)
            .filter(|peer| *peer != except)
            .collect();
        random.shuffle_front(&mut peers, count);
        peers.truncate(count);
        peers
    }
}

fn local_place(topic: Id, local: SocketAddrV4) -> Place {
    let [a, b, ..] = local.ip().octets();
    (topic, Some([a, b]))
}

fn public_address((place, peer): &Record) -> Option<SocketAddrV4> {
    place.1.is_none().then(|| decode_peer(peer)).flatten()
}

fn span(place: Place) -> std::ops::RangeInclusive<Record> {
    (place, [0; PEER_BYTES])..=(place, [0xff; PEER_BYTES])
}
