//! The messages on disk (proto2). Required fields are optional here and checked by their users.

use bytes::Bytes;

/// Block 0.
#[derive(Clone, Eq, PartialEq, prost::Message)]
pub(crate) struct Header {
    #[prost(string, optional, tag = "1")]
    pub(crate) kind: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) metadata: Option<Bytes>,
    #[prost(string, optional, tag = "3")]
    pub(crate) subtype: Option<String>,
}

/// Every other block.
#[derive(Clone, Eq, PartialEq, prost::Message)]
pub(crate) struct Node {
    /// A string, taken as bytes so that it can be looked at in the block.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) key: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) value: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) links: Option<Bytes>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) seq: Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub(crate) flags: Option<u64>,
}

/// The value of a mount's hidden node. The reference reserves field 5 for a hash and never uses it.
#[derive(Clone, Eq, PartialEq, prost::Message)]
pub(crate) struct Mount {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) key: Option<Bytes>,
    #[prost(string, optional, tag = "2")]
    pub(crate) local_path: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) version: Option<u64>,
    #[prost(string, optional, tag = "4")]
    pub(crate) remote_path: Option<String>,
}

/// A message of the wire extension: one of the fields.
#[derive(Clone, Eq, PartialEq, prost::Message)]
pub(crate) struct Extension {
    #[prost(message, optional, tag = "1")]
    pub(crate) cache: Option<CacheMessage>,
    #[prost(message, optional, tag = "2")]
    pub(crate) iterator: Option<IteratorMessage>,
    #[prost(message, optional, tag = "3")]
    pub(crate) get: Option<GetMessage>,
}

/// Blocks that the receiver will need.
#[derive(Clone, Eq, PartialEq, prost::Message)]
pub(crate) struct CacheMessage {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) start: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) end: Option<u64>,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) blocks: Vec<u64>,
}

/// The sender lists a prefix.
#[derive(Clone, Eq, PartialEq, prost::Message)]
pub(crate) struct IteratorMessage {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) head: Option<u64>,
    #[prost(string, optional, tag = "2")]
    pub(crate) key: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) flags: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(crate) checkpoint: Option<Bytes>,
}

/// The sender looks a key up.
#[derive(Clone, Eq, PartialEq, prost::Message)]
pub(crate) struct GetMessage {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) head: Option<u64>,
    #[prost(string, optional, tag = "2")]
    pub(crate) key: Option<String>,
}
