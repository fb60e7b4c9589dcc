//! Whom to dial, and when.
//!
//! [`Peers`] keeps the peers that were found and decides on dials, pauses and bans. It owns no socket
//! and no clock: times are durations since an arbitrary start, the same for all calls.
//! Something with sockets carries out what it decides.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::bucket::Bucket;

/// A topic: 32 bytes, raw.
pub type Topic = [u8; 32];

/// The limits of [`Peers`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PeersConfig {
    /// Connections in both directions together. Default: 128 (the reference's daemon).
    pub max_connections: usize,
    /// How many of them others may have dialled, so that some remain for whom we choose.
    /// Default: 96.
    pub max_incoming: usize,
    /// How many of those may come from one address. Programs of this machine are not counted.
    /// Default: 16.
    pub max_incoming_per_ip: usize,
    /// Attempts to connect under way at the same time. Default: 8.
    pub max_dials: usize,
    /// Peers that are known at the same time; further ones are not kept. Default: 4096.
    pub max_peers: usize,
    /// Peers whom the DHT, or another one, adds in a minute for one topic. Default: 512.
    pub max_new_per_topic: u32,
}

impl Default for PeersConfig {
    fn default() -> Self {
        Self {
            max_connections: 128,
            max_incoming: 96,
            max_incoming_per_ip: 16,
            max_dials: 8,
            max_peers: 4096,
            max_new_per_topic: 512,
        }
    }
}

/// Who says that there is a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The peer itself, on the local network.
    Lan,
    /// A node of the DHT, which can forward hole punches to the peer.
    Dht {
        /// The node.
        referrer: SocketAddrV4,
    },
    /// Some node of another DHT, which knows nothing of hole punches.
    Mainline,
}

impl Source {
    /// Whether the peer said so itself, so that nobody else can be harmed by it.
    const fn is_first_hand(self) -> bool {
        matches!(self, Self::Lan)
    }
}

/// A peer to connect to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dial {
    /// Where the peer says to be.
    pub address: SocketAddrV4,
    /// The node that can forward a hole punch; `None` for peers on the local network.
    pub referrer: Option<SocketAddrV4>,
}

/// The peers that were found, as a state machine.
#[derive(Debug)]
pub struct Peers {
    config: PeersConfig,
    peers: BTreeMap<SocketAddrV4, Peer>,
    /// Where we are ourselves; never dialled.
    own: BTreeSet<SocketAddrV4>,
    public: Option<Ipv4Addr>,
    banned: BTreeSet<SocketAddrV4>,
    banned_hosts: BTreeSet<IpAddr>,
    incoming: BTreeMap<IpAddr, usize>,
    quota: BTreeMap<Topic, Bucket>,
    dials: Bucket,
    random: ChaCha20Rng,
}

#[derive(Debug)]
struct Peer {
    topics: BTreeSet<Topic>,
    is_local: bool,
    referrer: Option<SocketAddrV4>,
    /// Addresses that told of it, as many as matter.
    reporters: Vec<Ipv4Addr>,
    state: State,
    retries: usize,
    was_tried: bool,
    was_connected: bool,
    last_dial: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// May be dialled.
    Queued,
    /// May be dialled from then on.
    Pausing(Duration),
    Dialling,
    Connected,
    /// Not wanted now; unknown from then on, and found anew.
    Spent(Duration),
}

impl Peers {
    /// Nobody is known yet. `seed` decides who of equals is dialled first.
    pub fn new(config: PeersConfig, seed: [u8; 32], now: Duration) -> Self {
        Self {
            config,
            peers: BTreeMap::new(),
            own: BTreeSet::new(),
            public: None,
            banned: BTreeSet::new(),
            banned_hosts: BTreeSet::new(),
            incoming: BTreeMap::new(),
            quota: BTreeMap::new(),
            dials: Bucket::full(DIAL_BURST, DIAL_INTERVAL, now),
            random: ChaCha20Rng::from_seed(seed),
        }
    }

