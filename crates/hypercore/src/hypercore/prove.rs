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
        self.collect(&route).map(Some)
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
            Some(length) => {
                let found = self.store.signatures.get(length)?;
                Some(found.ok_or(ReadError::MissingSignature { length })?)
            }
            None => None,
        };
        Ok(Proof { nodes, signature })
    }
}
