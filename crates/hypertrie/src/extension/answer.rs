use std::sync::Arc;

use super::MAX_HINTS;
use super::message::{Listing, Message};
use crate::checkpoint::Places;
use crate::iter::order;
use crate::node::Stored;
use crate::path::{COMPONENT_DIGITS, Path, TERMINATOR, is_check, normalize};
use crate::trie::Shared;

/// The blocks that whoever sent this request will come to, in the order in which it will, at most
/// [`MAX_HINTS`] of them and those of one more node. Only what is stored here is read; blocks that
/// are not are named as well, and what they lead to is left out.
pub(crate) fn answer(shared: &Shared, request: &Message) -> Vec<u64> {
    let mut hints = Hints {
        shared,
        seqs: Vec::new(),
    };
    // Where the walk ended does not matter, only what it came by.
    let _end = match request {
        Message::Hints(_) => None,
        Message::Get { head, key } => {
            let path = Path::new(normalize(key), false, shared.hash);
            hints.find(*head, &path, path.len()).map(drop)
        }
        Message::List(listing) => hints.list(listing),
    };
    hints.seqs
}

/// A walk over what is stored here that notes where it comes by.
#[derive(Debug)]
struct Hints<'a> {
    shared: &'a Shared,
    seqs: Vec<u64>,
}

impl Hints<'_> {
    fn load(&mut self, seq: u64) -> Option<Arc<Stored>> {
        if seq == 0 || seq >= self.shared.feed.length() {
            return None;
        }
        self.seqs.push(seq);
        // A broken node is for the reader to complain about.
        let node = self.shared.load_local(seq).ok().flatten()?;
        (!node.is_reset()).then_some(node)
    }

    fn find(&mut self, head: u64, path: &Path, end: usize) -> Option<Arc<Stored>> {
        let mut node = self.load(head)?;
        let mut index = 0;
        while let Some(at) = path.divergence(&node.path, index).filter(|at| *at < end) {
            let digit = path.digit(at);
            let chain: Vec<_> = node.links.bucket(at).chain(digit).collect();
            let mut next = None;
            for target in chain {
                if self.seqs.len() >= MAX_HINTS {
                    return None;
                }
                let Some(found) = self.load(target) else {
                    continue;
                };
                if found.path.agrees(path, at + 1)
                    && !(is_check(at) && found.path.collides(path, at))
                {
                    next = Some(found);
                }
            }
            node = next?;
            index = at + 1;
        }
        Some(node)
    }

    fn list(&mut self, listing: &Listing) -> Option<()> {
        let path = Path::new(normalize(&listing.prefix), listing.hidden, self.shared.hash);
        let start = path.len() - 1;
        let end = if listing.recursive {
            usize::MAX
        } else {
            start + COMPONENT_DIGITS
        };
        let mut stack = Vec::new();
        match &listing.checkpoint {
            // A checkpoint names blocks, so the version does not matter. Its blocks are known to
            // whoever made it.
            Some(checkpoint) => {
                let mut places = Places::new(checkpoint, self.shared.feed.length(), start);
                while let Some(index) = places.index().ok()? {
                    let seq = places.seq().ok()?;
                    let node = self.shared.load_local(seq).ok().flatten();
                    stack.extend(node.map(|node| (index, node)));
                }
            }
            None => stack.push((start, self.find(listing.head, &path, start)?)),
        }
        while let Some((index, node)) = stack.pop() {
            if self.seqs.len() >= MAX_HINTS {
                break;
            }
            let next = node.links.from(index).next();
            let Some((index, bucket)) = next.filter(|(index, _)| *index < end.min(node.path.len()))
            else {
                continue;
            };
            for digit in order(listing.reverse) {
                if listing.gt && digit == TERMINATOR && index == start {
                    continue;
                }
                if node.path.digit(index) == digit {
                    stack.push((index + 1, Arc::clone(&node)));
                }
                for target in bucket.chain(digit) {
                    let Some(found) = self.load(target) else {
                        continue;
                    };
                    // Pointers that promise what they do not keep would lead round in circles.
                    if !found.path.agrees(&node.path, index) || found.path.digit(index) != digit {
                        return None;
                    }
                    stack.push((index + 1, found));
                }
            }
        }
        Some(())
    }
}