    /// Takes in that somebody is a peer of a topic. Returns whether that was news.
    pub fn found(
        &mut self,
        now: Duration,
        topic: Topic,
        address: SocketAddrV4,
        source: Source,
    ) -> bool {
        let unwanted = self.own.contains(&address) || self.banned.contains(&address);
        if unwanted || !may_be_dialled(address, source) {
            return false;
        }
        if !self.peers.contains_key(&address) && !self.admit(now, topic, source) {
            return false;
        }
        let same_nat = self.public == Some(*address.ip());
        let mut is_new = false;
        let peer = self.peers.entry(address).or_insert_with(|| {
            is_new = true;
            Peer {
                topics: BTreeSet::new(),
                is_local: source == Source::Lan,
                referrer: None,
                reporters: Vec::new(),
                state: State::Queued,
                // Seldom do packets to our own public address come back, so one attempt is enough.
                retries: if same_nat { PAUSES.len() } else { 0 },
                was_tried: false,
                was_connected: false,
                last_dial: None,
            }
        });
        if let Source::Dht { referrer } = source {
            peer.referrer = Some(referrer);
            if peer.reporters.len() < REPORTERS && !peer.reporters.contains(referrer.ip()) {
                peer.reporters.push(*referrer.ip());
            }
        } else if source.is_first_hand() {
            peer.is_local = true;
        }
        if let State::Spent(until) = peer.state
            && until <= now
        {
            peer.state = State::Queued;
            peer.retries = 0;
            is_new = true;
        }
        peer.topics.len() < MAX_TOPICS_PER_PEER && peer.topics.insert(topic) || is_new
    }

    /// Forgets a topic. Its peers are no longer dialled, unless another topic has them.
    pub fn leave(&mut self, topic: &Topic) {
        self.quota.remove(topic);
        for peer in self.peers.values_mut() {
            peer.topics.remove(topic);
        }
        self.peers.retain(|_, peer| {
            matches!(peer.state, State::Dialling | State::Connected) || !peer.topics.is_empty()
        });
    }

    /// The topics for which a peer was found.
    pub fn topics(&self, address: &SocketAddrV4) -> Vec<Topic> {
        let peer = self.peers.get(address);
        peer.map_or_else(Vec::new, |peer| peer.topics.iter().copied().collect())
    }

    /// Whether somebody of a topic is connected, or may be soon.
    pub fn has_prospects(&self, topic: &Topic) -> bool {
        let waits = |peer: &Peer| !matches!(peer.state, State::Spent(_));
        let mut peers = self.peers.values();
        peers.any(|peer| waits(peer) && peer.topics.contains(topic))
    }

    /// Where we are ourselves: nobody is dialled there.
    pub fn set_own(&mut self, addresses: impl IntoIterator<Item = SocketAddrV4>) {
        self.own = addresses.into_iter().collect();
        let own = &self.own;
        self.peers
            .retain(|address, peer| peer.state != State::Queued || !own.contains(address));
    }

    /// Our public address, as far as it is known.
    pub fn set_public(&mut self, address: Option<Ipv4Addr>) {
        self.public = address;
    }

    /// The next peer to dial, if there is one and limits allow. It counts as dialled until
    /// [`connected`](Self::connected) or [`failed`](Self::failed) says otherwise.
    pub fn poll_dial(&mut self, now: Duration) -> Option<Dial> {
        self.wake(now);
        if self.is_full() || self.count(State::Dialling) >= self.config.max_dials {
            return None;
        }
        let mut best = Vec::new();
        let mut priority = 0;
        for (address, peer) in &self.peers {
            if peer.state != State::Queued || peer.topics.is_empty() || !peer.is_due(address, now) {
                continue;
            }
            let its = peer.priority(self.public == Some(*address.ip()));
            if its > priority {
                best.clear();
                priority = its;
            }
            if its == priority {
                best.push(*address);
            }
        }
        if best.is_empty() || !self.dials.take(now) {
            return None;
        }
        let place = self.random.next_u64() % u64::try_from(best.len()).unwrap_or(u64::MAX);
        let address = best[usize::try_from(place).unwrap_or(0)];
        let peer = self.peers.get_mut(&address)?;
        peer.state = State::Dialling;
        peer.last_dial = Some(now);
        Some(Dial {
            address,
            referrer: peer.referrer.filter(|_| !peer.is_local),
        })
    }

