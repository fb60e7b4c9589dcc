use hypercore_crypto::DiscoveryKey;

/// Why a connection ended. The remote or the path to it is at fault; nothing more can be sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The handshake failed.
    #[error("handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// The handshake was not complete in time.
    #[error("handshake was not complete in time")]
    HandshakeTimeout,
    /// Nothing arrived for the idle timeout.
    #[error("nothing received for too long")]
    IdleTimeout,
    /// A frame announces more than the limit, or a header longer than itself. After a corrupted
    /// stream this is the usual symptom.
    #[error("frame of {length} bytes is out of bounds")]
    FrameLength {
        /// The announced length of header and body, in bytes.
        length: u64,
    },
    /// A number runs over more than 8 bytes.
    #[error("number of more than 8 bytes in a frame's header")]
    Varint,
    /// A message of the connection as a whole does not decode or breaks a limit.
    #[error("{message} message is malformed: {fault}")]
    Malformed {
        /// The message's name.
        message: &'static str,
        /// What is wrong with it.
        fault: ChannelFault,
    },
    /// The remote opened a channel with an id that is reserved or in use, or a core twice.
    #[error("remote opened channel {id} out of turn")]
    ChannelId {
        /// The channel id that the remote chose.
        id: u64,
    },
    /// The remote closed one core under the channel of another.
    #[error("remote closed channel {id} under another core's name")]
    CloseMismatch {
        /// The remote's channel id.
        id: u64,
    },
    /// The remote opened a core that is open here without proving to know its key.
    #[error("remote does not know the key of the core {discovery_key:?}")]
    Capability {
        /// The core.
        discovery_key: DiscoveryKey,
    },
}

/// Why a handshake failed. The remote sees the connection end and is told nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The length prefix announces a message that is longer or shorter than any handshake message.
    #[error("message of {length} bytes")]
    Length {
        /// The announced length in bytes.
        length: u64,
    },
    /// The message does not authenticate: it was altered, or the remote plays the same role.
    #[error("message does not authenticate")]
    Decrypt,
    /// A key is a point of low order, with which anybody would share our secret.
    #[error("key is a point of low order")]
    LowOrderPoint,
    /// The remote gave no payload, or one without a nonce of 24 bytes.
    #[error("payload holds no nonce")]
    Payload,
}

/// What was wrong with a message. Always the sender's fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelFault {
    /// The bytes are no protobuf message of this kind.
    #[error("bytes do not decode")]
    Encoding,
    /// A required field is absent.
    #[error("field `{field}` is missing")]
    Missing {
        /// The field's name in the schema.
        field: &'static str,
    },
    /// A number is 2^53 or more.
    #[error("field `{field}` is 2^53 or more")]
    TooLarge {
        /// The field's name in the schema.
        field: &'static str,
    },
    /// A key, hash or signature has the wrong size.
    #[error("field `{field}` has {length} bytes")]
    Size {
        /// The field's name in the schema.
        field: &'static str,
        /// The field's length in bytes.
        length: usize,
    },
    /// There are more elements than the limit.
    #[error("field `{field}` has too many elements")]
    TooMany {
        /// The field's name in the schema.
        field: &'static str,
    },
}

/// Why a core was not opened. Nothing has changed, except where a variant says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The connection has ended.
    #[error("the connection has ended")]
    Ended,
    /// The core is open on this connection already.
    #[error("the core is open already")]
    AlreadyOpen,
    /// As many channels are open as the limit allows.
    #[error("too many open channels")]
    TooManyChannels,
    /// The remote offered this core without proving to know its key. It has been refused.
    #[error("the remote does not know the core's key")]
    Capability,
    /// The queue of frames that wait for the handshake is full.
    #[error("too much is waiting for the handshake")]
    QueueFull,
}

/// Why a message was not sent. The caller is at fault, except where a variant says otherwise; nothing
/// has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The channel is closed, perhaps by the remote.
    #[error("the channel is closed")]
    Closed,
    /// A number is 2^53 or more.
    #[error("field `{field}` is 2^53 or more")]
    TooLarge {
        /// The field's name in the schema.
        field: &'static str,
    },
    /// The encoded message exceeds the limit of a frame's body.
    #[error("message of {length} bytes does not fit a frame")]
    FrameLength {
        /// The encoded length in bytes.
        length: usize,
    },
    /// There are more proof nodes than peers take.
    #[error("too many proof nodes")]
    TooManyNodes,
    /// The extension's name has not been announced.
    #[error("extension has not been announced")]
    UnknownExtension,
    /// Too many extension names, one that is too long, or one twice.
    #[error("extension names are too many, too long or repeated")]
    ExtensionNames,
    /// The queue of frames that wait for the handshake is full.
    #[error("too much is waiting for the handshake")]
    QueueFull,
}
