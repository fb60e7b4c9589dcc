use std::fmt;

/// Place of a node in the flat in-order numbering of a log's tree.
///
/// Leaves sit at even numbers (the leaf of block *n* is 2*n*), their parents between them, so that
/// the numbers of existing nodes never change while the log grows.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeIndex(u64);

impl NodeIndex {
    /// The largest index that every implementation can express: Node counts in doubles.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The node of that number, or `None` above [`NodeIndex::MAX`].
    pub const fn new(index: u64) -> Option<Self> {
        if index <= Self::MAX.0 {
            Some(Self(index))
        } else {
            None
        }
    }

    /// The leaf that commits to a block, or `None` if no implementation could express it.
    pub const fn of_block(block: u64) -> Option<Self> {
        if block <= Self::MAX.0 / 2 {
            Some(Self(block * 2))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The block that a leaf commits to; `None` for inner nodes.
    pub const fn block(self) -> Option<u64> {
        if self.0.is_multiple_of(2) {
            Some(self.0 / 2)
        } else {
            None
        }
    }

    /// How many levels of nodes are below this one: 0 for leaves.
    pub fn depth(self) -> u32 {
        self.0.trailing_ones()
    }

    /// How many nodes of the same depth are left of this one.
    pub fn offset(self) -> u64 {
        flat_tree::offset(self.0)
    }

    /// The node above.
    pub fn parent(self) -> Self {
        Self(flat_tree::parent(self.0))
    }

    /// The other child of the parent.
    pub fn sibling(self) -> Self {
        Self(flat_tree::sibling(self.0))
    }

    /// The child on the left; `None` for leaves.
    pub fn left_child(self) -> Option<Self> {
        flat_tree::left_child(self.0).map(Self)
    }

    /// The child on the right; `None` for leaves.
    pub fn right_child(self) -> Option<Self> {
        flat_tree::right_child(self.0).map(Self)
    }

    /// The leftmost leaf below, or the leaf itself.
    pub fn left_span(self) -> Self {
        Self(flat_tree::left_span(self.0))
    }

    /// The rightmost leaf below, or the leaf itself.
    pub fn right_span(self) -> Self {
        Self(flat_tree::right_span(self.0))
    }

    /// The number of nodes in the subtree of which this is the top.
    pub fn count(self) -> u64 {
        flat_tree::count(self.0)
    }

    /// The blocks below.
    pub fn blocks(self) -> std::ops::Range<u64> {
        self.left_span().0 / 2..self.right_span().0 / 2 + 1
    }

    /// The node of a depth that has `offset` nodes of its depth to its left.
    pub(crate) fn at(depth: u32, offset: u64) -> Self {
        Self(flat_tree::index(u64::from(depth), offset))
    }

    /// The leaf of a block that is known to be in range.
    pub(crate) fn leaf(block: u64) -> Self {
        debug_assert!(block <= Self::MAX.0 / 2);
        Self(block * 2)
    }

    /// Wraps a number that came out of arithmetic on valid ones.
    pub(crate) const fn raw(index: u64) -> Self {
        Self(index)
    }
}

impl fmt::Display for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The roots of a log of `length` blocks: the full subtrees that cover it, left to right.
///
/// There is one for each set bit of the length. (The `flat-tree` package answers the same question
/// by pushing on a vector and panics on odd input; this costs nothing to ask.)
pub fn roots(length: u64) -> Roots {
    Roots {
        rest: length,
        start: 0,
    }
}

/// The iterator made by [`roots`].
#[derive(Clone, Debug)]
pub struct Roots {
    rest: u64,
    start: u64,
}

impl Iterator for Roots {
    type Item = NodeIndex;

    fn next(&mut self) -> Option<NodeIndex> {
        let blocks = 1 << self.rest.checked_ilog2()?;
        let root = NodeIndex(2 * self.start + blocks - 1);
        self.rest -= blocks;
        self.start += blocks;
        Some(root)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.rest.count_ones() as usize;
        (count, Some(count))
    }
}

impl ExactSizeIterator for Roots {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(length: u64, expected: &[u64]) {
        let found: Vec<u64> = roots(length).map(NodeIndex::get).collect();
        assert_eq!(found, expected);
        assert_eq!(roots(length).len(), expected.len());
        let mut theirs = Vec::new();
        flat_tree::full_roots(length * 2, &mut theirs);
        assert_eq!(found, theirs);
    }

    #[test]
    fn roots_of_small_and_large_lengths() {
        check(0, &[]);
        check(1, &[0]);
        check(5, &[3, 8]);
        check(6, &[3, 9]);
        check(7, &[3, 9, 12]);
        check(33, &[31, 64]);
        check(1 << 40, &[(1 << 40) - 1]);
    }

    #[test]
    fn indexes_beyond_a_double_are_refused() {
        assert!(NodeIndex::new((1 << 53) - 1).is_some());
        assert!(NodeIndex::new(1 << 53).is_none());
        assert!(NodeIndex::of_block((1 << 52) - 1).is_some());
        assert!(NodeIndex::of_block(1 << 52).is_none());
        assert!(NodeIndex::of_block(u64::MAX).is_none());
    }
}
