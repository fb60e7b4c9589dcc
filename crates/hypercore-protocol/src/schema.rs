//! The messages as protobuf, and the two conversions between them and the public structs.
//!
//! Every field is an `Option`: deployed decoders want required fields even when they are zero, and
//! "absent" differs from "empty" for bytes. Presence and bounds are checked here and nowhere else.

use bytes::{Buf, Bytes};
use hypercore_crypto::{DiscoveryKey, Hash, Signature};
use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};

use crate::config::{MAX_EXTENSION_NAME_BYTES, MAX_EXTENSIONS, MAX_PROOF_NODES};
use crate::{ChannelFault, SendError, message};

/// Body of each of the three handshake messages.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct NoisePayload {
    /// XSalsa20 nonce of the sender's direction, 24 bytes.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) nonce: Option<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Open {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) discovery_key: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) capability: Option<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Options {
    #[prost(string, repeated, tag = "1")]
    pub(crate) extensions: Vec<String>,
    #[prost(bool, optional, tag = "2")]
    pub(crate) ack: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(bool, optional, tag = "1")]
    pub(crate) uploading: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub(crate) downloading: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Have {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) start: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) length: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) bitfield: Option<Bytes>,
    #[prost(bool, optional, tag = "4")]
    pub(crate) ack: Option<bool>,
}

/// `Unhave`, `Want` and `Unwant`, which differ in the default of `length` only.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Range {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) start: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) length: Option<u64>,
}

/// `Request`, and `Cancel`, which lacks the last field.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Request {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) index: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) bytes: Option<u64>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) hash: Option<bool>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) nodes: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Data {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) index: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) value: Option<Bytes>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) nodes: Vec<Node>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(crate) signature: Option<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Node {
    #[prost(uint64, optional, tag = "1")]
    pub(crate) index: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) hash: Option<Bytes>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) size: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Close {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) discovery_key: Option<Bytes>,
}

/// An `Open`, checked.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) discovery_key: DiscoveryKey,
    /// Absent on connections without Noise.
    pub(crate) capability: Option<[u8; 32]>,
}

impl Opening {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        let open: Open = decode(body)?;
        Ok(Self {
            discovery_key: DiscoveryKey::from_bytes(array(
                "discoveryKey",
                &required("discoveryKey", open.discovery_key)?,
            )?),
            capability: open
                .capability
                .map(|bytes| array("capability", &bytes))
                .transpose()?,
        })
    }

    pub(crate) fn encode(&self) -> Open {
        Open {
            discovery_key: Some(Bytes::copy_from_slice(self.discovery_key.as_bytes())),
            capability: self.capability.map(|bytes| Bytes::copy_from_slice(&bytes)),
        }
    }
}

/// The discovery key of a `Close`, if it names one.
pub(crate) fn decode_close(body: Bytes) -> Result<Option<DiscoveryKey>, ChannelFault> {
    let close: Close = decode(body)?;
    let bytes = close
        .discovery_key
        .map(|bytes| array("discoveryKey", &bytes))
        .transpose()?;
    Ok(bytes.map(DiscoveryKey::from_bytes))
}

/// A `Close` of an open channel, or of a core that never was open here.
pub(crate) fn close(discovery_key: Option<&DiscoveryKey>) -> Close {
    Close {
        discovery_key: discovery_key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
    }
}

/// The nonce of a handshake payload.
pub(crate) fn decode_payload(body: &[u8]) -> Result<[u8; 24], ChannelFault> {
    let payload: NoisePayload = decode(body)?;
    array("nonce", &required("nonce", payload.nonce)?)
}

/// A handshake payload.
pub(crate) fn payload(nonce: &[u8; 24]) -> Vec<u8> {
    NoisePayload {
        nonce: Some(Bytes::copy_from_slice(nonce)),
    }
    .encode_to_vec()
}

impl message::Options {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        limit(&body, 1, "extensions", MAX_EXTENSIONS)?;
        let options: Options = decode(body)?;
        if let Some(name) = options
            .extensions
            .iter()
            .find(|n| n.len() > MAX_EXTENSION_NAME_BYTES)
        {
            return Err(ChannelFault::Size {
                field: "extensions",
                length: name.len(),
            });
        }
        Ok(Self {
            extensions: options.extensions,
            ack: options.ack.unwrap_or(false),
        })
    }
}

impl message::Status {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        let status: Status = decode(body)?;
        Ok(Self {
            uploading: status.uploading.unwrap_or(false),
            downloading: status.downloading.unwrap_or(false),
        })
    }

    pub(crate) fn encode(self) -> Status {
        Status {
            uploading: Some(self.uploading),
            downloading: Some(self.downloading),
        }
    }
}

impl message::Have {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        let have: Have = decode(body)?;
        Ok(Self {
            start: number("start", required("start", have.start)?)?,
            length: number("length", have.length.unwrap_or(1))?,
            bitfield: have.bitfield,
            ack: have.ack.unwrap_or(false),
        })
    }

    /// The length is left out where it is implied: a single block, announced unasked.
    pub(crate) fn encode(self) -> Result<Have, SendError> {
        let implied = self.length == 1 && self.bitfield.is_none() && !self.ack;
        Ok(Have {
            start: Some(sendable("start", self.start)?),
            length: (!implied).then_some(sendable("length", self.length)?),
            bitfield: self.bitfield,
            ack: self.ack.then_some(true),
        })
    }
}

impl message::Unhave {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        let (start, length) = decode_range(body, 1)?;
        Ok(Self { start, length })
    }

    pub(crate) fn encode(self) -> Result<Range, SendError> {
        let length = Some(sendable("length", self.length)?);
        Ok(Range {
            start: Some(sendable("start", self.start)?),
            length,
        })
    }
}

