//! The nodes that a walk knows of: whom to ask next, and when it is over.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use crate::address::{Scope, Subnet};
use crate::wire::Node;
use crate::{CLOSEST_NODES, Distance, Id};

/// Candidates by distance to a target.
#[derive(Debug)]
pub(crate) struct Candidates {
    target: Id,
    /// Nearest first.
    list: Vec<Candidate>,
    asked: BTreeSet<SocketAddrV4>,
    /// Who told us of candidates.
    reporters: Vec<Reporter>,
    /// How many of the nearest are to be asked.
    wanted: usize,
}

#[derive(Debug)]
struct Candidate {
    node: Node,
    distance: Distance,
    state: State,
    depth: u32,
    /// The first to tell of it; `None` for nodes of our own table.
    reporter: Option<usize>,
    /// Whether a second one has, who is then less likely to be lying.
    is_confirmed: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum State {
    New,
    /// Waiting for the answer.
    Asked,
    /// Waiting, for longer than answers usually take: others are asked in its place meanwhile.
    Slow,
    Answered(Option<Vec<u8>>),
    Failed,
}

#[derive(Debug)]
struct Reporter {
    address: SocketAddrV4,
    answered: u32,
    /// Tips that failed, or take so long that they are likely to.
    wrong: u32,
}

/// Whom to ask next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) node: Node,
    /// Who told us of it.
    pub(crate) referrer: Option<SocketAddrV4>,
}

impl Candidates {
    pub(crate) fn new(target: Id) -> Self {
        Self {
            target,
            list: Vec::new(),
            asked: BTreeSet::new(),
            reporters: Vec::new(),
            wanted: CLOSEST_NODES,
        }
    }

    /// Asks only so many of the nearest.
    pub(crate) fn want_only(&mut self, wanted: usize) {
        self.wanted = wanted;
    }

    /// Adds nodes of our own table.
    pub(crate) fn start_with(&mut self, nodes: impl IntoIterator<Item = Node>) {
        for node in nodes {
            self.insert(node, 1, None);
        }
    }

    /// Adds what the node `from` told, which is itself `depth` introductions away.
    pub(crate) fn reported(
        &mut self,
        from: SocketAddrV4,
        depth: u32,
        nodes: impl IntoIterator<Item = Node>,
    ) {
        if self.reporters.len() >= MAX_REPORTERS {
            return;
        }
        let reporter = self.reporters.len();
        self.reporters.push(Reporter {
            address: from,
            answered: 0,
            wrong: 0,
        });
        for node in nodes.into_iter().take(MAX_NODES_PER_REPLY) {
            self.insert(node, depth + 1, Some(reporter));
        }
    }

    fn insert(&mut self, node: Node, depth: u32, reporter: Option<usize>) {
        let distance = node.id.distance(&self.target);
        match self
            .list
            .binary_search_by_key(&distance, |candidate| candidate.distance)
        {
            Ok(at) => {
                let known = &mut self.list[at];
                if known.node.address == node.address && known.reporter != reporter {
                    known.is_confirmed = true;
                }
            }
            Err(at) => {
                if self.asked.contains(&node.address) {
                    return;
                }
                self.list.insert(
                    at,
                    Candidate {
                        node,
                        distance,
                        state: State::New,
                        depth,
                        reporter,
                        is_confirmed: reporter.is_none(),
                    },
                );
                self.make_room();
            }
        }
    }

    /// Keeps the list bounded. What is asked or answered stays, since its answer is still awaited.
    ///
    /// Those who invent nodes beside the target would otherwise push out all that are real: so first
    /// those go that have failed, then those that a liar has told us of, and at last the farthest.
    fn make_room(&mut self) {
        if self.list.len() <= MAX_CANDIDATES {
            return;
        }
        let failed = |it: &Candidate| it.state == State::Failed;
        let doubtful = |it: &Candidate| self.is_doubtful(it);
        let new = |it: &Candidate| it.state == State::New;
        let at = self
            .list
            .iter()
            .rposition(failed)
            .or_else(|| self.list.iter().rposition(doubtful))
            .or_else(|| self.list.iter().rposition(new));
        if let Some(at) = at {
            self.list.remove(at);
        }
    }

