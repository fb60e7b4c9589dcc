//! The walks that build a new node and that find what a deletion must keep.

use crate::TrieError;
use crate::links::{Bucket, LinksBuilder};
use crate::node::Stored;
use crate::path::{DIGITS, Path, is_check};
use crate::reader::Reader;

/// What a new node must not point to.
#[derive(Debug)]
pub(crate) enum Omit<'a> {
    /// Nothing is left out.
    Nothing,
    /// The node that is being deleted.
    Node(u64),
    /// Everything under a prefix, which parts from the new node's path at digit `at`.
    Prefix { path: Path<'a>, at: usize },
}

/// What a deletion found.
#[derive(Debug)]
pub(crate) struct Doomed {
    /// The node at the path; under a prefix, the one that was linked last.
    pub(crate) node: Stored,
    /// The deepest node beside it, if anything else is in the trie.
    pub(crate) sibling: Option<Stored>,
}

/// Makes the pointers of a new node at `path`, whose predecessor is `head`, encoded.
///
/// For each digit, the new node takes over the pointers to the other values of that digit, and
/// where it parts from a node on its way it points to that node.
pub(crate) async fn link(
    reader: &mut Reader<'_>,
    head: Option<Stored>,
    path: Path<'_>,
    omit: Omit<'_>,
) -> Result<Vec<u8>, TrieError> {
    let mut links = Linker {
        path,
        omit,
        builder: LinksBuilder::default(),
    };
    let Some(mut node) = head else {
        return Ok(links.builder.finish());
    };
    let mut index = 0;
    while let Some(at) = path.divergence(node.path(), index) {
        let mut parting = Bucket::EMPTY;
        for (index, bucket) in node.links().from(index) {
            if index >= at {
                if index == at {
                    parting = bucket;
                }
                break;
            }
            links.take_over(reader, index, bucket).await?;
        }
        // The reference links the node itself before the survivors of a collision.
        links
            .add(reader, at, node.path().digit(at), node.seq)
            .await?;
        links.take_over(reader, at, parting).await?;
        match reader.follow_in(parting, at, path).await? {
            Some(next) => node = next,
            None => return Ok(links.builder.finish()),
        }
        index = at + 1;
    }
    for (index, bucket) in node.links().from(index) {
        links.take_over(reader, index, bucket).await?;
    }
    Ok(links.builder.finish())
}

/// Finds the node at `path`, comparing digits before `end` only, and the deepest node beside it.
pub(crate) async fn find_doomed(
    reader: &mut Reader<'_>,
    head: Stored,
    path: Path<'_>,
    end: usize,
) -> Result<Result<Doomed, Stored>, TrieError> {
    let mut sibling = None;
    let mut node = head;
    let mut index = 0;
    loop {
        let divergence = path.divergence(node.path(), index).filter(|at| *at < end);
        let agreed = divergence.unwrap_or(end);
        for (index, bucket) in node
            .links()
            .from(index)
            .take_while(|(index, _)| *index < agreed)
        {
            let own = path.digit(index);
            let others = bucket.iter().find(|(slot, _)| *slot != own);
            sibling = others
                .map(|(_, target)| target)
                .or(bucket.get(own))
                .or(sibling);
        }
        let Some(at) = divergence else { break };
        match reader.follow(&node, at, path).await? {
            Some(next) => {
                sibling = Some(node.seq);
                node = next;
            }
            None => return Ok(Err(node)),
        }
        index = at + 1;
    }
    let sibling = match sibling {
        Some(target) => reader.load(target).await?,
        None => None,
    };
    Ok(Ok(Doomed { node, sibling }))
}

struct Linker<'a> {
    path: Path<'a>,
    omit: Omit<'a>,
    builder: LinksBuilder,
}

impl Linker<'_> {
    /// Copies the pointers of a bucket that lead away from the path.
    async fn take_over(
        &mut self,
        reader: &mut Reader<'_>,
        index: usize,
        bucket: Bucket<'_>,
    ) -> Result<(), TrieError> {
        let own = self.path.digit(index);
        for (slot, target) in bucket.iter() {
            if slot % DIGITS == own {
                // Only another name with the same hash leads away; the rest is superseded.
                if !is_check(index) {
                    continue;
                }
                match reader.load(target).await? {
                    Some(node) if node.path().collides(self.path, index) => {}
                    _ => continue,
                }
            }
            self.add(reader, index, slot % DIGITS, target).await?;
        }
        Ok(())
    }

    async fn add(
        &mut self,
        reader: &mut Reader<'_>,
        index: usize,
        digit: u8,
        target: u64,
    ) -> Result<(), TrieError> {
        let omitted = match &self.omit {
            Omit::Nothing => false,
            Omit::Node(doomed) => target == *doomed,
            Omit::Prefix { path, at } => {
                index == *at
                    && digit == path.digit(index)
                    && (!is_check(index)
                        || reader
                            .load(target)
                            .await?
                            .is_none_or(|node| !node.path().collides(*path, index)))
            }
        };
        if omitted || self.builder.add(index, digit, target) {
            return Ok(());
        }
        Err(TrieError::TooManyCollisions)
    }
}
