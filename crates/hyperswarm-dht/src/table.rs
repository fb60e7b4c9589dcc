//! The routing table: nodes that have answered us, more of them the nearer they are.

use std::net::SocketAddrV4;
use std::time::Duration;

use crate::address::{Scope, Subnet, is_limited};
use crate::wire::Node;
use crate::{CLOSEST_NODES, Id, Timestamp};

/// Buckets of nodes by the number of leading bits that they share with us. The last bucket holds all
/// that share as many or more, and is split when it overflows.
#[derive(Debug)]
pub(crate) struct Table {
    own: Id,
    buckets: Vec<Bucket>,
    nodes: usize,
    max_nodes: usize,
}

#[derive(Debug, Default)]
struct Bucket {
    entries: Vec<Entry>,
    /// Nodes that would come in if there were room, the newest last.
    spare: Vec<Node>,
}

#[derive(Debug)]
struct Entry {
    node: Node,
    /// When it last answered.
    heard: Timestamp,
    /// Requests without answer since then.
    failures: u8,
}

/// What became of a node that answered.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    /// It is in the table.
    In,
    /// It is not; if there is a node, check whether that one is still there.
    Out(Option<Node>),
}

impl Table {
    pub(crate) fn new(own: Id, max_nodes: usize) -> Self {
        Self {
            own,
            buckets: vec![Bucket::default()],
            nodes: 0,
            max_nodes,
        }
    }

    /// A node has answered a request of ours, from this very address, with this id.
    pub(crate) fn heard(&mut self, node: Node, now: Timestamp) -> Heard {
        if node.id == self.own {
            return Heard::Out(None);
        }
        loop {
            let index = self.index(&node.id);
            let is_last = index == self.buckets.len() - 1;
            let room = self.nodes < self.max_nodes;
            let can_split = is_last && self.buckets.len() < MAX_BUCKETS;
            let bucket = &mut self.buckets[index];
            bucket.spare.retain(|spare| spare.id != node.id);
            if let Some(entry) = bucket.entries.iter_mut().find(|it| it.node.id == node.id) {
                if entry.node.address == node.address {
                    entry.heard = now;
                    entry.failures = 0;
                    return Heard::In;
                }
                // An id proves nothing. The address that answered before stays until it fails.
                let old = entry.node;
                bucket.keep_spare(node);
                return Heard::Out(Some(old));
            }
            if bucket.entries.len() < CLOSEST_NODES {
                if !room || !bucket.is_diverse_with(node.address) {
                    return Heard::Out(None);
                }
                bucket.entries.push(Entry {
                    node,
                    heard: now,
                    failures: 0,
                });
                self.nodes += 1;
                return Heard::In;
            }
            if can_split {
                self.split();
                continue;
            }
            bucket.keep_spare(node);
            let oldest = bucket.entries.iter().min_by_key(|entry| entry.heard);
            let stale = oldest.filter(|it| now.saturating_since(it.heard) >= RECHECK_AFTER);
            return Heard::Out(stale.map(|entry| entry.node));
        }
    }

    /// Somebody unproven claims to be a node. `true` if it is worth asking.
    pub(crate) fn is_welcome(&mut self, node: Node) -> bool {
        if node.id == self.own {
            return false;
        }
        let index = self.index(&node.id);
        let is_last = index == self.buckets.len() - 1;
        let room = self.nodes < self.max_nodes;
        let bucket = &mut self.buckets[index];
        if bucket.entries.iter().any(|it| it.node.id == node.id) {
            return false;
        }
        if bucket.entries.len() < CLOSEST_NODES || is_last {
            return room && bucket.is_diverse_with(node.address);
        }
        bucket.keep_spare(node);
        false
    }

    /// A node has not answered. Returns one that could take its place, if it lost it.
    pub(crate) fn failed(&mut self, id: &Id, address: SocketAddrV4) -> Option<Node> {
        let index = self.index(id);
        let bucket = &mut self.buckets[index];
        let at = bucket
            .entries
            .iter()
            .position(|it| it.node.id == *id && it.node.address == address)?;
        let entry = &mut bucket.entries[at];
        entry.failures = entry.failures.saturating_add(1);
        // One failure may be the network's; where somebody waits, it is enough.
        if entry.failures < FAILURES && bucket.spare.is_empty() {
            return None;
        }
        bucket.entries.swap_remove(at);
        self.nodes -= 1;
        bucket.spare.pop()
    }