    /// When [`poll_dial`](Self::poll_dial) may have something new to say; `None` if only a call of
    /// another method can change that.
    pub fn poll_timeout(&self, now: Duration) -> Option<Duration> {
        if self.is_full() || self.count(State::Dialling) >= self.config.max_dials {
            return None;
        }
        let due = |(address, peer): (&SocketAddrV4, &Peer)| match peer.state {
            _ if peer.topics.is_empty() => None,
            State::Queued => Some(peer.due(address).max(now)),
            State::Pausing(until) => Some(until.max(peer.due(address))),
            _ => None,
        };
        let next = self.peers.iter().filter_map(due).min()?;
        Some(if self.dials.is_empty(now) {
            next.max(self.dials.next())
        } else {
            next
        })
    }

    /// A dial led to a connection. Returns whether it is still wanted: others may have taken the last
    /// place meanwhile.
    #[must_use]
    pub fn connected(&mut self, now: Duration, address: &SocketAddrV4) -> bool {
        let is_full = self.is_full();
        let Some(peer) = self.peers.get_mut(address) else {
            return false;
        };
        if peer.state != State::Dialling || is_full || peer.topics.is_empty() {
            self.failed(now, address);
            return false;
        }
        peer.state = State::Connected;
        peer.retries = 0;
        peer.was_tried = true;
        peer.was_connected = true;
        true
    }

    /// A dial failed, or a connection that we dialled ended: there will be another attempt after a
    /// pause, unless there were too many.
    pub fn failed(&mut self, now: Duration, address: &SocketAddrV4) {
        let Some(peer) = self.peers.get_mut(address) else {
            return;
        };
        if !matches!(peer.state, State::Dialling | State::Connected) {
            return;
        }
        peer.was_tried = true;
        peer.state = match PAUSES.get(peer.retries) {
            Some(pause) => State::Pausing(now + *pause),
            None => State::Spent(now + FORGET),
        };
        peer.retries += 1;
        if peer.topics.is_empty() {
            self.peers.remove(address);
        }
    }

    /// A connection that we dialled was given up for a better one to the same peer: no further
    /// attempt before [`released`](Self::released).
    pub fn rest(&mut self, address: &SocketAddrV4) {
        if let Some(peer) = self.peers.get_mut(address) {
            peer.state = State::Spent(Duration::MAX);
        }
    }

    /// The better connection ended: the peer may be dialled again, as if it had just been found.
    pub fn released(&mut self, address: &SocketAddrV4) {
        if let Some(peer) = self.peers.get_mut(address)
            && matches!(peer.state, State::Spent(_))
        {
            peer.state = State::Queued;
            peer.retries = 0;
        }
    }

    /// Never dials an address again, nor lets anybody in from its host unless that is this machine.
    /// Beyond [`MAX_BANS`] the address is only forgotten. Connections that exist stay.
    pub fn ban(&mut self, address: SocketAddrV4) {
        if self.banned.len() < MAX_BANS {
            self.banned.insert(address);
        }
        self.ban_host(IpAddr::V4(*address.ip()));
        self.peers.remove(&address);
    }

    /// Lets nobody in from a host again, unless that is this machine. Beyond [`MAX_BANS`] nothing
    /// happens. Connections that exist stay.
    pub fn ban_host(&mut self, host: IpAddr) {
        if self.banned_hosts.len() < MAX_BANS {
            self.banned_hosts.insert(host);
        }
    }

    /// Whether somebody who dialled us is let in. Whoever is counts until
    /// [`left`](Self::left).
    pub fn accept(&mut self, from: IpAddr) -> bool {
        let its = self.incoming.get(&from).copied().unwrap_or(0);
        if self.is_full()
            || self.incoming() >= self.config.max_incoming
            || (!from.is_loopback() && its >= self.config.max_incoming_per_ip)
            || (!from.is_loopback() && self.banned_hosts.contains(&from))
        {
            return false;
        }
        *self.incoming.entry(from).or_default() += 1;
        true
    }

