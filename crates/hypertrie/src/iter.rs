use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::StreamExt;

use crate::checkpoint::{Places, put_place};
use crate::extension::{Listing, Message};
use crate::links::Bucket;
use crate::loader::Loader;
use crate::path::{COMPONENT_DIGITS, PathBuf, TERMINATOR, is_check, normalize};
use crate::reader::{Found, Reader};
use crate::walk::{Lead, Opening, PART, Plan, Prefix, Step, Walk, check_names};
use crate::{IterOptions, Node, Trie, TrieError};

/// The nodes at and under a prefix, made by [`Trie::iter`]; a stream as well.
///
/// They come in the order of their paths: a node before those under it, and siblings by the hash of
/// their names. Cancel-safe. An error ends the
/// iteration; it can be resumed from its checkpoint.
#[derive(Debug)]
pub struct Iter {
    walk: Walk<Plain>,
}

/// A part of the trie: all that agrees with one node on the digits before `index`.
#[derive(Debug)]
struct Frame {
    index: usize,
    lead: Lead,
    /// Where the node's pointers go on, which those before were taken from.
    place: usize,
}

impl Frame {
    fn new(index: usize, lead: Lead) -> Self {
        let place = 0;
        Self { index, lead, place }
    }
}

#[derive(Debug)]
struct Plain {
    prefix: Prefix,
    head: u64,
    /// The digit at which every node is yielded, whatever is below it.
    end: usize,
    options: IterOptions,
}

impl Iter {
    pub(crate) fn open(trie: &Trie, prefix: &str, options: IterOptions) -> Self {
        let plan = Plain::new(trie, prefix, options);
        let shared = Arc::clone(trie.shared());
        let (head, prefix) = (trie.head(), plan.prefix.clone());
        let question = Message::List(plan.question(None));
        let loader = Loader::new(Arc::clone(trie.shared()));
        let asked = loader.asked();
        let opening: Opening<Frame> = Box::pin(async move {
            let question = move || question.clone();
            let mut reader = Reader::asking(&shared, &question);
            let mut frames = Vec::new();
            if let Some(head) = reader.load(head).await?
                && let Found::At(node) = reader.find(head, prefix.path.get(), prefix.digits).await?
            {
                frames.push(Frame::new(prefix.digits, Lead::at(node)));
            }
            if reader.has_asked() {
                asked.renew();
            }
            Ok(frames)
        });
        Self {
            walk: Walk::open(plan, loader, options.prefetch, opening),
        }
    }

    pub(crate) fn resume(
        trie: &Trie,
        prefix: &str,
        options: IterOptions,
        checkpoint: &[u8],
    ) -> Result<Self, TrieError> {
        let plan = Plain::new(trie, prefix, options);
        let mut places = Places::new(checkpoint, trie.version(), plan.prefix.digits);
        let mut stack = Vec::new();
        while let Some(index) = places.index()? {
            stack.push(Frame::new(index, Lead::resumed(places.seq()?)));
        }
        let loader = Loader::new(Arc::clone(trie.shared()));
        Ok(Self {
            walk: Walk::resume(plan, loader, options.prefetch, stack),
        })
    }

    /// The next node; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Node>, TrieError> {
        StreamExt::next(self).await.transpose()
    }

    /// Where the iterator stands, for [`Trie::resume_iter`]. `None` before the first node.
    ///
    /// The bytes name blocks, so they hold for later versions and in other programs; the iteration
    /// goes on in the version where it began.
    pub fn checkpoint(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for frame in self.walk.stack()? {
            put_place(frame.index, &[frame.lead.seq], &mut bytes);
        }
        Some(bytes)
    }
}

impl Stream for Iter {
    type Item = Result<Node, TrieError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().walk.poll_next(cx)
    }
}

impl Plain {
    fn new(trie: &Trie, prefix: &str, options: IterOptions) -> Self {
        let path = PathBuf::new(normalize(prefix), options.hidden, trie.shared().hash);
        let prefix = Prefix::new(path);
        let end = if options.recursive {
            usize::MAX
        } else {
            prefix.digits + COMPONENT_DIGITS
        };
        Self {
            prefix,
            head: trie.head(),
            end,
            options,
        }
    }

    /// What to ask peers, at the beginning or further on.
    fn question(&self, checkpoint: Option<Vec<u8>>) -> Listing {
        // The reference has an eye for a checkpoint only if the prefix is empty; blocks are named by
        // the checkpoint then, so that the prefix does not matter.
        let prefix = match checkpoint {
            Some(_) => "",
            None => self.prefix.path.get().key(),
        };
        Listing {
            recursive: self.options.recursive,
            reverse: self.options.reverse,
            gt: self.options.gt && checkpoint.is_none(),
            hidden: self.options.hidden,
            checkpoint: checkpoint.map(Into::into),
            ..Listing::new(self.head, prefix)
        }
    }
}

