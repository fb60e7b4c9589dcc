use std::fmt;

use crate::node::Stored;

/// Nodes decoded before.
///
/// A node's seq says in which row of the table it stands, so finding it takes a look at one line of
/// memory. Where more want a row than it has places, and where there are too many in all, those that
/// were not asked for lately leave.
pub(crate) struct Cache {
    /// As many as a power of two, or none.
    rows: Vec<Row>,
    nodes: usize,
    bytes: usize,
    max_nodes: usize,
    max_bytes: usize,
    /// The row where the search for what can leave goes on.
    hand: usize,
}

type Row = [Place; PLACES];

#[derive(Clone, Default)]
struct Place {
    node: Option<Stored>,
    /// Whether the node was asked for since somebody wanted its place.
    used: bool,
}

impl Cache {
    pub(crate) fn new(max_nodes: usize, max_bytes: usize) -> Self {
        Self {
            rows: Vec::new(),
            nodes: 0,
            bytes: 0,
            max_nodes,
            max_bytes,
            hand: 0,
        }
    }

    pub(crate) fn get(&mut self, seq: u64) -> Option<Stored> {
        let row = self.row_of(seq)?;
        for place in &mut self.rows[row] {
            if let Some(node) = place.node.as_ref().filter(|node| node.seq == seq) {
                place.used = true;
                return Some(node.clone());
            }
        }
        None
    }

    /// Whether a node is here; that is not to ask for it.
    pub(crate) fn has(&self, seq: u64) -> bool {
        let is_it = |place: &Place| place.node.as_ref().is_some_and(|node| node.seq == seq);
        self.row_of(seq)
            .is_some_and(|row| self.rows[row].iter().any(is_it))
    }

    /// Remembers a node that was read, unless all others that want its row are asked for more, or
    /// it is larger than all that may be kept.
    pub(crate) fn insert(&mut self, node: &Stored) {
        self.put(node, false);
    }

    /// Remembers a node that was written: the next lookup begins there.
    pub(crate) fn insert_new(&mut self, node: &Stored) {
        self.put(node, true);
    }

    /// Whether so many nodes like those that are here would all stay.
    pub(crate) fn has_room_for(&self, nodes: u64) -> bool {
        let nodes = usize::try_from(nodes).unwrap_or(usize::MAX);
        let average = self.bytes.checked_div(self.nodes).unwrap_or(0);
        nodes <= self.max_nodes && nodes.saturating_mul(average) <= self.max_bytes
    }