    /// The next node to ask, which then counts as asked; `None` if the limits say to wait, or if
    /// there is nobody.
    pub(crate) fn next_step(&mut self) -> Option<Step> {
        let front = self.front();
        let waiting = |state: &State| *state == State::Asked;
        let in_flight = self.list.iter().filter(|it| waiting(&it.state)).count();
        // Until the nearest have answered, others may still be nearer, and asking many would waste
        // most questions. Then everyone who is left can be asked at once.
        let is_near = front
            .iter()
            .take(NEAR)
            .all(|at| matches!(self.list[*at].state, State::Answered(_)));
        let limit = if is_near { self.wanted } else { ALPHA };
        if in_flight >= limit {
            return None;
        }
        let at = front
            .into_iter()
            .find(|at| self.list[*at].state == State::New)?;
        let candidate = &mut self.list[at];
        candidate.state = State::Asked;
        let node = candidate.node;
        let referrer = candidate
            .reporter
            .map(|reporter| self.reporters[reporter].address);
        self.asked.insert(node.address);
        Some(Step { node, referrer })
    }

    /// Whether nobody is left to be asked or waited for.
    pub(crate) fn is_finished(&self) -> bool {
        let front = self.front();
        let answered = |at: &usize| matches!(self.list[*at].state, State::Answered(_));
        let last = front.last().copied().unwrap_or(0);
        let slow = |it: &Candidate| it.state == State::Slow;
        // Whoever is slow may still belong to the nearest, unless that many answered before it.
        let awaited = if front.len() < self.wanted {
            self.list.iter().any(slow)
        } else {
            self.list[..=last].iter().any(slow)
        };
        front.iter().all(answered) && !awaited
    }

    /// A node answered: under the id that was expected, or another one.
    ///
    /// Returns its depth.
    pub(crate) fn answered(
        &mut self,
        expected: Option<Id>,
        shown: Option<Id>,
        address: SocketAddrV4,
        token: Option<&[u8]>,
    ) -> u32 {
        let mut depth = 1;
        if let Some(at) = expected.and_then(|id| self.position(&id)) {
            depth = self.list[at].depth;
            if expected == shown {
                let candidate = &mut self.list[at];
                let was_slow = candidate.state == State::Slow && !candidate.is_confirmed;
                candidate.state = State::Answered(token.map(<[u8]>::to_vec));
                if let Some(reporter) = candidate.reporter {
                    let reporter = &mut self.reporters[reporter];
                    reporter.answered += 1;
                    reporter.wrong = reporter.wrong.saturating_sub(was_slow.into());
                }
                return depth;
            }
            self.failed_at(at);
        }
        self.asked.insert(address);
        if let Some(id) = shown {
            let distance = id.distance(&self.target);
            let at = match self.list.binary_search_by_key(&distance, |it| it.distance) {
                // Somebody else has answered by that name, or is about to.
                Ok(at) if self.list[at].node.address != address => return depth,
                Ok(at) => at,
                Err(at) => {
                    let node = Node { id, address };
                    self.list.insert(
                        at,
                        Candidate {
                            node,
                            distance,
                            state: State::New,
                            depth,
                            reporter: None,
                            is_confirmed: true,
                        },
                    );
                    at
                }
            };
            self.list[at].state = State::Answered(token.map(<[u8]>::to_vec));
            self.make_room();
        }
        depth
    }

    /// A node takes longer than usual.
    pub(crate) fn slow(&mut self, id: &Id) {
        if let Some(at) = self.position(id)
            && self.list[at].state == State::Asked
        {
            self.list[at].state = State::Slow;
            self.blame(at);
        }
    }

    /// A node has not answered.
    pub(crate) fn failed(&mut self, id: &Id) {
        if let Some(at) = self.position(id) {
            self.failed_at(at);
        }
    }

    fn failed_at(&mut self, at: usize) {
        let was_slow = self.list[at].state == State::Slow;
        self.list[at].state = State::Failed;
        if !was_slow {
            self.blame(at);
        }
    }

    /// Notes whose tip was wrong.
    fn blame(&mut self, at: usize) {
        let candidate = &self.list[at];
        if let Some(reporter) = candidate.reporter
            && !candidate.is_confirmed
        {
            self.reporters[reporter].wrong += 1;
        }
    }