impl Plan for Plain {
    type Frame = Frame;
    type Item = Node;

    fn step(
        &self,
        frame: &mut Frame,
        parts: &mut Vec<Frame>,
        loader: &mut Loader,
    ) -> Result<Step, TrieError> {
        if !frame.lead.load(frame.index, &self.prefix, loader)? {
            return Ok(Step::Wait);
        }
        let Some(node) = frame.lead.node() else {
            return Ok(Step::Split);
        };
        // The node at the prefix itself may be unwanted.
        let first = self.options.gt && frame.index == self.prefix.digits;
        // Digits for which the node has no pointers leave nothing to choose.
        let mut next = node.links().next(frame.index, frame.place);
        if first && next.is_none_or(|(index, ..)| index > frame.index) {
            next = Some((frame.index, Bucket::EMPTY, frame.place));
        }
        let end = self.end.min(node.path().len());
        let Some((index, bucket, place)) = next.filter(|(index, ..)| *index < end) else {
            return Ok(Step::Yield);
        };
        let order = order(self.options.reverse).into_iter();
        let order = order.filter(|digit| !(first && *digit == TERMINATOR));
        if !is_check(index) {
            // One way for each digit, the node's own among them.
            let (own, targets) = (node.path().digit(index), bucket.targets());
            let index = index + 1;
            parts.extend(order.filter_map(|digit| match targets[usize::from(digit)] {
                _ if digit == own => Some(Frame {
                    index,
                    lead: Lead::at(node.clone()),
                    place,
                }),
                0 => None,
                target => Some(Frame::new(index, Lead::to(target, node, digit))),
            }));
            return Ok(Step::Split);
        }
        let mut waiting = false;
        for digit in order {
            let begin = parts.len();
            let leads = Lead::branch(node, (index, bucket), digit);
            let index = index + 1;
            parts.extend(leads.map(|lead| {
                // The node itself goes on behind this bucket.
                let place = if lead.seq == node.seq { place } else { 0 };
                Frame { index, lead, place }
            }));
            let chain = &mut parts[begin..];
            if chain.len() > 1 {
                for frame in &mut *chain {
                    waiting |= !frame.lead.load(index, &self.prefix, loader)?;
                }
                check_names(chain.iter().map(|frame| &frame.lead), index - 1)?;
                chain.sort_by(|a, b| by_key(&b.lead, &a.lead));
            }
        }
        Ok(if waiting { Step::Wait } else { Step::Split })
    }

    fn question(&self, stack: &[Frame]) -> Option<Message> {
        let mut checkpoint = Vec::new();
        for frame in stack {
            put_place(frame.index, &[frame.lead.seq], &mut checkpoint);
        }
        Some(Message::List(self.question(Some(checkpoint))))
    }

    /// Hashes are spread evenly, so parts that begin at the same digit are about the same size, and
    /// those that begin at the next one a quarter of that.
    fn left(&self, base: usize, stack: &[Frame]) -> Option<u64> {
        let size = |frame: &Frame| {
            let digits = u32::try_from(frame.index.saturating_sub(base)).unwrap_or(u32::MAX);
            PART.checked_shr(digits.saturating_mul(2)).unwrap_or(0)
        };
        Some(stack.iter().map(size).fold(0, u64::saturating_add))
    }

    fn base(&self, stack: &[Frame]) -> usize {
        stack.iter().map(|frame| frame.index).min().unwrap_or(0)
    }

    fn item(&self, frame: Frame) -> Option<Node> {
        frame.lead.node().map(|node| node.to_node())
    }
}

/// Compares keys as JavaScript compares strings.
fn by_key(a: &Lead, b: &Lead) -> std::cmp::Ordering {
    let units = |lead: &Lead| {
        lead.node()
            .map(|node| node.path().key().encode_utf16().collect::<Vec<_>>())
    };
    units(a).cmp(&units(b))
}

/// The digits from the last one due to the first.
pub(crate) fn order(reverse: bool) -> [u8; 5] {
    if reverse { REVERSE } else { FORWARD }
}

/// What ends here comes before what goes on.
const FORWARD: [u8; 5] = [3, 2, 1, 0, TERMINATOR];
const REVERSE: [u8; 5] = [TERMINATOR, 0, 1, 2, 3];
