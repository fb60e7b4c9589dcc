use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_util::StreamExt;

use crate::loader::Loader;
use crate::node::Stored;
use crate::path::{COMPONENT_DIGITS, Path, TERMINATOR, is_check, normalize};
use crate::reader::{Found, Reader, placed};
use crate::{IterOptions, Node, NodeError, Trie, TrieError};

/// The nodes at and under a prefix, made by [`Trie::iter`]; a stream as well.
///
/// They come in the order of their paths: a node before those under it, and siblings by the hash of
/// their names. Cancel-safe; the iterator can go on after an error that passes.
pub struct Iter {
    opening: Option<Opening>,
    /// What is left, the next one on top.
    stack: Vec<Frame>,
    loader: Loader,
    prefix: Path,
    /// The first digit below the prefix.
    start: usize,
    /// The digit at which every node is yielded, whatever is below it.
    end: usize,
    options: IterOptions,
}

type Opening = BoxFuture<'static, Result<Option<Arc<Stored>>, TrieError>>;

/// A part of the trie: all that agrees with one node on the digits before `index`.
#[derive(Clone)]
struct Frame {
    index: usize,
    seq: u64,
    node: Option<Arc<Stored>>,
    /// The node that points here, and the value of the last digit before `index`.
    origin: Option<(Arc<Stored>, u8)>,
}

/// What is to be done with a frame whose node is here.
enum Step {
    /// Nothing else is in it.
    Yield,
    /// It consists of these, the first one on top.
    Split(Vec<Frame>),
    /// Other blocks are needed to tell, and were asked for.
    Wait,
}

impl Iter {
    pub(crate) fn open(trie: &Trie, prefix: &str, options: IterOptions) -> Self {
        let shared = Arc::clone(trie.shared());
        let prefix = Path::new(normalize(prefix), options.hidden, shared.hash);
        let start = prefix.len() - 1;
        let end = if options.recursive {
            usize::MAX
        } else {
            start + COMPONENT_DIGITS
        };
        let loader = Loader::new(Arc::clone(&shared));
        let (path, head) = (prefix.clone(), trie.head());
        let opening = async move {
            let mut reader = Reader::new(&shared);
            let Some(head) = reader.load(head).await? else {
                return Ok(None);
            };
            Ok(match reader.find(head, &path, start).await? {
                Found::At(node) => Some(node),
                Found::Stuck(_) => None,
            })
        };
        let opening: Opening = Box::pin(opening);
        let opening = Some(opening);
        Self {
            opening,
            stack: Vec::new(),
            loader,
            prefix,
            start,
            end,
            options,
        }
    }