    /// The nearest that answered, with their tokens.
    pub(crate) fn closest(&self) -> impl Iterator<Item = (Node, Option<&[u8]>)> {
        self.front()
            .into_iter()
            .filter_map(|at| match &self.list[at] {
                Candidate {
                    node,
                    state: State::Answered(token),
                    ..
                } => Some((*node, token.as_deref())),
                _ => None,
            })
    }

    /// Introductions between our own table and the nearest node that answered.
    pub(crate) fn hops(&self) -> u32 {
        let nearest = self
            .list
            .iter()
            .find(|it| matches!(it.state, State::Answered(_)));
        nearest.map_or(0, |candidate| candidate.depth)
    }

    /// Whether those that answered stand much nearer to the target than chance has it in a network
    /// of that many nodes.
    pub(crate) fn is_crowded(&self, network_size: f64) -> bool {
        let mut answered = self
            .list
            .iter()
            .filter(|it| matches!(it.state, State::Answered(_)));
        let expected = CLOSEST_NODES as f64 / network_size;
        answered
            .nth(CLOSEST_NODES - 1)
            .is_some_and(|it| it.distance.share() < expected * CROWDED)
    }

    /// Looks beyond a crowd: more nodes are asked. `false` if that has been done before.
    pub(crate) fn widen(&mut self) -> bool {
        let is_first = self.wanted == CLOSEST_NODES;
        self.wanted = WIDENED;
        is_first
    }

    fn position(&self, id: &Id) -> Option<usize> {
        let distance = id.distance(&self.target);
        self.list
            .binary_search_by_key(&distance, |candidate| candidate.distance)
            .ok()
    }

    /// The places of those that count: the nearest ones that have not failed and are not slow.
    ///
    /// Those that share a /24 network with nearer ones, and those that only a liar has told us of,
    /// stand behind all others, so that they are asked where nobody else is.
    fn front(&self) -> Vec<usize> {
        let mut front = Vec::with_capacity(self.wanted);
        let mut behind = Vec::new();
        let mut subnets: Vec<Subnet> = Vec::new();
        for (at, candidate) in self.list.iter().enumerate() {
            if front.len() >= self.wanted {
                break;
            }
            if matches!(candidate.state, State::Failed | State::Slow) {
                continue;
            }
            let ip = *candidate.node.address.ip();
            if Scope::of(ip) == Scope::Global {
                let subnet = Subnet::of(ip);
                if subnets.iter().filter(|it| **it == subnet).count() >= MAX_PER_SUBNET {
                    behind.push(at);
                    continue;
                }
                if !self.is_doubtful(candidate) {
                    subnets.push(subnet);
                }
            }
            if self.is_doubtful(candidate) {
                behind.push(at);
            } else {
                front.push(at);
            }
        }
        behind.truncate(self.wanted - front.len());
        front.append(&mut behind);
        front
    }

    /// Whether only one node has told of it, most of whose other tips were wrong.
    fn is_doubtful(&self, candidate: &Candidate) -> bool {
        candidate.state == State::New
            && !candidate.is_confirmed
            && candidate.reporter.is_some_and(|reporter| {
                let reporter = &self.reporters[reporter];
                reporter.wrong >= MAX_WRONG_TIPS && reporter.wrong > reporter.answered
            })
    }
}

/// Questions at once while nearer nodes may turn up.
const ALPHA: usize = 5;

/// When as many of the nearest have answered, nearer ones are not expected any more.
const NEAR: usize = 3;

/// Candidates that are remembered.
const MAX_CANDIDATES: usize = 256;

/// Nodes that are read from one answer.
const MAX_NODES_PER_REPLY: usize = CLOSEST_NODES;

/// Answers whose nodes are read.
const MAX_REPORTERS: usize = 256;

/// Nodes of one /24 network among those that count.
const MAX_PER_SUBNET: usize = 2;

/// Wrong tips after which the others of the same node are doubted.
const MAX_WRONG_TIPS: u32 = 3;

/// How much nearer than expected the nearest must be to be called a crowd. By chance, fewer than one
/// key in a million is.
const CROWDED: f64 = 0.25;

/// Nodes that are asked where there is a crowd.
const WIDENED: usize = 60;
