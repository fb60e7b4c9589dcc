use std::net::SocketAddrV4;
use std::sync::Arc;

use hyperswarm_dht::ObservedAddress;

use super::{Inner, SwarmEvent};
use crate::{NodeEvent, Reach};

/// How a swarm is doing, from [`Swarm::status`](crate::Swarm::status).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SwarmStatus {
    /// Where we listen.
    pub local: SocketAddrV4,
    /// How others see us, if enough of them agree.
    pub observed: Option<ObservedAddress>,
    /// What stands between us and them.
    pub reach: Reach,
    /// Whether the first walk through the DHT is over. Until then `observed` and `nodes` are about
    /// to change.
    pub is_ready: bool,
    /// Nodes in the routing table.
    pub nodes: usize,
    /// About how many nodes the DHT has; `None` while too few are known to tell.
    pub network_size: Option<f64>,
    /// Whether we keep our id to ourselves, as nodes do that are new or cannot be reached.
    pub is_ephemeral: bool,
    /// Topics that are joined.
    pub topics: usize,
    /// Peers that are known, connected or not.
    pub peers: usize,
    /// Connections in both directions.
    pub connections: usize,
    /// How many of them others have dialled.
    pub incoming: usize,
    /// Whether peers are looked for on the local network.
    pub lan: LanStatus,
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
    let node = inner.node.status();
    let state = inner.state();
    let lan = match (&state.lan, &state.lan_error) {
        (Some(lan), _) => LanStatus::On { links: lan.links() },
        (None, Some(error)) => LanStatus::Failed(error.clone()),
        (None, None) => LanStatus::Off,
    };
    SwarmStatus {
        local: node.local,
        observed: node.observed,
        reach: node.reach,
        is_ready: node.is_ready,
        nodes: node.nodes,
        network_size: node.network_size,
        is_ephemeral: node.is_ephemeral,
        topics: state.topics.len(),
        peers: state.peers.len(),
        connections: state.peers.connections(),
        incoming: state.peers.incoming(),
        lan,
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
