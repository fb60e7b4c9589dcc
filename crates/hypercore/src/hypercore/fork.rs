use std::io;

use hypercore_crypto::Signature;
use hypercore_storage::OpenMode;

use crate::hypercore::{Hypercore, hash_roots};
use crate::index::roots;
use crate::tree::verified_by;
use crate::{ForkProof, Node, NodeIndex, SignedTree};

impl Hypercore {
    /// The evidence that the author signed two logs, if it was met. Such a log takes no more changes.
    pub fn fork(&self) -> Option<&ForkProof> {
        self.fork.as_ref()
    }

    /// Reads the evidence that an earlier run kept. What proves nothing is ignored.
    pub(super) fn load_fork(&mut self) -> io::Result<()> {
        let file = match self.dir.open(NAME, OpenMode::ReadOnly) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let bytes = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        if bytes > MAX_BYTES {
            return Ok(());
        }
        let mut bytes = vec![0; bytes];
        file.read(0, &mut bytes)?;
        let proof = ForkProof::decode(&bytes).ok();
        self.fork = proof.filter(|proof| proof.verify(&self.key).is_ok());
        self.frozen |= self.fork.is_some();
        Ok(())
    }

    /// Keeps the evidence of a fork. Failing to write it does not lose it for this run.
    pub(super) fn keep_fork(&mut self, proof: ForkProof) {
        self.frozen = true;
        if !self.options.read_only {
            let kept = self.dir.open(NAME, OpenMode::Create).and_then(|file| {
                file.write(0, &proof.encode())?;
                file.sync()?;
                self.dir.sync()
            });
            // Whoever signs two logs is met again.
            self.dir_dirty |= kept.is_err();
        }
        self.fork = Some(proof);
    }

    /// The evidence, from a signed tree that has another node than the one held here.
    ///
    /// `lookup` finds nodes of the other tree; `roots` are its roots.
    pub(super) fn fork_at(
        &self,
        node: Node,
        roots: &[Node],
        length: u64,
        signature: Signature,
        lookup: impl Fn(NodeIndex) -> Option<Node>,
    ) -> io::Result<Option<ForkProof>> {
        let Some(first) = self.signed_tree_with(node.index)? else {
            return Ok(None);
        };
        let mut way = vec![node];
        let mut top = node;
        while !roots.contains(&top) {
            let Some((sibling, parent)) = lookup(top.index.sibling()).and_then(|sibling| {
                let parent = Node::above_any(top, sibling)?;
                Some((sibling, parent))
            }) else {
                return Ok(None);
            };
            way.push(sibling);
            top = parent;
        }
        let second = SignedTree {
            length,
            roots: roots.to_vec(),
            signature,
            way,
        };
        let proof = ForkProof { first, second };
        Ok(proof.verify(&self.key).is_ok().then_some(proof))
    }

    /// Looks for a fork in the files themselves, where nodes do not match their children: programs that
    /// compare nothing store nodes of one signed tree over those of another.
    pub(super) fn find_stored_fork(&mut self, damaged: &[NodeIndex]) -> io::Result<()> {
        if self.fork.is_some() {
            return Ok(());
        }
        for index in damaged.iter().take(MAX_TRIES) {
            let Some([stored, computed]) = self.both(*index)? else {
                continue;
            };
            let (Some(first), Some(second)) = (
                self.signed_tree_from(stored)?,
                self.signed_tree_from(computed)?,
            ) else {
                continue;
            };
            let proof = ForkProof { first, second };
            if proof.verify(&self.key).is_ok() {
                self.keep_fork(proof);
                return Ok(());
            }
        }
        Ok(())
    }

    /// A node as it is stored, and as its children have it.
    fn both(&self, index: NodeIndex) -> io::Result<Option<[Node; 2]>> {
        let mut nodes = self.store.nodes.reader();
        let Some((left, right)) = index.left_child().zip(index.right_child()) else {
            return Ok(None);
        };
        let (stored, left, right) = (nodes.get(index)?, nodes.get(left)?, nodes.get(right)?);
        let computed = left
            .zip(right)
            .and_then(|(left, right)| Node::above(left, right));
        Ok(stored
            .zip(computed)
            .map(|(stored, computed)| [stored, computed]))
    }

