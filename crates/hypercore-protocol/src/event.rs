use std::sync::Arc;

use hypercore_crypto::DiscoveryKey;

use crate::{Channel, ChannelFault, Extension, Message};

/// What happened on a connection, from [`Connection::poll_event`](crate::Connection::poll_event).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete. Always the first event, except without Noise, where it never
    /// comes.
    ///
    /// An initiator that drains events before it transmits can still leave here without having
    /// told the remote who it is.
    Connected {
        /// The remote's static X25519 key. It is no core's key and proves nothing by itself.
        remote_public_key: [u8; 32],
        /// Identifies this very connection: both sides compute the same value.
        handshake_hash: [u8; 64],
    },
    /// The remote opened a core that is not open here. Answer with
    /// [`open`](crate::Connection::open) or [`refuse`](crate::Connection::refuse); until then the
    /// remote's messages about it are dropped, but for the first four [`Want`](Message::Want)s, which
    /// follow once it is open: they travel together with the offer.
    Offered(DiscoveryKey),
    /// The channel is open on both sides, and the remote has proved to know the core's key.
    Opened(Channel),
    /// A message about the core of an open channel.
    Message(Channel, Message),
    /// The remote closed the channel; it is gone, and has been answered. The core may be opened
    /// again, which makes another channel.
    Closed(Channel),
    /// The remote sent something impossible about one core. Its channel is closed on both sides;
    /// the other channels go on.
    Failed(Channel, ChannelFault),
    /// The remote withdrew an offer that was not answered yet.
    Withdrawn(DiscoveryKey),
    /// The remote announced the extensions that it understands on the connection as a whole.
    StreamOptions {
        /// Their names, as announced.
        extensions: Vec<Arc<str>>,
    },
    /// A message of an extension of the connection as a whole, whose name is one of those set with
    /// [`set_stream_extensions`](crate::Connection::set_stream_extensions).
    StreamExtension(Extension),
}
