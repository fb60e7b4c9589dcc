use std::fmt;
use std::task::{Context, Poll, ready};

use futures_core::future::BoxFuture;

use crate::extension::Message;
use crate::links::Bucket;
use crate::loader::Loader;
use crate::node::Stored;
use crate::path::PathBuf;
use crate::reader::placed;
use crate::{NodeError, TrieError};

/// A depth-first walk over parts of one or two tries.
///
/// The parts that are left lie on a stack in the order in which they are due, so a part further
/// down can be taken apart in its place while the one on top waits for a block: the order stays.
pub(crate) struct Walk<P: Plan> {
    opening: Option<Opening<P::Frame>>,
    /// What is left, the next one on top.
    stack: Vec<P::Frame>,
    /// What the part being looked at consists of; empty in between.
    parts: Vec<P::Frame>,
    loader: Loader,
    plan: P,
    /// The most blocks to have in flight.
    prefetch: usize,
    items: usize,
    /// How much was left after the first item, and by what measure.
    at_first: Option<(usize, u64)>,
    /// Set by an error, which is the last thing that a walk comes up with.
    failed: bool,
}

/// Finds the first frames of a walk.
pub(crate) type Opening<F> = BoxFuture<'static, Result<Vec<F>, TrieError>>;

/// What a walk does with its parts.
pub(crate) trait Plan {
    /// A part of the walk that is left.
    type Frame;
    /// What the walk comes up with.
    type Item;

    /// How many blocks the walk has in flight at most before its first item.
    const FIRST_PREFETCH: usize = 8;

    /// Decides about a part; asks for the blocks it lacks. What it consists of goes into `parts`, the
    /// last one being due first.
    fn step(
        &self,
        frame: &mut Self::Frame,
        parts: &mut Vec<Self::Frame>,
        loader: &mut Loader,
    ) -> Result<Step, TrieError>;

    /// What to ask peers when blocks are missing, where there is anything to ask.
    fn question(&self, _stack: &[Self::Frame]) -> Option<Message> {
        None
    }

    /// How much is left, where parts can be measured against each other: in parts of which those that
    /// begin at the digit `base` are [`PART`].
    fn left(&self, _base: usize, _stack: &[Self::Frame]) -> Option<u64> {
        None
    }

    /// The first digit at which a part begins.
    fn base(&self, _stack: &[Self::Frame]) -> usize {
        0
    }

    /// What a part comes to whose step was [`Step::Yield`].
    fn item(&self, frame: Self::Frame) -> Option<Self::Item>;
}

/// What is to be done with a part of a walk.
pub(crate) enum Step {
    /// It is an item.
    Yield,
    /// It consists of the parts given, if any.
    Split,
    /// Blocks are needed to tell, and were asked for.
    Wait,
}

impl<P: Plan> Walk<P> {
    pub(crate) fn open(
        plan: P,
        loader: Loader,
        prefetch: usize,
        opening: Opening<P::Frame>,
    ) -> Self {
        Self {
            opening: Some(opening),
            ..Self::resume(plan, loader, prefetch, Vec::new())
        }
    }

    pub(crate) fn resume(plan: P, loader: Loader, prefetch: usize, stack: Vec<P::Frame>) -> Self {
        Self {
            opening: None,
            stack,
            parts: Vec::new(),
            loader,
            plan,
            prefetch,
            items: 0,
            at_first: None,
            failed: false,
        }
    }

    /// What is left, or `None` before the first item.
    pub(crate) fn stack(&self) -> Option<&[P::Frame]> {
        self.opening.is_none().then_some(&self.stack)
    }

    /// The next item; `None` at the end and after an error.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<P::Item, TrieError>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_item(cx));
        self.failed = item.is_err();
        Poll::Ready(item.transpose())
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<P::Item>, TrieError>> {
        if let Some(opening) = &mut self.opening {
            let frames = ready!(opening.as_mut().poll(cx));
            self.opening = None;
            self.stack = frames?;
        }
        while let Some(top) = self.stack.last_mut() {
            self.parts.clear();
            match self.plan.step(top, &mut self.parts, &mut self.loader)? {
                Step::Yield => {
                    let item = self.stack.pop().and_then(|frame| self.plan.item(frame));
                    if item.is_some() {
                        self.items += 1;
                        self.look_at_the_end();
                        return Poll::Ready(Ok(item));
                    }
                }
                Step::Split => {
                    self.stack.pop();
                    self.stack.append(&mut self.parts);
                }
                Step::Wait => {
                    let (plan, stack) = (&self.plan, &self.stack);
                    self.loader.ask(|| plan.question(stack));
                    self.look_ahead()?;
                    ready!(self.loader.poll(cx))?;
                }
            }
        }
        Poll::Ready(Ok(None))
    }

    /// Now and then, sees how many items there will be, and prepares for that.
    fn look_at_the_end(&mut self) {
        if self.items == 1 {
            let base = self.plan.base(&self.stack);
            let left = self.plan.left(base, &self.stack);
            self.at_first = left.map(|left| (base, left));
        }
        if self.items < FIRST_ESTIMATE || !self.items.is_power_of_two() {
            return;
        }
        let Some((base, at_first)) = self.at_first else {
            return;
        };
        let left = self.plan.left(base, &self.stack).unwrap_or(0);
        let done = at_first.saturating_sub(left).max(1);
        let taken = self.items as u64;
        let rest = u128::from(taken) * u128::from(left) / u128::from(done);
        let rest = u64::try_from(rest).unwrap_or(u64::MAX);
        self.loader.expect(taken.saturating_add(rest), taken);
    }

