//! A network of many nodes in one thread: real `Dht`s on a virtual clock, with latency, loss, NATs,
//! churn and hostile nodes, all from one seed.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::cast_possible_truncation
)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use hyperswarm_dht::{Config, Dht, Event, Id, QueryId, Timestamp};
use testkit::Rng;

pub mod churn;
pub mod hostile;
pub mod link;
pub mod measure;
pub mod nat;
pub mod reach;

pub use hostile::Hostile;
pub use link::Link;
pub use nat::{Nat, NatBox};

/// The whole network.
pub struct World {
    pub now: Timestamp,
    pub rng: Rng,
    pub link: Link,
    pub hosts: Vec<Host>,
    boxes: Vec<NatBox>,
    places: HashMap<Ipv4Addr, Place>,
    queue: BinaryHeap<Reverse<Due>>,
    sequence: u64,
    /// Datagrams that were sent, lost ones included.
    pub datagrams: u64,
    /// The first nodes, which all others begin with.
    pub bootstrap: Vec<SocketAddrV4>,
    /// Ids and addresses of the nodes that attack, for those that act together.
    gang: hostile::Gang,
}

/// A machine with one node.
pub struct Host {
    pub dht: Dht,
    /// Its own address; behind a NAT nobody else sees it.
    pub address: SocketAddrV4,
    nat: Option<usize>,
    pub is_alive: bool,
    pub hostile: Option<Hostile>,
    /// Events that nobody has looked at.
    pub events: VecDeque<(Timestamp, Event)>,
    /// Datagrams that are not the DHT's, and where from.
    pub mail: VecDeque<(SocketAddrV4, Vec<u8>)>,
    pub load: Load,
    place: (f64, f64),
    wake: Option<Timestamp>,
}

/// What a host has sent and received.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    pub packets_in: u64,
    pub packets_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

#[derive(Clone, Copy)]
enum Place {
    Host(usize),
    Box(usize),
}

/// Something that happens at a moment; the sequence number keeps the order of what happens at once.
#[derive(Eq, PartialEq)]
struct Due {
    at: Timestamp,
    sequence: u64,
    what: What,
}

#[derive(Eq, PartialEq)]
enum What {
    Arrive {
        from: SocketAddrV4,
        to: SocketAddrV4,
        bytes: Vec<u8>,
    },
    Wake(usize),
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What a new host is like.
#[derive(Clone, Default)]
pub struct Character {
    pub ephemeral: bool,
    pub nat: Option<Nat>,
    pub hostile: Option<Hostile>,
    pub id: Option<Id>,
    pub ip: Option<Ipv4Addr>,
}

impl World {
    pub fn new(seed: u64, link: Link) -> Self {
        Self {
            now: Timestamp::from_start(Duration::ZERO),
            rng: Rng::new(seed),
            link,
            hosts: Vec::new(),
            boxes: Vec::new(),
            places: HashMap::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            datagrams: 0,
            bootstrap: Vec::new(),
            gang: hostile::Gang::default(),
        }
    }

    /// A network of persistent nodes that have all joined, one after the other, and found their
    /// places.
    pub fn of(nodes: usize, seed: u64, link: Link) -> Self {
        let mut world = Self::new(seed, link);
        world.grow(nodes, |_, _| Character::default());
        world
    }

    /// Adds hosts, each with its first walk done before many others come, then lets the network
    /// settle.
    pub fn grow(&mut self, count: usize, mut character: impl FnMut(usize, &mut Rng) -> Character) {
        for i in 0..count {
            let character = character(i, &mut self.rng);
            let host = self.add(character);
            if self.bootstrap.len() < BOOTSTRAP_NODES && self.hosts[host].hostile.is_none() {
                self.bootstrap.push(self.hosts[host].address);
            }
            self.act(host, |dht, now| dht.bootstrap(now));
            // As many come at once as are there already, up to a rush.
            if i < 100 || i % 20 == 0 {
                self.run_for(Duration::from_millis(if i < 100 { 500 } else { 200 }));
            }
        }
        self.run_for(Duration::from_secs(20));
        self.forget_events();
    }

