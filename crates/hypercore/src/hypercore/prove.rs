use hypercore_crypto::Signature;

use crate::hypercore::Hypercore;
use crate::tree::{self, Route};
use crate::{NodeIndex, Proof, ReadError, RemoteTree};

impl Hypercore {
    /// What to say in a request for a block of the nodes held above it (`Request.nodes`).
    pub fn digest(&self, index: u64) -> u64 {
        NodeIndex::of_block(index).map_or(0, |leaf| tree::digest(&self.bits, leaf))
    }

    /// The proof for a request: `digest` and `hash` as the request has them, `remote` what the peer
    /// has told before. `None` if the block's leaf is not held here.
    ///
    /// With `hash`, the proof is for the leaf alone, which is its first node. The block itself may
    /// be missing in either case.
    pub fn proof(
        &self,
        index: u64,
        digest: u64,
        hash: bool,
        remote: &mut RemoteTree,
    ) -> Result<Option<Proof>, ReadError> {
        let Some(leaf) = NodeIndex::of_block(index) else {
            return Ok(None);
        };
        let Some(route) = tree::route(&self.bits, leaf, digest, hash, remote) else {
            return Ok(None);
        };
        match self.collect(&route) {
            Err(error @ ReadError::MissingSignature { .. }) => {
                self.prove_to_roots(leaf, hash)?.ok_or(error).map(Some)
            }
            proof => proof.map(Some),
        }
    }

    /// The whole proof of a leaf up to the roots of the log, whatever the bits say of the nodes in
    /// between: a crash may have taken some of them. `None` if the stored hashes do not lead there.
    fn prove_to_roots(&self, leaf: NodeIndex, hash: bool) -> Result<Option<Proof>, ReadError> {
        let mut reader = self.store.nodes.reader();
        let Some(mut node) = reader.get(leaf)? else {
            return Ok(None);
        };
        let mut nodes = Vec::new();
        if hash {
            nodes.push(node);
        }
        while !self.roots.contains(&node) {
            let sibling = reader.get(node.index.sibling())?;
            let parent = reader.get(node.index.parent())?;
            let (Some(sibling), Some(parent)) = (sibling, parent) else {
                return Ok(None);
            };
            if !parent.is_parent_of(node, sibling) || parent.index.blocks().end > self.length {
                return Ok(None);
            }
            nodes.push(sibling);
            node = parent;
        }
        nodes.extend(self.roots.iter().filter(|root| **root != node));
        drop(reader);
        let signature = match self.is_static {
            true => None,
            false => Some(self.signature_at(self.length)?),
        };
        Ok(Some(Proof { nodes, signature }))
    }

    fn collect(&self, route: &Route) -> Result<Proof, ReadError> {
        let mut reader = self.store.nodes.reader();
        let mut nodes = Vec::with_capacity(route.nodes.len());
        for node in &route.nodes {
            nodes.push(
                reader
                    .get(*node)?
                    .ok_or(ReadError::MissingNode { node: *node })?,
            );
        }
        drop(reader);
        let signature = match route.signed {
            // A log that was finished without a key pair: its key is the hash of its roots.
            Some(_) if self.is_static => None,
            Some(length) => Some(self.signature_at(length)?),
            None => None,
        };
        Ok(Proof { nodes, signature })
    }

    /// The stored signature of a length, if it covers the stored roots. That of the log's own length
    /// was checked when it was read or made.
    fn signature_at(&self, length: u64) -> Result<Signature, ReadError> {
        let missing = ReadError::MissingSignature { length };
        if length != self.length && self.verified_roots(length)?.is_none() {
            return Err(missing);
        }
        self.store.signatures.get(length)?.ok_or(missing)
    }
}