    /// Asks for blocks that will be needed soon, and takes apart what has arrived of them.
    fn look_ahead(&mut self) -> Result<(), TrieError> {
        // Who has taken little may want little more.
        let prefetch = self.prefetch.min(P::FIRST_PREFETCH + 2 * self.items);
        let mut budget = prefetch.saturating_mul(LOOK_AHEAD);
        let mut position = self.stack.len();
        while position > 0 && budget > 0 && self.loader.in_flight() < prefetch {
            position -= 1;
            budget -= 1;
            self.parts.clear();
            let part = &mut self.stack[position];
            let step = self.plan.step(part, &mut self.parts, &mut self.loader)?;
            if let Step::Split = step {
                let count = self.parts.len();
                self.stack.splice(position..=position, self.parts.drain(..));
                position += count;
            }
        }
        Ok(())
    }
}

impl<P: Plan + fmt::Debug> fmt::Debug for Walk<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk")
            .field("plan", &self.plan)
            .field("left", &self.stack.len())
            .field("loader", &self.loader)
            .finish_non_exhaustive()
    }
}

/// A pointer that a walk came upon, and the node at its end once that is here.
#[derive(Clone, Debug)]
pub(crate) struct Lead {
    pub(crate) seq: u64,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Not looked at. With the node that points here and the digit it promises, unless the lead
    /// comes from a checkpoint.
    Unknown(Option<(Stored, u8)>),
    Here(Stored),
    /// The node stands for an empty trie.
    Empty,
}

impl Lead {
    /// The walk stands at this node.
    pub(crate) fn at(node: Stored) -> Self {
        Self {
            seq: node.seq,
            state: State::Here(node),
        }
    }

    /// A pointer of `origin` for the value `digit` of a digit.
    pub(crate) fn to(seq: u64, origin: &Stored, digit: u8) -> Self {
        Self {
            seq,
            state: State::Unknown(Some((origin.clone(), digit))),
        }
    }

    /// A place that a checkpoint names.
    pub(crate) fn resumed(seq: u64) -> Self {
        Self {
            seq,
            state: State::Unknown(None),
        }
    }

    /// Sees to it that the node is here, or asks for it and gives false. `index` is the digit that
    /// the walk goes on with, `prefix` what it is confined to.
    ///
    /// Nodes are held to what the pointer promised. So a forged trie can neither show keys from
    /// outside the prefix nor lead to one node along two ways: a walk ends after as many steps as
    /// there are blocks.
    pub(crate) fn load(
        &mut self,
        index: usize,
        prefix: &Prefix,
        loader: &mut Loader,
    ) -> Result<bool, TrieError> {
        let State::Unknown(origin) = &self.state else {
            return Ok(true);
        };
        let Some(node) = loader.get(self.seq)? else {
            loader.request(self.seq);
            return Ok(false);
        };
        self.state = if node.is_reset() {
            State::Empty
        } else if let Some((origin, digit)) = origin {
            let node = placed(node, origin.path(), index - 1)?;
            if node.path().digit(index - 1) != *digit {
                return Err(TrieError::Corrupt {
                    seq: node.seq,
                    source: NodeError::Misplaced,
                });
            }
            State::Here(node)
        } else {
            State::Here(placed(node, prefix.path.get(), prefix.digits)?)
        };
        Ok(true)
    }

    /// The node, once loaded; `None` if it stands for an empty trie.
    pub(crate) fn node(&self) -> Option<&Stored> {
        match &self.state {
            State::Here(node) => Some(node),
            State::Unknown(_) | State::Empty => None,
        }
    }

    /// Whether the node was looked at.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self.state, State::Unknown(_))
    }

    /// Whether the node turned out to stand for an empty trie.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.state, State::Empty)
    }

    /// All leads from `node` for the value `digit` of digit `index`: itself, if it has that value,
    /// then its pointers in `bucket`, which is the one of that digit.
    pub(crate) fn branch<'a>(
        node: &'a Stored,
        (index, bucket): (usize, Bucket<'a>),
        digit: u8,
    ) -> impl Iterator<Item = Self> + 'a {
        let own = (node.path().digit(index) == digit).then(|| Self::at(node.clone()));
        let others = bucket
            .chain(digit)
            .map(move |seq| Self::to(seq, node, digit));
        own.into_iter().chain(others)
    }
}

/// What a walk is confined to.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    pub(crate) path: PathBuf,
    /// How many digits all keys at and under the prefix share.
    pub(crate) digits: usize,
}

impl Prefix {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            digits: path.get().len() - 1,
            path,
        }
    }
}

/// Checks that nodes whose component ending at digit `index` has the same hash have different
/// names there. Otherwise a forged trie could show the same keys over and over.
pub(crate) fn check_names<'a>(
    leads: impl Iterator<Item = &'a Lead> + Clone,
    index: usize,
) -> Result<(), TrieError> {
    for (position, lead) in leads.clone().enumerate() {
        let Some(node) = lead.node() else { continue };
        let mut others = leads.clone().take(position).filter_map(Lead::node);
        if others.any(|other| !other.path().collides(node.path(), index)) {
            return Err(TrieError::Corrupt {
                seq: node.seq,
                source: NodeError::Misplaced,
            });
        }
    }
    Ok(())
}

/// How many parts of a walk are looked at for each block that may be in flight.
const LOOK_AHEAD: usize = 4;

/// The size of a part of a walk that others are measured by.
pub(crate) const PART: u64 = 1 << 40;

/// After how many items it shows how many there will be.
const FIRST_ESTIMATE: usize = 128;