    /// A tree that a node belongs to, with stored nodes for the rest, of which there is a signature.
    fn signed_tree_from(&self, node: Node) -> io::Result<Option<SignedTree>> {
        let shortest = node.index.blocks().end;
        let longest = self
            .store
            .signatures
            .capacity()
            .min(self.options.max_length);
        let mut tries = 0;
        for length in (shortest..=longest).rev().take(MAX_STEPS) {
            let Some(signature) = self.store.signatures.get(length)? else {
                continue;
            };
            if let Some((roots, way)) = self.tree_from(node, length)?
                && self
                    .key
                    .verify_tree(&hash_roots(&roots), length, &signature)
            {
                return Ok(Some(SignedTree {
                    length,
                    roots,
                    signature,
                    way,
                }));
            }
            tries += 1;
            if tries == MAX_TRIES {
                break;
            }
        }
        Ok(None)
    }

    /// The roots of a length and the way to them, with one node in the place of what is stored.
    fn tree_from(&self, node: Node, length: u64) -> io::Result<Option<(Vec<Node>, Vec<Node>)>> {
        let mut nodes = self.store.nodes.reader();
        let mut way = vec![node];
        let mut top = node;
        while !roots(length).any(|root| root == top.index) {
            let sibling = nodes.get(top.index.sibling())?;
            let Some((sibling, parent)) =
                sibling.and_then(|sibling| Some((sibling, Node::above_any(top, sibling)?)))
            else {
                return Ok(None);
            };
            way.push(sibling);
            top = parent;
        }
        let roots: io::Result<Option<Vec<Node>>> = roots(length)
            .map(|root| match root == top.index {
                true => Ok(Some(top)),
                false => nodes.get(root),
            })
            .collect();
        Ok(roots?.map(|roots| (roots, way)))
    }

    /// A signed tree held here that contains a node, with the way from there to its roots.
    fn signed_tree_with(&self, index: NodeIndex) -> io::Result<Option<SignedTree>> {
        // A part that was never linked to the newest roots belongs to an older length.
        let older = verified_by(&self.bits, index) / 2;
        for length in [self.length, older] {
            let Some(roots) = self.verified_roots(length)? else {
                continue;
            };
            let Some(signature) = self.store.signatures.get(length)? else {
                continue;
            };
            if let Some(way) = self.way_to(index, &roots)? {
                return Ok(Some(SignedTree {
                    length,
                    roots,
                    signature,
                    way,
                }));
            }
        }
        Ok(None)
    }

    /// Whether the log was known to be of this length before it had its present one, or could have been:
    /// the nodes that are held lead from the roots of that length to the present ones.
    pub(crate) fn has_grown_from(&self, length: u64) -> io::Result<bool> {
        for index in roots(length) {
            if self.way_to(index, &self.roots)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn way_to(&self, index: NodeIndex, roots: &[Node]) -> io::Result<Option<Vec<Node>>> {
        let mut nodes = self.store.nodes.reader();
        let Some(mut top) = nodes.get(index)? else {
            return Ok(None);
        };
        let mut way = vec![top];
        while !roots.contains(&top) {
            let sibling = nodes.get(top.index.sibling())?;
            let parent = nodes.get(top.index.parent())?;
            let (Some(sibling), Some(parent)) = (sibling, parent) else {
                return Ok(None);
            };
            if !parent.is_parent_of(top, sibling) {
                return Ok(None);
            }
            way.push(sibling);
            top = parent;
        }
        Ok(Some(way))
    }
}

const NAME: &str = "fork";

/// How many nodes that do not match their children are looked at, and how many signatures for each.
const MAX_TRIES: usize = 64;

/// How far back signatures are looked for.
const MAX_STEPS: usize = 1 << 16;

/// The longest proof is a little over 10 KiB.
const MAX_BYTES: usize = 16 << 10;