impl message::Want {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        let (start, length) = decode_range(body, 0)?;
        Ok(Self { start, length })
    }

    pub(crate) fn encode(self) -> Result<Range, SendError> {
        encode_open_range(self.start, self.length)
    }
}

impl message::Unwant {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        let (start, length) = decode_range(body, 0)?;
        Ok(Self { start, length })
    }

    pub(crate) fn encode(self) -> Result<Range, SendError> {
        encode_open_range(self.start, self.length)
    }
}

impl message::Request {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        let request: Request = decode(body)?;
        Ok(Self {
            index: number("index", required("index", request.index)?)?,
            bytes: number("bytes", request.bytes.unwrap_or(0))?,
            hash: request.hash.unwrap_or(false),
            nodes: number("nodes", request.nodes.unwrap_or(0))?,
        })
    }

    pub(crate) fn encode(self) -> Result<Request, SendError> {
        Ok(Request {
            index: Some(sendable("index", self.index)?),
            bytes: Some(sendable("bytes", self.bytes)?),
            hash: Some(self.hash),
            nodes: Some(sendable("nodes", self.nodes)?),
        })
    }
}

impl message::Cancel {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        let message::Request {
            index, bytes, hash, ..
        } = message::Request::decode(body)?;
        Ok(Self { index, bytes, hash })
    }

    pub(crate) fn encode(self) -> Result<Request, SendError> {
        let Self { index, bytes, hash } = self;
        let request = message::Request {
            index,
            bytes,
            hash,
            nodes: 0,
        }
        .encode()?;
        Ok(Request {
            nodes: None,
            ..request
        })
    }
}

impl message::Data {
    pub(crate) fn decode(body: Bytes) -> Result<Self, ChannelFault> {
        limit(&body, 3, "nodes", MAX_PROOF_NODES)?;
        let data: Data = decode(body)?;
        Ok(Self {
            index: number("index", required("index", data.index)?)?,
            value: data.value,
            nodes: data
                .nodes
                .into_iter()
                .map(message::Node::check)
                .collect::<Result<_, _>>()?,
            signature: data
                .signature
                .map(|bytes| array("signature", &bytes).map(Signature::from_bytes))
                .transpose()?,
        })
    }

    pub(crate) fn encode(self) -> Result<Data, SendError> {
        if self.nodes.len() > MAX_PROOF_NODES {
            return Err(SendError::TooManyNodes);
        }
        Ok(Data {
            index: Some(sendable("index", self.index)?),
            value: self.value,
            nodes: self
                .nodes
                .into_iter()
                .map(message::Node::encode)
                .collect::<Result<_, _>>()?,
            signature: self
                .signature
                .map(|it| Bytes::copy_from_slice(it.as_bytes())),
        })
    }
}

impl message::Node {
    fn check(node: Node) -> Result<Self, ChannelFault> {
        Ok(Self {
            index: number("nodes.index", required("nodes.index", node.index)?)?,
            hash: Hash::from_bytes(array("nodes.hash", &required("nodes.hash", node.hash)?)?),
            size: number("nodes.size", required("nodes.size", node.size)?)?,
        })
    }

    fn encode(self) -> Result<Node, SendError> {
        Ok(Node {
            index: Some(sendable("nodes.index", self.index)?),
            hash: Some(Bytes::copy_from_slice(self.hash.as_bytes())),
            size: Some(sendable("nodes.size", self.size)?),
        })
    }
}

fn decode_range(body: Bytes, absent: u64) -> Result<(u64, u64), ChannelFault> {
    let range: Range = decode(body)?;
    let start = number("start", required("start", range.start)?)?;
    Ok((start, number("length", range.length.unwrap_or(absent))?))
}

fn encode_open_range(start: u64, length: u64) -> Result<Range, SendError> {
    let length = (length != 0).then_some(sendable("length", length)?);
    Ok(Range {
        start: Some(sendable("start", start)?),
        length,
    })
}

fn decode<M: prost::Message + Default>(body: impl Buf) -> Result<M, ChannelFault> {
    M::decode(body).map_err(|_| ChannelFault::Encoding)
}

/// Counts the occurrences of a repeated field, before any memory is spent on its elements: a few
/// bytes on the wire become dozens in memory.
fn limit(mut body: &[u8], tag: u32, field: &'static str, limit: usize) -> Result<(), ChannelFault> {
    let mut count = 0;
    while body.has_remaining() {
        let (found, wire_type): (u32, WireType) =
            decode_key(&mut body).map_err(|_| ChannelFault::Encoding)?;
        if found == tag {
            count += 1;
            if count > limit {
                return Err(ChannelFault::TooMany { field });
            }
        }
        skip_field(wire_type, found, &mut body, DecodeContext::default())
            .map_err(|_| ChannelFault::Encoding)?;
    }
    Ok(())
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, ChannelFault> {
    value.ok_or(ChannelFault::Missing { field })
}

fn number(field: &'static str, value: u64) -> Result<u64, ChannelFault> {
    if value < TOO_LARGE {
        Ok(value)
    } else {
        Err(ChannelFault::TooLarge { field })
    }
}

fn sendable(field: &'static str, value: u64) -> Result<u64, SendError> {
    if value < TOO_LARGE {
        Ok(value)
    } else {
        Err(SendError::TooLarge { field })
    }
}

fn array<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], ChannelFault> {
    bytes.try_into().map_err(|_| ChannelFault::Size {
        field,
        length: bytes.len(),
    })
}

/// The reference computes with doubles, which are exact below this.
const TOO_LARGE: u64 = 1 << 53;
