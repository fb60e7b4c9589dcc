//! Finds peers by topic and connects to them: the Hyperswarm network of 2020–21.
//!
//! A [`Swarm`] joins topics, looks for their peers in the DHT and on the local network, dials them
//! and lets them in, and yields byte streams. A [`Node`] is the DHT alone, on a socket. Both run on
//! any [`Runtime`](hypercore_runtime::Runtime). What peers say to each other once they have met is
//! left to others.
//!
//! `examples/meet.rs` shows two swarms that meet.
//!
//! Underneath are state machines without sockets: [`lan`] finds peers on the local network,
//! [`peers`] decides whom to dial and when, [`decide`] which of two connections stays; the DHT itself
//! is the crate `hyperswarm-dht`. Formats and departures: `docs/formats/swarm.md`.

mod bucket;
mod config;
mod dedup;
mod error;
pub mod lan;
mod node;
pub mod peers;
mod swarm;

#[cfg(feature = "mainline")]
pub use config::MainlineConfig;
pub use config::{JoinOptions, SwarmConfig};
pub use dedup::{Carrier, Keep, Side, decide};
pub use error::NodeError;
pub use hyperswarm_dht::{Id, ObservedAddress};
pub use node::{MAX_UNREAD, Node, NodeConfig, NodeEvent, NodeStatus, Reach, Walk};
pub use swarm::{
    Connection, ConnectionInfo, FAREWELL, Handle, LanStatus, MAX_TOPICS, Rest, Swarm, SwarmEvent,
    SwarmStatus, Verdict,
};
