use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use hypercore_runtime::Tokio;
use hyperswarm::{LanStatus, Swarm, SwarmConfig, SwarmStatus};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::control::{self, Reply, Request};
use crate::discovery::resolve;
use crate::{DiscoveryOptions, Node, Root, Traffic};

/// How a node is doing.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The process.
    pub pid: u32,
    /// Where it answers peers.
    pub listening: Option<SocketAddr>,
    /// Who is connected, and what went over the connections.
    pub traffic: Traffic,
    /// The search for peers, and how others see us; `None` if nobody is looked for.
    pub network: Option<NetworkStatus>,
}

/// How others see us, and how the search for peers goes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NetworkStatus {
    /// Where we listen, with TCP and with datagrams.
    pub local: SocketAddrV4,
    /// Who can reach us.
    pub reach: Reach,
    /// Our address as others see it, if enough of them agree.
    pub address: Option<Ipv4Addr>,
    /// Our port, if all see the same.
    pub port: Option<u16>,
    /// Nodes of the DHT that we know. All of them have answered.
    pub nodes: usize,
    /// About how many nodes the DHT has; `None` while too few are known to tell.
    pub network_size: Option<f64>,
    /// Whether the first walk through the DHT is over.
    pub is_ready: bool,
    /// Whether others may count on us as a node of the DHT.
    pub is_persistent: bool,
    /// Drives whose peers are looked for.
    pub topics: usize,
    /// Peers that were found, connected or not.
    pub found: usize,
    /// Links of the local network on which peers are looked for; `None` if none are.
    pub lan: Option<usize>,
    /// Why there is no search on the local network though it is wanted.
    pub lan_error: Option<String>,
}

/// Who can reach us, and which kind of NAT is in between.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Nobody has told how they see us, or they do not agree.
    Unknown,
    /// Others see the address that we have: no NAT is in between. A firewall may be.
    Direct,
    /// Behind a NAT that gives us the same port towards everybody. A hole can be punched.
    Punchable,
    /// Behind a NAT that gives us another port towards each destination. Few can reach us.
    Symmetric,
}

impl Node {
    /// How the node is doing.
    pub fn status(&self) -> Status {
        Status {
            pid: std::process::id(),
            listening: self.inner.address(),
            traffic: self.traffic(),
            network: self.inner.swarm_status().map(NetworkStatus::from),
        }
    }
}

impl Status {
    /// Asks the process that holds a storage. `None` if there is none, or it does not answer.
    pub async fn of_holder(root: &Root) -> Option<Self> {
        match control::ask(root, &Request::Status).await {
            Ok(Some(Reply::Status(status))) => Some(*status),
            _ => None,
        }
    }
}

impl NetworkStatus {
    /// Starts a node for as long as it takes to learn how others see us, `patience` at most.
    ///
    /// It joins no topic, so nobody learns anything but our address. Must be called inside a tokio
    /// runtime.
    pub async fn probe(options: &DiscoveryOptions, patience: Duration) -> io::Result<Self> {
        let mut config = SwarmConfig::default();
        config.dht.bootstrap = resolve(&options.bootstrap).await;
        config.use_dht = !config.dht.bootstrap.is_empty();
        config.use_lan = options.lan;
        let is_alone = !config.use_dht;
        let swarm = Swarm::bind(Arc::new(Tokio::current()), config).await?;
        let learned = async {
            loop {
                let status = swarm.status();
                if is_alone || (status.is_ready && status.nodes > 0) {
                    return;
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        let _ = timeout(patience, learned).await;
        let status = swarm.status();
        swarm.close().await;
        Ok(status.into())
    }
}

impl From<SwarmStatus> for NetworkStatus {
    fn from(status: SwarmStatus) -> Self {
        let (lan, lan_error) = match status.lan {
            LanStatus::Off => (None, None),
            LanStatus::On { links } => (Some(links), None),
            LanStatus::Failed(error) => (None, Some(error)),
        };
        Self {
            local: status.local,
            reach: status.reach.into(),
            address: status.observed.map(|observed| observed.ip),
            port: status.observed.and_then(|observed| observed.port),
            nodes: status.nodes,
            network_size: status.network_size,
            is_ready: status.is_ready,
            is_persistent: !status.is_ephemeral,
            topics: status.topics,
            found: status.peers,
            lan,
            lan_error,
        }
    }
}

impl From<hyperswarm::Reach> for Reach {
    fn from(reach: hyperswarm::Reach) -> Self {
        match reach {
            hyperswarm::Reach::Unknown => Self::Unknown,
            hyperswarm::Reach::Direct => Self::Direct,
            hyperswarm::Reach::Punchable => Self::Punchable,
            hyperswarm::Reach::Symmetric => Self::Symmetric,
        }
    }
}

/// Time between two looks at a node that is about to learn how others see it.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
