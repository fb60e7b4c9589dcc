use std::time::Duration;

use hyperdrive_daemon::{NetworkStatus, Reach};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{discovery, root};
use crate::args::Global;
use crate::exit::Exit;
use crate::failure::Failure;

/// Who can reach this machine, and who is connected.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// The process that holds the storage, if there is one.
    pub(crate) process: Option<Process>,
    /// How others see this machine; none if nobody is looked for.
    pub(crate) network: Option<Network>,
}

/// A process that shares, seeds or clones.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Where it answers peers.
    pub(crate) listening: Option<String>,
    /// Peers that it is connected to.
    pub(crate) peers: usize,
    /// Bytes from peers, and to them.
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// Drives that it looks for peers of, and peers found.
    pub(crate) drives: usize,
    pub(crate) found: usize,
}

/// How others see this machine.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Network {
    /// Whether peers who look for us get through, directly or by a hole punch; none if nobody says.
    pub(crate) reachable: Option<bool>,
    pub(crate) nat: Nat,
    /// What address others see; the port only if all see the same.
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
    /// Nodes of the DHT that are known.
    pub(crate) nodes: usize,
    /// About how many it has.
    pub(crate) network_size: Option<u64>,
    /// Whether it answers as one of them that others count on.
    pub(crate) persistent: bool,
    /// Links of the local network on which peers are looked for.
    pub(crate) lan_links: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lan_error: Option<String>,
}

/// What stands between this machine and others.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Nat {
    None,
    /// It gives the same port towards everybody.
    SamePort,
    /// It gives another port towards each destination.
    OtherPorts,
    Unknown,
}

impl Status {
    /// Asks the process that holds the storage, or else others, for as long as `patience`.
    pub(crate) async fn learn(global: &Global, patience: Duration) -> Result<Self, Failure> {
        let root = root(global)?;
        let deadline = Instant::now() + patience;
        while let Some(status) = hyperdrive_daemon::Status::of_holder(&root).await {
            let is_settled = |network: &NetworkStatus| network.is_ready && network.nodes > 0;
            // It may have been started a moment ago, and be about to learn more.
            if status.network.as_ref().is_none_or(is_settled) || Instant::now() >= deadline {
                return Ok(status.into());
            }
            sleep(ASK_INTERVAL).await;
        }
        let Some(options) = discovery(global) else {
            return Ok(Self {
                process: None,
                network: None,
            });
        };
        let left = deadline.saturating_duration_since(Instant::now());
        match NetworkStatus::probe(&options, left).await {
            Ok(network) => Ok(Self {
                process: None,
                network: Some(network.into()),
            }),
            Err(error) => {
                let message = format!("no port to ask others from: {error}");
                Err(Failure::new(Exit::Other, message))
            }
        }
    }
}

impl From<hyperdrive_daemon::Status> for Status {
    fn from(status: hyperdrive_daemon::Status) -> Self {
        let network = status.network;
        let process = Process {
            pid: status.pid,
            listening: status.listening.map(|address| address.to_string()),
            peers: status.traffic.peers,
            received: status.traffic.received,
            sent: status.traffic.sent,
            drives: network.as_ref().map_or(0, |network| network.topics),
            found: network.as_ref().map_or(0, |network| network.found),
        };
        Self {
            process: Some(process),
            network: network.map(Network::from),
        }
    }
}

impl From<NetworkStatus> for Network {
    fn from(status: NetworkStatus) -> Self {
        let (reachable, nat) = match status.reach {
            Reach::Direct => (Some(true), Nat::None),
            Reach::Punchable => (Some(true), Nat::SamePort),
            Reach::Symmetric => (Some(false), Nat::OtherPorts),
            Reach::Unknown => (None, Nat::Unknown),
        };
        Self {
            reachable,
            nat,
            address: status.address.map(|address| address.to_string()),
            port: status.port,
            nodes: status.nodes,
            network_size: status.network_size.map(rounded),
            persistent: status.is_persistent,
            lan_links: status.lan,
            lan_error: status.lan_error,
        }
    }
}

/// An estimate without its fraction.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast goes to the nearest number that there is, and an estimate needs no better one"
)]
fn rounded(size: f64) -> u64 {
    size.round() as u64
}

/// Time between two questions to a process that was started a moment ago.
const ASK_INTERVAL: Duration = Duration::from_millis(100);