    /// A host that has not done anything yet.
    pub fn add(&mut self, character: Character) -> usize {
        let index = self.hosts.len();
        let ip = match character.ip {
            Some(ip) => ip,
            None => self.fresh_ip(),
        };
        let (address, nat) = match character.nat {
            None => {
                self.places.insert(ip, Place::Host(index));
                (SocketAddrV4::new(ip, 49737), None)
            }
            Some(nat) => {
                let number = self.boxes.len();
                self.boxes.push(NatBox::new(ip, nat, index));
                self.places.insert(ip, Place::Box(number));
                (
                    SocketAddrV4::new(Ipv4Addr::new(192, 168, 1, 2), 49737),
                    Some(number),
                )
            }
        };
        let mut config = Config::default();
        config.id = character.id;
        config.ephemeral = character.ephemeral;
        config.bootstrap.clone_from(&self.bootstrap);
        let mut seed = [0; 32];
        seed.copy_from_slice(&self.rng.bytes(32));
        let dht = Dht::new(config, seed, self.now);
        if character.hostile.is_some() {
            self.gang.add(dht.id(), address);
        }
        self.hosts.push(Host {
            dht,
            address,
            nat,
            is_alive: true,
            hostile: character.hostile,
            events: VecDeque::new(),
            mail: VecDeque::new(),
            load: Load::default(),
            place: (link::share(&mut self.rng), link::share(&mut self.rng)),
            wake: None,
        });
        self.drain(index);
        index
    }

    /// Lets a host do something.
    pub fn act<T>(&mut self, host: usize, what: impl FnOnce(&mut Dht, Timestamp) -> T) -> T {
        let now = self.now;
        let result = what(&mut self.hosts[host].dht, now);
        self.drain(host);
        result
    }

    /// Sends a datagram that is not the DHT's.
    pub fn send(&mut self, host: usize, to: SocketAddrV4, bytes: Vec<u8>) {
        self.transmit(host, to, bytes);
    }

    /// Lets a host vanish without a word.
    pub fn kill(&mut self, host: usize) {
        self.hosts[host].is_alive = false;
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.run_until(end, |_| false);
    }

    /// Lets time pass until `done` says so, or `end`. Returns whether it did.
    pub fn run_until(&mut self, end: Timestamp, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        loop {
            if done(self) {
                return true;
            }
            match self.queue.peek() {
                Some(Reverse(due)) if due.at <= end => self.turn(),
                _ => {
                    self.now = end;
                    return false;
                }
            }
        }
    }

    /// Waits for the end of an operation, for at most a minute. Returns its events until then, with
    /// the moment of each.
    pub fn finish(&mut self, host: usize, query: QueryId) -> Vec<(Timestamp, Event)> {
        let mut seen = Vec::new();
        let end = self.now + Duration::from_secs(60);
        self.run_until(end, |world| {
            while let Some((at, event)) = world.hosts[host].events.pop_front() {
                let is_end = matches!(&event, Event::Done { query: id, .. } if *id == query);
                let is_ours = match &event {
                    Event::Peers { query: id, .. }
                    | Event::Value { query: id, .. }
                    | Event::Punched { query: id, .. }
                    | Event::Pong { query: id, .. } => *id == query,
                    _ => is_end,
                };
                if is_ours {
                    seen.push((at, event));
                }
                if is_end {
                    return true;
                }
            }
            false
        });
        seen
    }

    pub fn forget_events(&mut self) {
        for host in &mut self.hosts {
            host.events.clear();
        }
    }

    /// The honest, living, persistent nodes nearest to a target: who should be found.
    pub fn truly_closest(&self, target: Id, count: usize) -> Vec<Id> {
        let mut ids: Vec<Id> = self
            .hosts
            .iter()
            .filter(|host| host.is_alive && host.hostile.is_none() && !host.dht.is_ephemeral())
            .map(|host| host.dht.id())
            .collect();
        ids.sort_unstable_by_key(|id| id.distance(&target));
        ids.truncate(count);
        ids
    }

