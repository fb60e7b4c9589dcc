//! Conversion between messages on the wire and proofs of the log.

use bytes::Bytes;
use hypercore::{Delivery, Node, NodeIndex, Proof, Request};
use hypercore_protocol as wire;

/// What a message brings; `None` if it names a node that no log can have.
pub(crate) fn delivery(data: wire::Data) -> Option<Delivery> {
    let proof = proof(&data)?;
    Some(Delivery {
        index: data.index,
        value: data.value,
        proof,
    })
}

fn proof(data: &wire::Data) -> Option<Proof> {
    let nodes = data.nodes.iter().map(|node| {
        Some(Node {
            index: NodeIndex::new(node.index)?,
            hash: node.hash,
            size: node.size,
        })
    });
    Some(Proof {
        nodes: nodes.collect::<Option<_>>()?,
        signature: data.signature,
    })
}

/// The message that carries a block and its proof.
pub(crate) fn data(index: u64, value: Option<Bytes>, proof: Proof) -> wire::Data {
    let nodes = proof.nodes.into_iter().map(|node| wire::Node {
        index: node.index.get(),
        hash: node.hash,
        size: node.size,
    });
    wire::Data {
        index,
        value,
        nodes: nodes.collect(),
        signature: proof.signature,
    }
}

/// The message that asks for a block.
pub(crate) fn request(request: &Request) -> wire::Request {
    let Request {
        index,
        bytes,
        hash,
        nodes,
    } = *request;
    wire::Request {
        index,
        bytes,
        hash,
        nodes,
    }
}

/// A question that the remote asks.
pub(crate) fn request_from(request: wire::Request) -> Request {
    let wire::Request {
        index,
        bytes,
        hash,
        nodes,
    } = request;
    Request {
        index,
        bytes,
        hash,
        nodes,
    }
}