    /// The `count` nodes nearest to `target` that are not known to fail, nearest first.
    pub(crate) fn closest(&self, target: &Id, count: usize) -> Vec<Node> {
        let shared = self.index(target);
        let mut found = Vec::with_capacity(2 * CLOSEST_NODES);
        let take = |found: &mut Vec<Node>, bucket: &Bucket| {
            let healthy = bucket.entries.iter().filter(|entry| entry.failures == 0);
            found.extend(healthy.map(|entry| entry.node));
        };
        // Its own bucket is nearest, then all nearer to us than it, then outwards one by one.
        take(&mut found, &self.buckets[shared]);
        if found.len() < count {
            for bucket in &self.buckets[shared + 1..] {
                take(&mut found, bucket);
            }
        }
        for bucket in self.buckets[..shared].iter().rev() {
            if found.len() >= count {
                break;
            }
            take(&mut found, bucket);
        }
        found.sort_unstable_by_key(|node| node.id.distance(target));
        found.truncate(count);
        found
    }

    /// The nodes that have been silent the longest, for more than `age`.
    pub(crate) fn oldest(&self, now: Timestamp, age: Duration, count: usize) -> Vec<Node> {
        let mut old: Vec<&Entry> = self
            .entries()
            .filter(|entry| now.saturating_since(entry.heard) >= age)
            .collect();
        old.sort_unstable_by_key(|entry| (entry.heard, entry.node.id));
        old.iter().take(count).map(|entry| entry.node).collect()
    }

    /// Whether hardly anybody is known in the part of the space where the target lies, though there
    /// must be some: the parts beyond our own neighbourhood are large.
    pub(crate) fn is_sparse_towards(&self, target: &Id) -> bool {
        let index = self.index(target);
        index + 1 < self.buckets.len() && self.buckets[index].entries.len() < SPARSE
    }

    /// How many leading bits the parts of the space share with us in which hardly anybody is known.
    pub(crate) fn sparse_parts(&self) -> impl Iterator<Item = usize> {
        let far = &self.buckets[..self.buckets.len() - 1];
        far.iter()
            .enumerate()
            .filter(|(_, bucket)| bucket.entries.len() < SPARSE)
            .map(|(bits, _)| bits)
    }

    pub(crate) fn contains_address(&self, address: SocketAddrV4) -> bool {
        self.entries().any(|entry| entry.node.address == address)
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node> {
        self.entries().map(|entry| entry.node)
    }

    /// About how many nodes the network has, judged by how near our nearest ones are. `None` while
    /// too few are known to tell.
    pub(crate) fn network_size(&self) -> Option<f64> {
        let neighbours = self.closest(&self.own, CLOSEST_NODES);
        let farthest = neighbours.last()?;
        if neighbours.len() < CLOSEST_NODES {
            return None;
        }
        Some(neighbours.len() as f64 / farthest.id.distance(&self.own).share())
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.buckets.iter().flat_map(|bucket| &bucket.entries)
    }

    fn index(&self, id: &Id) -> usize {
        let shared = self.own.distance(id).shared_bits() as usize;
        shared.min(self.buckets.len() - 1)
    }

    fn split(&mut self) {
        let bits = self.buckets.len();
        let own = self.own;
        let Some(last) = self.buckets.last_mut() else {
            return;
        };
        let is_nearer = |id: &Id| own.distance(id).shared_bits() as usize >= bits;
        let mut nearer = Bucket::default();
        let entries = std::mem::take(&mut last.entries);
        (nearer.entries, last.entries) = entries
            .into_iter()
            .partition(|entry| is_nearer(&entry.node.id));
        let spare = std::mem::take(&mut last.spare);
        (nearer.spare, last.spare) = spare.into_iter().partition(|node| is_nearer(&node.id));
        self.buckets.push(nearer);
    }
}

impl Bucket {
    fn keep_spare(&mut self, node: Node) {
        self.spare
            .retain(|it| it.id != node.id && it.address != node.address);
        if self.spare.len() >= MAX_SPARE {
            self.spare.remove(0);
        }
        self.spare.push(node);
    }

    /// Whether few enough nodes share the address, and its network. Addresses are what an attacker
    /// has to pay for.
    fn is_diverse_with(&self, address: SocketAddrV4) -> bool {
        let ip = *address.ip();
        if !is_limited(ip) {
            return true;
        }
        let addresses = || self.entries.iter().map(|entry| *entry.node.address.ip());
        if addresses().filter(|it| *it == ip).count() >= MAX_PER_IP {
            return false;
        }
        let subnet = Subnet::of(ip);
        Scope::of(ip) != Scope::Global
            || addresses().filter(|it| Subnet::of(*it) == subnet).count() < MAX_PER_SUBNET
    }
}

/// Nodes of one IP address in a bucket.
const MAX_PER_IP: usize = 2;

/// Nodes of one /24 network in a bucket.
const MAX_PER_SUBNET: usize = 8;

/// Fewer nodes are hardly any.
const SPARSE: usize = 4;

/// Nodes in waiting for a full bucket.
const MAX_SPARE: usize = 4;

/// Requests without answer after which a node is out.
const FAILURES: u8 = 2;

/// Ids share no more bits than they have.
const MAX_BUCKETS: usize = 257;

/// The oldest node of a full bucket is checked when somebody waits and it was silent so long.
const RECHECK_AFTER: Duration = Duration::from_secs(15);