    /// Somebody who had been let in is gone.
    pub fn left(&mut self, from: IpAddr) {
        if let Some(count) = self.incoming.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.incoming.remove(&from);
            }
        }
    }

    /// Connections in both directions.
    pub fn connections(&self) -> usize {
        self.incoming() + self.count(State::Connected)
    }

    /// How many of them others have dialled.
    pub fn incoming(&self) -> usize {
        self.incoming.values().sum()
    }

    /// Peers that are known.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Whether everybody who was found has been tried once, or there is no room for more.
    pub fn is_flushed(&self) -> bool {
        let waits = |peer: &Peer| {
            !peer.was_tried
                && !peer.topics.is_empty()
                && matches!(peer.state, State::Queued | State::Dialling)
        };
        self.is_full() || !self.peers.values().any(waits)
    }

    fn is_full(&self) -> bool {
        self.connections() >= self.config.max_connections
    }

    fn count(&self, state: State) -> usize {
        self.peers
            .values()
            .filter(|peer| peer.state == state)
            .count()
    }

    /// Ends pauses.
    fn wake(&mut self, now: Duration) {
        for peer in self.peers.values_mut() {
            if let State::Pausing(until) = peer.state
                && until <= now
            {
                peer.state = State::Queued;
            }
        }
    }

    /// Whether there is room for somebody new.
    fn admit(&mut self, now: Duration, topic: Topic, source: Source) -> bool {
        if self.peers.len() >= self.config.max_peers {
            self.peers.retain(|_, peer| match peer.state {
                State::Spent(until) => until > now,
                _ => true,
            });
            if self.peers.len() >= self.config.max_peers {
                return false;
            }
        }
        if source.is_first_hand() {
            return true;
        }
        let most = self.config.max_new_per_topic.max(1);
        let quota = self
            .quota
            .entry(topic)
            .or_insert_with(|| Bucket::full(most, Duration::from_secs(60) / most, now));
        quota.take(now)
    }
}

impl Peer {
    /// Higher ones are dialled first (the reference's order).
    fn priority(&self, same_nat: bool) -> u8 {
        let found = match (self.is_local, same_nat) {
            (true, _) => 3,
            (false, true) => 1,
            (false, false) => 2,
        };
        1 + match self.retries {
            _ if !self.was_tried => found,
            _ if !self.was_connected => 0,
            1 => 5,
            2 => 4,
            3 => 1,
            _ => found,
        }
    }

    fn is_due(&self, address: &SocketAddrV4, now: Duration) -> bool {
        self.due(address) <= now
    }

    /// From when on it may be dialled, pauses apart. A single node may have made it up: a stranger's
    /// address, under a topic that everybody wants.
    fn due(&self, address: &SocketAddrV4) -> Duration {
        let doubtful = !self.is_local
            && !self.was_connected
            && self.reporters.len() < REPORTERS
            && is_public(*address.ip());
        match self.last_dial {
            Some(last) if doubtful => last + DOUBTFUL_PAUSE,
            _ => Duration::ZERO,
        }
    }
}

/// Whether connecting to an address can be meant.
fn may_be_dialled(address: SocketAddrV4, source: Source) -> bool {
    let ip = *address.ip();
    let nowhere = ip.octets()[0] == 0 || ip.is_multicast() || ip.is_broadcast();
    let private_port = address.port() < 1024 && !source.is_first_hand();
    address.port() != 0 && !nowhere && !private_port
}

/// Whether an address can be a stranger's.
pub(crate) fn is_public(ip: Ipv4Addr) -> bool {
    !ip.is_loopback() && !ip.is_private() && !ip.is_link_local()
}

/// Pauses before the second, third and fourth attempt (the reference's; there they are between 0.66
/// and 1.32 as long).
pub const PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

/// How long after the last attempt a peer is not taken for a new one (the reference's).
pub const FORGET: Duration = Duration::from_millis(7500);

/// Between two attempts at a public address that one node alone has told.
pub const DOUBTFUL_PAUSE: Duration = Duration::from_secs(60);

/// So many nodes have to tell of a public address before it is dialled as often as others.
const REPORTERS: usize = 2;

/// Attempts to connect: so many at once, then one in each interval.
const DIAL_BURST: u32 = 64;
const DIAL_INTERVAL: Duration = Duration::from_millis(50);

/// Addresses that are banned at the same time; further ones are not remembered.
pub const MAX_BANS: usize = 4096;

/// Topics that are remembered of one peer.
const MAX_TOPICS_PER_PEER: usize = 256;
