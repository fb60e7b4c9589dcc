//! The Hypercore wire protocol (generation 8, of 2020–21) as a state machine without I/O.
//!
//! A [`Connection`] is one end of a byte stream: it takes bytes and the time, and gives bytes,
//! events and the next deadline. Inside are the Noise XX handshake, the XSalsa20 stream, frames, the
//! channels on which any number of cores share the stream, the proof that a peer knows a core's key,
//! extensions, keep-alives, and the bounds that hold against a hostile peer.
//!
//! It leaves to others what the messages mean: `hypercore-replication` decides what to ask and what
//! to send. It owns no socket, clock, task or randomness, and verifies no blocks.
//!
//! ```
//! use std::time::Duration;
//!
//! use hypercore_crypto::KeyPair;
//! use hypercore_protocol::{Config, Connection, Event, Role, Secrets, Timestamp};
//!
//! let now = Timestamp::from_start(Duration::ZERO);
//! // In earnest, fill these with random bytes.
//! let secrets = |i| Secrets { static_key: [i; 32], ephemeral_key: [i + 1; 32], nonce: [i; 24] };
//! let mut alice = Connection::new(Role::Initiator, secrets(1), Config::default(), now);
//! let mut bob = Connection::new(Role::Responder, secrets(3), Config::default(), now);
//!
//! let key = KeyPair::from_seed(&[7; 32]).public;
//! let channel = alice.open(&key)?;
//! bob.open(&key)?;
//! // The network: carry bytes until both are silent.
//! loop {
//!     let (from_alice, from_bob) = (alice.poll_transmit(), bob.poll_transmit());
//!     if from_alice.is_none() && from_bob.is_none() {
//!         break;
//!     }
//!     bob.handle_input(now, &from_alice.unwrap_or_default())?;
//!     alice.handle_input(now, &from_bob.unwrap_or_default())?;
//! }
//! assert!(matches!(alice.poll_event(), Some(Event::Connected { .. })));
//! assert_eq!(alice.poll_event(), Some(Event::Opened(channel)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capability;
mod channel;
mod cipher;
mod config;
mod connection;
mod error;
mod event;
mod extension;
mod frame;
mod handshake;
mod message;
mod outbox;
mod salsa;
mod schema;
mod time;
mod timers;

pub use channel::Channel;
pub use config::{
    Config, MAX_BODY_BYTES, MAX_EXTENSION_NAME_BYTES, MAX_EXTENSIONS, MAX_PROOF_NODES, Protection,
    Unprotected,
};
pub use connection::{Connection, Role};
pub use error::{ChannelFault, ConnectionError, HandshakeError, OpenError, SendError};
pub use event::Event;
pub use handshake::Secrets;
pub use message::{
    Cancel, Data, Extension, Have, Message, Node, Options, Request, Status, Unhave, Unwant, Want,
};
pub use time::Timestamp;