    /// How many nodes are here, and how many bytes they take.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.nodes, self.bytes)
    }

    fn put(&mut self, node: &Stored, new: bool) {
        if node.size() > self.max_bytes || self.max_nodes == 0 {
            return;
        }
        let Some(place) = self.place_for(node.seq, new) else {
            return;
        };
        self.clear(place);
        self.bytes += node.size();
        self.nodes += 1;
        let node = Some(node.clone());
        self.rows[place.0][place.1] = Place { node, used: new };
        self.shrink(place);
    }

    /// Where a node can stand, by row and place.
    fn place_for(&mut self, seq: u64, new: bool) -> Option<(usize, usize)> {
        if self.rows.is_empty() {
            self.resize(FIRST_ROWS);
        }
        loop {
            let row = self.row_of(seq)?;
            let places = &self.rows[row];
            let free = |place: &Place| place.node.as_ref().is_none_or(|it| it.seq == seq);
            // The node itself may stand behind a free place.
            let own = |place: &Place| place.node.as_ref().is_some_and(|it| it.seq == seq);
            let place = places.iter().position(own);
            if let Some(place) = place.or_else(|| places.iter().position(free)) {
                return Some((row, place));
            }
            if self.may_grow() {
                self.resize(2 * self.rows.len());
                continue;
            }
            let unused = |place: &mut Place| !std::mem::take(&mut place.used);
            let place = self.rows[row].iter_mut().position(unused);
            return Some((row, place.or(new.then_some(0))?));
        }
    }

    /// Lets nodes go until no more are left than there may be. What is at `kept` has just come, and
    /// fits by itself.
    fn shrink(&mut self, kept: (usize, usize)) {
        while self.nodes > self.max_nodes || self.bytes > self.max_bytes {
            self.hand = (self.hand + 1) % self.rows.len();
            for place in 0..PLACES {
                let used = std::mem::take(&mut self.rows[self.hand][place].used);
                if !used && (self.hand, place) != kept {
                    self.clear((self.hand, place));
                }
            }
        }
    }

    fn row_of(&self, seq: u64) -> Option<usize> {
        let mask = (self.rows.len() as u64).checked_sub(1)?;
        usize::try_from(seq & mask).ok()
    }

    fn clear(&mut self, (row, place): (usize, usize)) {
        if let Some(node) = self.rows[row][place].node.take() {
            self.bytes -= node.size();
            self.nodes -= 1;
        }
    }

    /// Whether the table is small for what may be in it, and not too empty.
    fn may_grow(&self) -> bool {
        let places = self.rows.len() * PLACES;
        places < self.max_nodes && places / EMPTIEST < self.nodes
    }

    fn resize(&mut self, rows: usize) {
        let old = std::mem::replace(&mut self.rows, vec![Row::default(); rows]);
        for place in old.into_iter().flatten() {
            let seq = place.node.as_ref().map(|node| node.seq);
            let Some(row) = seq.and_then(|seq| self.row_of(seq)) else {
                continue;
            };
            // Two rows take what one had, so there is a place.
            let mut places = self.rows[row].iter_mut();
            if let Some(free) = places.find(|place| place.node.is_none()) {
                *free = place;
            }
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("nodes", &self.nodes)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Places in a row: what fits in two lines of a processor's cache.
const PLACES: usize = 4;

const FIRST_ROWS: usize = 16;

/// How many places there may be for each node before the table grows because some row is full.
const EMPTIEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NO_LINKS;
    use crate::path::{PathBuf, siphash};

    fn node(seq: u64, value: usize) -> Stored {
        let path = PathBuf::new("key", false, siphash);
        let value = vec![0; value];
        Stored::new(seq, path.get(), Some(&value), 0, NO_LINKS)
    }

    fn held(cache: &Cache) -> Vec<u64> {
        let places = cache.rows.iter().flatten();
        let nodes: Vec<_> = places.filter_map(|place| place.node.as_ref()).collect();
        assert_eq!(nodes.len(), cache.nodes);
        let bytes: usize = nodes.iter().map(|node| node.size()).sum();
        assert_eq!(bytes, cache.bytes);
        let mut held: Vec<_> = nodes.iter().map(|node| node.seq).collect();
        held.sort_unstable();
        held
    }

    #[test]
    fn nodes_that_are_asked_for_stay() {
        let mut cache = Cache::new(3, usize::MAX);
        for seq in 1..=3 {
            cache.insert(&node(seq, 0));
        }
        assert!(cache.get(1).is_some());
        cache.insert(&node(4, 0));
        assert_eq!(held(&cache), [1, 3, 4]);
        assert!(cache.get(2).is_none());
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut cache = Cache::new(100, node(0, 1000).size() * 3);
        for seq in 1..=9 {
            cache.insert(&node(seq, 1000));
        }
        assert_eq!(held(&cache).len(), 3);
        assert!(cache.get(9).is_some(), "what has just come stays");
        // The same node again counts once; one that is too large for the cache is not kept.
        let before = held(&cache);
        cache.insert(&node(9, 1000));
        assert_eq!(held(&cache), before);
        cache.insert(&node(10, 100_000));
        assert_eq!(held(&cache), before);
        cache.insert(&node(11, 1500));
        assert!(held(&cache).len() <= 2 && cache.get(11).is_some());
    }

    #[test]
    fn a_row_that_many_want_is_left_by_what_is_not_asked_for() {
        let mut cache = Cache::new(PLACES * FIRST_ROWS, usize::MAX);
        let seqs: Vec<_> = (0..6).map(|i| 5 + i * FIRST_ROWS as u64).collect();
        for seq in &seqs[..4] {
            cache.insert(&node(*seq, 0));
            assert!(cache.get(*seq).is_some());
        }
        cache.insert(&node(seqs[4], 0));
        assert_eq!(held(&cache), seqs[..4], "all were asked for");
        assert!(cache.get(seqs[0]).is_some());
        cache.insert(&node(seqs[4], 0));
        assert_eq!(held(&cache), [seqs[0], seqs[2], seqs[3], seqs[4]]);
        // What was written comes in at once.
        for seq in held(&cache) {
            assert!(cache.get(seq).is_some());
        }
        cache.insert_new(&node(seqs[5], 0));
        assert!(cache.get(seqs[5]).is_some());
        assert_eq!(held(&cache).len(), 4);
    }

    #[test]
    fn the_table_grows_with_what_is_in_it() {
        // Nodes that all want one row do not make it grow without end.
        let mut cache = Cache::new(100_000, usize::MAX);
        for seq in 0..1000 {
            cache.insert(&node(seq << 32, 0));
        }
        assert!(cache.rows.len() * PLACES <= 2 * EMPTIEST * 1000);
        // Those that lie anywhere between others find a place.
        let mut cache = Cache::new(100_000, usize::MAX);
        for i in 0..1000_u64 {
            cache.insert(&node(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40, 0));
        }
        assert!(held(&cache).len() >= 990, "{}", cache.nodes);
    }

    #[test]
    fn neighbours_find_room_up_to_the_limit() {
        let mut cache = Cache::new(10_000, usize::MAX);
        for seq in 100..10_100 {
            cache.insert(&node(seq, 0));
        }
        assert_eq!(held(&cache).len(), 10_000);
        assert!(cache.has_room_for(10_000) && !cache.has_room_for(10_001));
        let mut none = Cache::new(0, 0);
        none.insert_new(&node(1, 0));
        assert!(none.get(1).is_none());
    }
}
