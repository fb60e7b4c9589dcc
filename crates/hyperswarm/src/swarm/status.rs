use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use hyperswarm_dht::ObservedAddress;

use super::{Inner, SwarmEvent};
use crate::NodeEvent;
use crate::lan::links;

/// How a swarm is doing, from [`Swarm::status`](crate::Swarm::status).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SwarmStatus {
    /// Where we listen.
    pub local: SocketAddrV4,
    /// How others see us, if enough of them agree.
    pub observed: Option<ObservedAddress>,
    /// What stands between us and them.
    pub reach: Reach,
    /// Nodes in the routing table.
    pub nodes: usize,
    /// Whether we keep our id to ourselves, as nodes do that are new or cannot be reached.
    pub is_ephemeral: bool,
    /// Topics that are joined.
    pub topics: usize,
    /// Peers that are known, connected or not.
    pub peers: usize,
    /// Connections in both directions.
    pub connections: usize,
    /// Whether peers are looked for on the local network.
    pub lan: LanStatus,
}

/// Who can reach us.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reach {
    /// Nobody has told how they see us, or they do not agree.
    Unknown,
    /// Others see the address that we have: no NAT is in between. A firewall may be.
    Direct,
    /// Behind a NAT that gives us the same port towards everybody. A hole can be punched.
    Punchable,
    /// Behind a NAT that gives us another port towards each destination. Few can reach us; we reach
    /// those who are not behind a strict NAT themselves.
    Symmetric,
}

/// Whether local discovery works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LanStatus {
    /// It was not asked for.
    Off,
    /// On so many links.
    On {
        /// Their number.
        links: usize,
    },
    /// It does not work here, for this reason.
    Failed(String),
}

pub(super) fn look(inner: &Inner) -> SwarmStatus {
    let (observed, nodes, is_ephemeral) = inner.node.inspect(|dht| {
        (
            dht.observed_address(),
            dht.nodes().count(),
            dht.is_ephemeral(),
        )
    });
    let state = inner.state();
    let lan = match (&state.lan, &state.lan_error) {
        (Some(lan), _) => LanStatus::On { links: lan.links() },
        (None, Some(error)) => LanStatus::Failed(error.clone()),
        (None, None) => LanStatus::Off,
    };
    SwarmStatus {
        local: inner.local,
        observed,
        reach: reach(inner, observed),
        nodes,
        is_ephemeral,
        topics: state.topics.len(),
        peers: state.peers.len(),
        connections: state.peers.connections(),
        lan,
    }
}

fn reach(inner: &Inner, observed: Option<ObservedAddress>) -> Reach {
    let Some(observed) = observed else {
        return Reach::Unknown;
    };
    let ours = links(Ipv4Addr::UNSPECIFIED).unwrap_or_default();
    let is_ours = observed.ip.is_loopback() || ours.iter().any(|link| link.address == observed.ip);
    match observed.port {
        Some(port) if is_ours && port == inner.local.port() => Reach::Direct,
        Some(_) => Reach::Punchable,
        None => Reach::Symmetric,
    }
}

/// Takes note of how others see us.
pub(super) async fn follow(inner: Arc<Inner>) {
    let events = inner.node.events();
    while let Ok(event) = events.recv().await {
        if let NodeEvent::Observed(observed) = event {
            let mut state = inner.state();
            state.set_own(&inner);
            state.tell(&SwarmEvent::Observed(observed));
        }
    }
}
