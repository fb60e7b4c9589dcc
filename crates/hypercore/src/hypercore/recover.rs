use crate::hypercore::{Hypercore, hash_roots};
use crate::index::roots;
use crate::{Node, OpenError, tree};

impl Hypercore {
    /// Finds the length and the roots in what is stored.
    pub(super) fn load(&mut self) -> Result<(), OpenError> {
        let claimed = tree::length(&self.bits);
        let roots = self.verified_roots(claimed)?.ok_or(OpenError::Damaged)?;
        self.set_roots(claimed, roots);
        Ok(())
    }

    /// The stored roots of a length, if they are all there and its signature covers them.
    pub(super) fn verified_roots(&self, length: u64) -> Result<Option<Vec<Node>>, OpenError> {
        if length == 0 {
            return Ok(Some(Vec::new()));
        }
        let Some(signature) = self.store.signatures.get(length)? else {
            return Ok(None);
        };
        let mut nodes = self.store.nodes.reader();
        let mut found = Vec::new();
        for index in roots(length) {
            let Some(node) = nodes.get(index)? else {
                return Ok(None);
            };
            found.push(node);
        }
        let valid = self
            .key
            .verify_tree(&hash_roots(&found), length, &signature);
        Ok(valid.then_some(found))
    }
}