    /// An address that nobody has, in a network that hardly anybody shares.
    fn fresh_ip(&mut self) -> Ipv4Addr {
        loop {
            let [a, b, c, d] = self.rng.next_u64().to_le_bytes()[..4].try_into().unwrap();
            let ip = Ipv4Addr::new(20 + a % 60, b, c, 1 + d % 254);
            if !self.places.contains_key(&ip) {
                return ip;
            }
        }
    }

    /// Does the next thing.
    fn turn(&mut self) {
        let Some(Reverse(due)) = self.queue.pop() else {
            return;
        };
        self.now = due.at;
        match due.what {
            What::Arrive { from, to, bytes } => self.arrive(from, to, bytes),
            What::Wake(index) => {
                let host = &mut self.hosts[index];
                if host.wake == Some(due.at) {
                    host.wake = None;
                    if host.is_alive {
                        host.dht.handle_timeout(self.now);
                        self.drain(index);
                    }
                }
            }
        }
    }

    fn arrive(&mut self, from: SocketAddrV4, to: SocketAddrV4, bytes: Vec<u8>) {
        let index = match self.places.get(to.ip()) {
            Some(Place::Host(index)) if self.hosts[*index].address.port() == to.port() => *index,
            Some(Place::Box(number)) => {
                match self.boxes[*number].inbound(self.now, from, to.port()) {
                    Some(index) => index,
                    None => return,
                }
            }
            _ => return,
        };
        let host = &mut self.hosts[index];
        if !host.is_alive {
            return;
        }
        host.load.packets_in += 1;
        host.load.bytes_in += bytes.len() as u64;
        if hyperswarm_dht::wire::is_utp(&bytes) {
            host.mail.push_back((from, bytes));
            return;
        }
        if let Some(kind) = host.hostile
            && let Some(answer) =
                hostile::answer(kind, &host.dht, &self.gang, from, &bytes, &mut self.rng)
        {
            if let Some(answer) = answer {
                self.transmit(index, from, answer);
            }
            return;
        }
        host.dht
            .handle_datagram(self.now, SocketAddr::V4(from), &bytes);
        self.drain(index);
    }

    /// Sends what a host wants to send, notes its events and when it wants to be woken.
    fn drain(&mut self, index: usize) {
        while let Some(transmit) = self.hosts[index].dht.poll_transmit() {
            self.transmit(index, transmit.to, transmit.bytes);
        }
        let now = self.now;
        let host = &mut self.hosts[index];
        while let Some(event) = host.dht.poll_event() {
            if !matches!(event, Event::Served { .. }) {
                host.events.push_back((now, event));
            }
        }
        let due = host.dht.poll_timeout().unwrap().max(now);
        if host.wake.is_none_or(|wake| due < wake) {
            host.wake = Some(due);
            self.push(due, What::Wake(index));
        }
    }

    fn transmit(&mut self, index: usize, to: SocketAddrV4, bytes: Vec<u8>) {
        let host = &mut self.hosts[index];
        host.load.packets_out += 1;
        host.load.bytes_out += bytes.len() as u64;
        self.datagrams += 1;
        let (from, place) = (host.address, host.place);
        let from = match host.nat {
            None => from,
            Some(number) => self.boxes[number].outbound(self.now, to, &mut self.rng),
        };
        let other = match self.places.get(to.ip()) {
            Some(Place::Host(index)) => self.hosts[*index].place,
            Some(Place::Box(number)) => self.hosts[self.boxes[*number].host()].place,
            None => return,
        };
        if let Some(delay) = self.link.carry(place, other, &mut self.rng) {
            let at = self.now + delay;
            self.push(at, What::Arrive { from, to, bytes });
        }
    }

    fn push(&mut self, at: Timestamp, what: What) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.queue.push(Reverse(Due { at, sequence, what }));
    }
}

/// Nodes that everyone knows from the start.
const BOOTSTRAP_NODES: usize = 3;