    /// The next node; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Node>, TrieError> {
        StreamExt::next(self).await.transpose()
    }

    fn poll_node(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Node>, TrieError>> {
        if let Some(opening) = &mut self.opening {
            let found = ready!(opening.as_mut().poll(cx));
            self.opening = None;
            if let Some(node) = found? {
                let (index, seq) = (self.start, node.seq);
                self.stack.push(Frame {
                    index,
                    seq,
                    node: Some(node),
                    origin: None,
                });
            }
        }
        while let Some(top) = self.stack.len().checked_sub(1) {
            match self.step(top)? {
                Some(Step::Yield) => {
                    let node = self.stack.pop().and_then(|frame| frame.node);
                    return Poll::Ready(Ok(node.map(|node| node.to_node())));
                }
                Some(Step::Split(frames)) => {
                    self.stack.truncate(top);
                    self.stack.extend(frames.into_iter().rev());
                }
                Some(Step::Wait) | None => {
                    self.look_ahead()?;
                    ready!(self.loader.poll(cx))?;
                }
            }
        }
        Poll::Ready(Ok(None))
    }

    /// What to do with a frame; `None` if its block was asked for.
    fn step(&mut self, position: usize) -> Result<Option<Step>, TrieError> {
        let frame = &mut self.stack[position];
        if !load(&mut self.loader, &self.prefix, self.start, frame)? {
            return Ok(None);
        }
        let frame = &self.stack[position];
        let Some(node) = &frame.node else {
            return Ok(Some(Step::Split(Vec::new())));
        };
        let end = self.end.min(node.path.len());
        // Digits for which the node has no pointers leave nothing to choose, except that the node
        // at the prefix itself may be unwanted.
        let next = if self.options.gt && frame.index == self.start {
            Some(self.start)
        } else {
            node.links.from(frame.index).next().map(|(index, _)| index)
        };
        let Some(index) = next.filter(|index| *index < end) else {
            return Ok(Some(Step::Yield));
        };
        let node = Arc::clone(node);
        self.split(&node, index).map(Some)
    }

    /// Splits what agrees with `node` before `index` by the digit there.
    fn split(&mut self, node: &Arc<Stored>, index: usize) -> Result<Step, TrieError> {
        let bucket = node.links.bucket(index);
        let order = if self.options.reverse {
            REVERSE
        } else {
            FORWARD
        };
        let mut frames = Vec::new();
        let mut waiting = false;
        for digit in order {
            if digit == TERMINATOR && self.options.gt && index == self.start {
                continue;
            }
            let begin = frames.len();
            if node.path.digit(index) == digit {
                let (seq, node) = (node.seq, Some(Arc::clone(node)));
                frames.push(Frame {
                    index: index + 1,
                    seq,
                    node,
                    origin: None,
                });
            }
            frames.extend(bucket.chain(digit).map(|seq| {
                let origin = Some((Arc::clone(node), digit));
                Frame {
                    index: index + 1,
                    seq,
                    node: None,
                    origin,
                }
            }));
            let chain = &mut frames[begin..];
            if chain.len() > 1 {
                for frame in &mut *chain {
                    waiting |= !load(&mut self.loader, &self.prefix, self.start, frame)?;
                }
                if !waiting {
                    sort_chain(chain, index)?;
                }
            }
        }
        Ok(if waiting {
            Step::Wait
        } else {
            Step::Split(frames)
        })
    }

    /// Asks for the blocks that will be needed next, and takes apart what has arrived of them.
    fn look_ahead(&mut self) -> Result<(), TrieError> {
        let mut budget = self.options.prefetch * LOOK_AHEAD;
        let mut position = self.stack.len();
        while position > 0 && budget > 0 && self.loader.in_flight() < self.options.prefetch {
            position -= 1;
            budget -= 1;
            if let Some(Step::Split(frames)) = self.step(position)? {
                let count = frames.len();
                self.stack
                    .splice(position..=position, frames.into_iter().rev());
                position += count;
            }
        }
        Ok(())
    }
}

impl Stream for Iter {
    type Item = Result<Node, TrieError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_node(cx).map(Result::transpose)
    }
}

impl fmt::Debug for Iter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter")
            .field("prefix", &self.prefix)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Sees to it that a frame's node is here; asks for it and gives false if it is not. A node that
/// stands for an empty trie leaves the frame without one.
fn load(
    loader: &mut Loader,
    prefix: &Path,
    start: usize,
    frame: &mut Frame,
) -> Result<bool, TrieError> {
    if frame.node.is_some() {
        return Ok(true);
    }
    let Some(node) = loader.get(frame.seq)? else {
        loader.request(frame.seq);
        return Ok(false);
    };
    if node.is_reset() {
        return Ok(true);
    }
    frame.node = Some(match &frame.origin {
        Some((origin, digit)) => {
            let node = placed(node, &origin.path, frame.index - 1)?;
            if node.path.digit(frame.index - 1) != *digit {
                return Err(TrieError::Corrupt {
                    seq: node.seq,
                    source: NodeError::Misplaced,
                });
            }
            node
        }
        None => placed(node, prefix, start)?,
    });
    frame.origin = None;
    Ok(true)
}

/// Sorts nodes whose component ending at `index` has the same hash by their keys. Each must have
/// another name there, or a forged trie could show the same keys over and over.
fn sort_chain(chain: &mut [Frame], index: usize) -> Result<(), TrieError> {
    chain.sort_by(|a, b| {
        let (a, b) = (key_of(a), key_of(b));
        // As JavaScript compares strings.
        a.encode_utf16().cmp(b.encode_utf16())
    });
    for (position, frame) in chain.iter().enumerate() {
        let Some(node) = &frame.node else { continue };
        let twin = chain[..position]
            .iter()
            .filter_map(|other| other.node.as_ref());
        if !is_check(index)
            || !twin
                .into_iter()
                .all(|other| other.path.collides(&node.path, index))
        {
            return Err(TrieError::Corrupt {
                seq: node.seq,
                source: NodeError::Misplaced,
            });
        }
    }
    Ok(())
}

fn key_of(frame: &Frame) -> &str {
    frame.node.as_ref().map_or("", |node| node.path.key())
}

/// The order of digits, the terminator first: what ends here comes before what goes on.
const FORWARD: [u8; 5] = [TERMINATOR, 0, 1, 2, 3];
const REVERSE: [u8; 5] = [3, 2, 1, 0, TERMINATOR];

/// How many parts of the walk are kept ready for each block in flight.
const LOOK_AHEAD: usize = 4;
