use super::MAX_HINTS;
use super::message::{Listing, Message};
use crate::checkpoint::Places;
use crate::iter::order;
use crate::node::Stored;
use crate::path::{COMPONENT_DIGITS, Path, PathBuf, TERMINATOR, is_check, normalize};
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
            let path = PathBuf::new(normalize(key), false, shared.hash);
            let path = path.get();
            hints.find(*head, path, path.len()).map(drop)
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
    fn load(&mut self, seq: u64) -> Option<Stored> {
        if seq == 0 || seq >= self.shared.feed.length() {
            return None;
        }
        self.seqs.push(seq);
        // A broken node is for the reader to complain about.
        let node = self.shared.load_local(seq).ok().flatten()?;
        (!node.is_reset()).then_some(node)
    }

    fn find(&mut self, head: u64, path: Path<'_>, end: usize) -> Option<Stored> {
        let mut node = self.load(head)?;
        let mut index = 0;
        while let Some(at) = path.divergence(node.path(), index).filter(|at| *at < end) {
            let digit = path.digit(at);
            let chain: Vec<_> = node.links().bucket(at).chain(digit).collect();
            let mut next = None;
            for target in chain {
                if self.seqs.len() >= MAX_HINTS {
                    return None;
                }
                let Some(found) = self.load(target) else {
                    continue;
                };
                if found.path().agrees(path, at + 1)
                    && !(is_check(at) && found.path().collides(path, at))
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
        let path = PathBuf::new(normalize(&listing.prefix), listing.hidden, self.shared.hash);
        let path = path.get();
        let mut start = path.len() - 1;
        let mut stack = Vec::new();
        let mut standing = None;
        match &listing.checkpoint {
            Some(checkpoint) if path.key_bytes().is_empty() => {
                stack = self.stack(checkpoint, start)?;
                // Whatever the prefix was, it ended before all that is left.
                let first = stack.iter().map(|part| part.index).min()?;
                start = (first - 1) / COMPONENT_DIGITS * COMPONENT_DIGITS + 1;
            }
            checkpoint => {
                let checkpoint = checkpoint.iter();
                let top = checkpoint.filter_map(|checkpoint| self.stack(checkpoint, start)?.pop());
                standing = top.last().map(|top| (top.index - 1, top.node));
                stack.push(Part {
                    index: start,
                    node: self.find(listing.head, path, start)?,
                    passed: standing.is_some(),
                });
            }
        }
        let end = match listing.recursive {
            true => usize::MAX,
            false => start + COMPONENT_DIGITS,
        };
        while let Some(part) = stack.pop() {
            if self.seqs.len() >= MAX_HINTS {
                break;
            }
            let next = part.node.links().from(part.index).next();
            let Some((index, bucket)) =
                next.filter(|(index, _)| *index < end.min(part.node.path().len()))
            else {
                continue;
            };
            // On the way to where the asker stands, what comes before that was listed already.
            let way = standing.as_ref().filter(|(until, node)| {
                part.passed && index < *until && part.node.path().agrees(node.path(), index)
            });
            let due = way.map(|(_, node)| node.path().digit(index));
            let mut branches: Vec<_> = order(listing.reverse).into();
            if let Some(due) = due {
                branches.truncate(branches.iter().position(|digit| *digit == due)? + 1);
            }
            for digit in branches {
                if listing.gt && digit == TERMINATOR && index == start {
                    continue;
                }
                let passed = due == Some(digit);
                if part.node.path().digit(index) == digit {
                    stack.push(Part {
                        index: index + 1,
                        node: part.node.clone(),
                        passed,
                    });
                }
                for target in bucket.chain(digit) {
                    let Some(node) = self.load(target) else {
                        continue;
                    };
                    // Pointers that promise what they do not keep would lead round in circles.
                    if !node.path().agrees(part.node.path(), index)
                        || node.path().digit(index) != digit
                    {
                        return None;
                    }
                    let index = index + 1;
                    stack.push(Part {
                        index,
                        node,
                        passed,
                    });
                }
            }
        }
        Some(())
    }

    /// What a checkpoint names, as far as it is here. That is known to whoever made it.
    fn stack(&self, checkpoint: &[u8], start: usize) -> Option<Vec<Part>> {
        let mut places = Places::new(checkpoint, self.shared.feed.length(), start);
        let mut stack = Vec::new();
        while let Some(index) = places.index().ok()? {
            if stack.len() >= MAX_HINTS {
                return None;
            }
            let seq = places.seq().ok()?;
            let node = self.shared.load_local(seq).ok().flatten();
            stack.extend(node.map(|node| Part {
                index,
                node,
                passed: false,
            }));
        }
        Some(stack)
    }
}

/// A part of a listing that is left: all that agrees with a node before a digit.
#[derive(Debug)]
struct Part {
    index: usize,
    node: Stored,
    /// Whether some of it was listed already.
    passed: bool,
}
