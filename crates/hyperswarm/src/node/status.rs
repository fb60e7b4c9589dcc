use std::net::{Ipv4Addr, SocketAddrV4};

use hyperswarm_dht::ObservedAddress;

use super::Inner;
use crate::lan::links;

/// How a node is doing, from [`Node::status`](crate::Node::status).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Where we listen.
    pub local: SocketAddrV4,
    /// How others see us, if enough of them agree.
    pub observed: Option<ObservedAddress>,
    /// What stands between us and them.
    pub reach: Reach,
    /// Whether the first walk is over, by which the node gets to know others. Until then `observed`
    /// and `nodes` are about to change.
    pub is_ready: bool,
    /// Whether we keep our id to ourselves, as nodes do that are new or cannot be reached.
    pub is_ephemeral: bool,
    /// Nodes in the routing table. All of them have answered us.
    pub nodes: usize,
    /// About how many nodes the network has; `None` while too few are known to tell.
    pub network_size: Option<f64>,
    /// Peer records that are kept for others.
    pub records: usize,
    /// Values that are kept for others.
    pub values: usize,
}

/// Who can reach us, and which kind of NAT is in between.
///
/// Others tell where they see our datagrams come from; what a NAT lets in cannot be learned from
/// that, and neither can a firewall.
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

impl Reach {
    /// Whether peers who find us can be expected to get through: directly, or by a hole punch.
    pub const fn is_reachable(self) -> bool {
        matches!(self, Self::Direct | Self::Punchable)
    }
}

pub(super) fn look(inner: &Inner) -> NodeStatus {
    let state = inner.state();
    let dht = &state.dht;
    let observed = dht.observed_address();
    let status = NodeStatus {
        local: inner.local,
        observed,
        reach: Reach::Unknown,
        is_ready: state.is_ready,
        is_ephemeral: dht.is_ephemeral(),
        nodes: dht.nodes().count(),
        network_size: dht.network_size(),
        records: dht.stored_records(),
        values: dht.stored_values(),
    };
    drop(state);
    // Asks the system, so not while everybody waits.
    let reach = observed.map_or(Reach::Unknown, |observed| reach(inner.local, observed));
    NodeStatus { reach, ..status }
}

fn reach(local: SocketAddrV4, observed: ObservedAddress) -> Reach {
    let ours = links(Ipv4Addr::UNSPECIFIED).unwrap_or_default();
    let is_ours = observed.ip.is_loopback() || ours.iter().any(|link| link.address == observed.ip);
    match observed.port {
        Some(port) if is_ours && port == local.port() => Reach::Direct,
        Some(_) => Reach::Punchable,
        None => Reach::Symmetric,
    }
}
