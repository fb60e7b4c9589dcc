use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::peers::PeersConfig;

/// How a [`Swarm`](crate::Swarm) finds peers and whom it lets in.
///
/// The format knows IPv4 addresses only, so peers are found there; the TCP listener takes IPv6 too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SwarmConfig {
    /// Where to listen, with TCP and UDP on the same port. Default: any free port on every
    /// interface.
    pub listen: SocketAddrV4,
    /// The node in the DHT: identity, limits, and whom it asks first.
    pub dht: hyperswarm_dht::Config,
    /// Whether to find peers through the DHT. Default: true. Without it the node still answers
    /// others.
    pub use_dht: bool,
    /// Whether to find peers on the local network. Default: true. Whoever is on it can then read
    /// which topics are joined.
    pub use_lan: bool,
    /// Whether to tell the DHT our address in the local network, for peers behind the same NAT.
    /// Default: true.
    pub announce_local: bool,
    /// Whether peers may be reached over uTP, and reach us so, beside TCP. Default: true. Without it no
    /// hole is punched in a NAT.
    #[cfg(feature = "utp")]
    pub use_utp: bool,
    /// The DHT of BitTorrent as a further source of peers. Default: none. Whatever is there, the crate
    /// `mainline` fetches.
    #[cfg(feature = "mainline")]
    pub mainline: Option<MainlineConfig>,
    /// How long to wait for a connection, on all ways to a peer together. Default: 10 s (the
    /// reference's).
    pub dial_timeout: Duration,
    /// Whom to dial, and how many to connect to.
    pub peers: PeersConfig,
    /// Where the swarm's randomness comes from. Default: the system. For tests that repeat.
    pub seed: Option<[u8; 32]>,
}

impl Default for SwarmConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
            dht: hyperswarm_dht::Config::default(),
            use_dht: true,
            use_lan: true,
            announce_local: true,
            #[cfg(feature = "utp")]
            use_utp: true,
            #[cfg(feature = "mainline")]
            mainline: None,
            dial_timeout: Duration::from_secs(10),
            peers: PeersConfig::default(),
            seed: None,
        }
    }
}

/// How a [`Swarm`](crate::Swarm) takes part in the DHT of BitTorrent.
///
/// Topics are known there by their first 20 bytes to whoever is asked, which is to say to many. What
/// is announced is the swarm's port, over TCP.
#[cfg(feature = "mainline")]
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MainlineConfig {
    /// Whom to ask first. Default: nobody, so that nobody is asked whom the caller has not named.
    pub bootstrap: Vec<SocketAddrV4>,
    /// Where its socket listens, which is not the swarm's. Default: any free port on every interface.
    pub listen: SocketAddrV4,
}

#[cfg(feature = "mainline")]
impl Default for MainlineConfig {
    fn default() -> Self {
        Self {
            bootstrap: Vec::new(),
            listen: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
        }
    }
}

/// What is wanted of a topic.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct JoinOptions {
    /// Whether to make known that we are a peer.
    pub announce: bool,
    /// Whether to look for peers and dial them.
    pub lookup: bool,
}

impl Default for JoinOptions {
    /// Both.
    fn default() -> Self {
        Self {
            announce: true,
            lookup: true,
        }
    }
}
