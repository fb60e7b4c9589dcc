use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::StreamExt;
use hypercore::Download;

use crate::checkpoint::{Places, put_place};
use crate::extension::MAX_HINTS;
use crate::loader::Loader;
use crate::node::Stored;
use crate::path::{DIGITS, PathBuf, is_check, normalize};
use crate::reader::{Found, Reader};
use crate::walk::{Lead, Opening, Plan, Prefix, Step, Walk, check_names};
use crate::{DiffOptions, Node, Trie, TrieError};

/// A key that two versions of a trie have different nodes for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The key.
    pub key: String,
    /// The node in the version that was asked; `None` if the key is absent.
    pub left: Option<Node>,
    /// The node in the version it is compared with; `None` if the key is absent.
    pub right: Option<Node>,
}

impl Change {
    /// Whether both versions hold the same value and flags, in different blocks. A deletion writes
    /// some remaining node again, and storing what is there already makes a new block as well.
    pub fn is_rewrite(&self) -> bool {
        match (&self.left, &self.right) {
            (Some(left), Some(right)) => left.value == right.value && left.flags == right.flags,
            _ => false,
        }
    }
}

/// The keys whose nodes differ between two versions, made by [`Trie::diff`]; a stream as well.
///
/// They come in the order of their paths, siblings in the opposite order of [`Iter`](crate::Iter)'s.
/// Parts that are the same in both versions are not read. Cancel-safe. An error ends the
/// comparison; it can be resumed from its checkpoint.
#[derive(Debug)]
pub struct Diff {
    walk: Walk<Comparison>,
    /// Blocks that are fetched meanwhile.
    _ahead: Option<Download>,
}

/// Parts of both versions that share the digits before `index`.
#[derive(Debug)]
struct Frame {
    index: usize,
    left: Option<Lead>,
    right: Option<Lead>,
}

#[derive(Debug)]
struct Comparison {
    prefix: Prefix,
    options: DiffOptions,
}

impl Diff {
    pub(crate) fn open(trie: &Trie, version: u64, prefix: &str, options: DiffOptions) -> Self {
        let plan = Comparison::new(trie, prefix, options);
        let shared = Arc::clone(trie.shared());
        let heads = (trie.head(), version.saturating_sub(1));
        let prefix = plan.prefix.clone();
        let opening: Opening<Frame> = Box::pin(async move {
            let find = async |head| -> Result<Option<Lead>, TrieError> {
                let mut reader = Reader::new(&shared);
                let Some(head) = reader.load(head).await? else {
                    return Ok(None);
                };
                Ok(
                    match reader.find(head, prefix.path.get(), prefix.digits).await? {
                        Found::At(node) => Some(Lead::at(node)),
                        Found::Stuck(_) => None,
                    },
                )
            };
            let (left, right) = (find(heads.0).await?, find(heads.1).await?);
            Ok(vec![Frame {
                index: prefix.digits,
                left,
                right,
            }])
        });
        let loader = Loader::new(Arc::clone(trie.shared()));
        Self {
            _ahead: plan.ahead(trie, heads),
            walk: Walk::open(plan, loader, options.prefetch, opening),
        }
    }

    pub(crate) fn resume(
        trie: &Trie,
        version: u64,
        prefix: &str,
        options: DiffOptions,
        checkpoint: &[u8],
    ) -> Result<Self, TrieError> {
        let plan = Comparison::new(trie, prefix, options);
        let newest = trie.version().max(version);
        let mut places = Places::new(checkpoint, newest, plan.prefix.digits);
        let mut stack = Vec::new();
        while let Some(index) = places.index()? {
            let mut side = || -> Result<Option<Lead>, TrieError> {
                Ok(Some(places.seq()?)
                    .filter(|seq| *seq > 0)
                    .map(Lead::resumed))
            };
            stack.push(Frame {
                index,
                left: side()?,
                right: side()?,
            });
        }
        let loader = Loader::new(Arc::clone(trie.shared()));
        Ok(Self {
            _ahead: None,
            walk: Walk::resume(plan, loader, options.prefetch, stack),
        })
    }

    /// The next change; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Change>, TrieError> {
        StreamExt::next(self).await.transpose()
    }

    /// Where the comparison stands, for [`Trie::resume_diff`]. `None` before the first change.
    pub fn checkpoint(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for frame in self.walk.stack()? {
            let seq = |lead: &Option<Lead>| lead.as_ref().map_or(0, |lead| lead.seq);
            put_place(
                frame.index,
                &[seq(&frame.left), seq(&frame.right)],
                &mut bytes,
            );
        }
        Some(bytes)
    }
}

impl Stream for Diff {
    type Item = Result<Change, TrieError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().walk.poll_next(cx)
    }
}

impl Comparison {
    fn new(trie: &Trie, prefix: &str, options: DiffOptions) -> Self {
        let path = PathBuf::new(normalize(prefix), options.hidden, trie.shared().hash);
        Self {
            prefix: Prefix::new(path),
            options,
        }
    }

    /// Begins to fetch what the newer version has and the older one has not: all of that was written
    /// between the two. So it need not be found node by node, each a round trip from the one before.
    /// Nothing can be asked for: the wire extension has no message for comparisons.
    ///
    /// Only where little else can be among it: everything is compared, and all that is fetched for
    /// nothing is what was written over meanwhile.
    fn ahead(&self, trie: &Trie, (left, right): (u64, u64)) -> Option<Download> {
        let (old, new) = (left.min(right), left.max(right));
        // Nothing is known of what lies between when there is no older version: that is a listing.
        let all = self.prefix.path.get().key_bytes().is_empty() && old > 0;
        let feed = trie.feed();
        let written = old + 1..(new + 1).min(feed.length());
        let few = written.end.saturating_sub(written.start) <= MAX_HINTS as u64;
        let all = all && !self.options.stored_right;
        (all && few && !feed.has_range(written.clone())).then(|| feed.download(written))
    }

