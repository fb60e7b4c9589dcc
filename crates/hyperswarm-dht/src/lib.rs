//! The Hyperswarm DHT of 2020–21 (dht-rpc 4, @hyperswarm/dht 4) as a state machine without I/O.
//!
//! A [`Dht`] is one node: it takes datagrams and the time, and gives datagrams, events and the next
//! deadline. Inside are the routing table, the walks through the network, the records and values
//! that it keeps for others, the forwarding of hole punches, and the bounds that hold against
//! hostile nodes. Formats and departures: `docs/formats/dht.md`.
//!
//! It leaves to others the socket (`hyperswarm::Node` is this DHT on one) and what peers say to each
//! other once they have met.
//!
//! The law of driving it: after each call that takes `now`, send what [`Dht::poll_transmit`] gives
//! and look at [`Dht::poll_event`], both until `None`; then wait for a datagram or for
//! [`Dht::poll_timeout`].
//!
//! ```
//! use std::net::SocketAddrV4;
//! use std::time::Duration;
//!
//! use hyperswarm_dht::{Config, Dht, Event, Id, Timestamp};
//!
//! let mut now = Timestamp::from_start(Duration::ZERO);
//! let address: SocketAddrV4 = "127.0.0.1:49737".parse()?;
//! let mut config = Config::default();
//! config.ephemeral = false;
//! // In earnest, fill the seeds with random bytes.
//! let mut server = Dht::new(config, [1; 32], now);
//! let mut config = Config::default();
//! config.bootstrap = vec![address];
//! let mut client = Dht::new(config, [2; 32], now);
//! client.bootstrap(now);
//! let topic = Id::from_bytes([7; 32]);
//! let announcement = client.announce(now, topic, Default::default());
//!
//! // The network: carry datagrams until both are silent.
//! let here: SocketAddrV4 = "127.0.0.1:50000".parse()?;
//! loop {
//!     let (from_client, from_server) = (client.poll_transmit(), server.poll_transmit());
//!     if from_client.is_none() && from_server.is_none() {
//!         break;
//!     }
//!     if let Some(datagram) = from_client {
//!         server.handle_datagram(now, here.into(), &datagram.bytes);
//!     }
//!     if let Some(datagram) = from_server {
//!         client.handle_datagram(now, address.into(), &datagram.bytes);
//!     }
//! }
//! let stored = std::iter::from_fn(|| client.poll_event()).any(
//!     |event| matches!(event, Event::Done { query, result: Ok(it) } if query == announcement && it.stored == 1),
//! );
//! assert!(stored);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod budget;
mod candidates;
mod config;
mod dht;
mod error;
mod event;
mod hypersign;
mod id;
mod observed;
mod peers;
mod punches;
mod query;
mod random;
mod rpc;
mod shelf;
mod table;
mod time;
mod token;
mod values;
pub mod wire;

pub use config::{
    CLOSEST_NODES, Config, MAX_REPLY_BYTES, MAX_SALT_BYTES, MAX_TOKEN_BYTES, MAX_VALUE_BYTES,
};
pub use dht::{AnnounceOptions, Dht, LookupOptions};
pub use error::{QueryError, ValueError};
pub use event::{
    Event, FoundPeers, FoundValue, ObservedAddress, QueryId, Served, Summary, Transmit, Warning,
};
pub use hypersign::{SignedValue, salt_from_name, signable};
pub use id::{Distance, Id, IdError};
pub use time::Timestamp;