    /// Whether there is nothing to find in a part.
    fn is_settled(&self, frame: &Frame) -> bool {
        match (&frame.left, &frame.right) {
            (None, None) => true,
            (Some(left), Some(right)) => left.seq == right.seq,
            (Some(_), None) => self.options.skip_right_null,
            (None, Some(_)) => self.options.skip_left_null,
        }
    }

    /// Whether a part is passed over because its right side is not stored here.
    fn is_elsewhere(&self, frame: &Frame, loader: &Loader) -> bool {
        let right = frame.right.as_ref().filter(|_| self.options.stored_right);
        right.is_some_and(|right| !right.is_known() && !loader.has(right.seq))
    }

    /// Splits parts at digit `index`, the last one being due first.
    fn split(
        &self,
        index: usize,
        left: Option<&Stored>,
        right: Option<&Stored>,
        parts: &mut Vec<Frame>,
        loader: &mut Loader,
    ) -> Result<Step, TrieError> {
        let mut waiting = false;
        let sides = [left, right].map(|node| Some((node?, (index, node?.links().bucket(index)))));
        for digit in 0..DIGITS {
            let branches = sides.map(|side| -> Vec<Lead> {
                let leads = side.map(|(node, bucket)| Lead::branch(node, bucket, digit));
                leads.into_iter().flatten().collect()
            });
            let [mut lefts, mut rights] = branches;
            // What both sides share is equal from here on.
            let shared: Vec<_> = lefts.iter().map(|lead| lead.seq).collect();
            lefts.retain(|lead| rights.iter().all(|other| other.seq != lead.seq));
            rights.retain(|lead| !shared.contains(&lead.seq));
            if rights.is_empty() && self.options.skip_right_null {
                lefts.clear();
            }
            if lefts.is_empty() && self.options.skip_left_null {
                rights.clear();
            }
            if self.options.stored_right {
                rights.retain(|lead| lead.is_known() || loader.has(lead.seq));
                if rights.is_empty() {
                    continue;
                }
            }
            let index = index + 1;
            if is_check(index - 1) && lefts.len() + rights.len() > 1 {
                for lead in lefts.iter_mut().chain(&mut rights) {
                    waiting |= !lead.load(index, &self.prefix, loader)?;
                }
                if !waiting {
                    check_names(lefts.iter(), index - 1)?;
                    check_names(rights.iter(), index - 1)?;
                    pair_by_name(index, lefts, rights, parts);
                }
            } else if !lefts.is_empty() || !rights.is_empty() {
                parts.push(Frame {
                    index,
                    left: lefts.pop(),
                    right: rights.pop(),
                });
            }
        }
        Ok(if waiting { Step::Wait } else { Step::Split })
    }
}

impl Plan for Comparison {
    type Frame = Frame;
    type Item = Change;

    // Who compares wants all that differs, which mostly is little.
    const FIRST_PREFETCH: usize = 64;

    fn step(
        &self,
        frame: &mut Frame,
        parts: &mut Vec<Frame>,
        loader: &mut Loader,
    ) -> Result<Step, TrieError> {
        let index = frame.index;
        if self.is_settled(frame) || self.is_elsewhere(frame, loader) {
            return Ok(Step::Split);
        }
        let mut waiting = false;
        for side in [&mut frame.left, &mut frame.right] {
            if let Some(lead) = side {
                waiting |= !lead.load(index, &self.prefix, loader)?;
                side.take_if(|lead| lead.is_empty());
            }
        }
        if self.is_settled(frame) {
            return Ok(Step::Split);
        }
        if waiting {
            return Ok(Step::Wait);
        }
        let left = frame.left.as_ref().and_then(Lead::node);
        let right = frame.right.as_ref().and_then(Lead::node);
        let parting = match (left, right) {
            (Some(left), Some(right)) => left.path().divergence(right.path(), index),
            _ => None,
        };
        // Digits at which neither side has a choice and both go the same way need no frame.
        let choice = [left, right].into_iter().flatten();
        let choice = choice.filter_map(|node| node.links().from(index).next());
        let next = choice.map(|(index, _)| index).chain(parting).min();
        match next {
            Some(index) => self.split(index, left, right, parts, loader),
            None => Ok(Step::Yield),
        }
    }

    fn item(&self, frame: Frame) -> Option<Change> {
        let node = |lead: Option<Lead>| Some(lead?.node()?.to_node());
        let (left, right) = (node(frame.left), node(frame.right));
        let key = left.as_ref().or(right.as_ref())?.key.clone();
        Some(Change { key, left, right })
    }
}

/// Pairs the sides of colliding components by the names of these. The reference pairs them by their
/// place in the bucket and then swaps until the names fit, which may never end.
fn pair_by_name(index: usize, lefts: Vec<Lead>, mut rights: Vec<Lead>, frames: &mut Vec<Frame>) {
    for left in lefts {
        let partner = left.node().and_then(|node| {
            rights.iter().position(|right| {
                right
                    .node()
                    .is_some_and(|right| !right.path().collides(node.path(), index - 1))
            })
        });
        let right = partner.map(|position| rights.remove(position));
        frames.push(Frame {
            index,
            left: Some(left),
            right,
        });
    }
    let unpaired = rights.into_iter();
    frames.extend(unpaired.map(|right| Frame {
        index,
        left: None,
        right: Some(right),
    }));
}
