use crate::NodeError;
use crate::path::DIGITS;

/// The pointers of a node: for each digit of its path, where the other values of that digit lead.
///
/// They stay as they are stored, and are decoded as they are looked at: a walk needs few of them,
/// and the row of them is short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links<'a> {
    /// The buckets, without the number that is stored before them.
    buckets: &'a [u8],
}

/// The pointers of one digit. Slot *j* leads to digit *j* mod 5; slots from 5 on are the overflow
/// for components that have the same hash and other names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket<'a> {
    /// Bit *j* is set if slot *j* holds a pointer.
    slots: u32,
    targets: &'a [u8],
}

impl<'a> Links<'a> {
    /// The pointers in a `trieBuffer` that was [checked](Self::check) or [built](LinksBuilder).
    pub(crate) fn new(mut bytes: &'a [u8]) -> Self {
        next_varint(&mut bytes);
        Self { buckets: bytes }
    }

    /// Checks a `trieBuffer`. Targets must lie before `seq`, indexes before `end`, slots be among
    /// those that `allowed` gives for an index.
    pub(crate) fn check(
        mut bytes: &[u8],
        seq: u64,
        end: usize,
        allowed: impl Fn(usize) -> u32,
    ) -> Result<(), NodeError> {
        let mut last = None;
        // The number of buckets is information only, as it is to the reference.
        take_varint(&mut bytes)?;
        while !bytes.is_empty() {
            let index = take_varint(&mut bytes)?;
            let slots = take_varint(&mut bytes)?;
            let position = usize::try_from(index).ok();
            let Some(position) = position.filter(|position| *position < end) else {
                return Err(NodeError::Bucket { index });
            };
            let Ok(slots) = u32::try_from(slots) else {
                return Err(NodeError::Slots { index });
            };
            if last.replace(index).is_some_and(|last| last >= index) {
                return Err(NodeError::Order { index });
            }
            for _ in 0..slots.count_ones() {
                let target = take_varint(&mut bytes)?;
                if target == 0 || target >= seq {
                    return Err(NodeError::Target { index, target });
                }
            }
            if slots & !allowed(position) != 0 {
                return Err(NodeError::Slots { index });
            }
        }
        Ok(())
    }

    /// The bucket of digit `index`, empty if there is none.
    pub(crate) fn bucket(self, index: usize) -> Bucket<'a> {
        match self.from(index).next() {
            Some((found, bucket)) if found == index => bucket,
            _ => Bucket::EMPTY,
        }
    }

    /// The occupied buckets from digit `index` on, in ascending order.
    pub(crate) fn from(self, index: usize) -> impl Iterator<Item = (usize, Bucket<'a>)> {
        let buckets = Buckets(self.buckets);
        buckets.skip_while(move |(found, _)| *found < index)
    }

    /// The first occupied bucket from digit `index` on, looked for from a place on, and the place
    /// behind it. Places count from 0; what lies before one has lower digits.
    pub(crate) fn next(self, index: usize, place: usize) -> Option<(usize, Bucket<'a>, usize)> {
        let mut buckets = Buckets(self.buckets.get(place..)?);
        let (index, bucket) = buckets.find(|(found, _)| *found >= index)?;
        Some((index, bucket, self.buckets.len() - buckets.0.len()))
    }

    /// The same, encoded, without the pointer in slot `unwanted` of bucket `index`.
    pub(crate) fn without(self, index: usize, unwanted: u8) -> Vec<u8> {
        let mut kept = LinksBuilder::default();
        for (at, bucket) in self.from(0) {
            for (slot, target) in bucket.iter() {
                if (at, slot) != (index, unwanted) {
                    kept.place(at, slot, target);
                }
            }
        }
        kept.finish()
    }
}

/// Takes buckets apart.
struct Buckets<'a>(&'a [u8]);

impl<'a> Iterator for Buckets<'a> {
    type Item = (usize, Bucket<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let index = usize::try_from(next_varint(&mut self.0)).ok()?;
            let slots = u32::try_from(next_varint(&mut self.0)).ok()?;
            let mut left = slots.count_ones();
            let mut bytes = 0;
            // A number ends with the byte whose highest bit is not set.
            while left > 0 {
                left -= u32::from(*self.0.get(bytes)? < 0x80);
                bytes += 1;
            }
            let (targets, rest) = self.0.split_at(bytes);
            self.0 = rest;
            if slots != 0 {
                return Some((index, Bucket { slots, targets }));
            }
        }
        None
    }
}

impl<'a> Bucket<'a> {
    /// Nothing.
    pub(crate) const EMPTY: Self = Self {
        slots: 0,
        targets: &[],
    };

    /// Slots and targets, in ascending order of slots.
    pub(crate) fn iter(self) -> impl Iterator<Item = (u8, u64)> + 'a {
        let (mut slots, mut targets) = (self.slots, self.targets);
        std::iter::from_fn(move || {
            if slots == 0 {
                return None;
            }
            let slot = slots.trailing_zeros().to_le_bytes()[0];
            slots &= slots - 1;
            Some((slot, next_varint(&mut targets)))
        })
    }

    /// The targets of the slots that are no overflow; 0 where there is none.
    pub(crate) fn targets(self) -> [u64; DIGITS as usize] {
        let mut targets = [0; DIGITS as usize];
        for (slot, target) in self.iter() {
            if let Some(place) = targets.get_mut(usize::from(slot)) {
                *place = target;
            }
        }
        targets
    }

    /// The target in `slot`.
    pub(crate) fn get(self, slot: u8) -> Option<u64> {
        if self.slots & 1 << slot == 0 {
            return None;
        }
        let mut all = self.iter();
        all.find(|(found, _)| *found == slot)
            .map(|(_, target)| target)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.slots == 0
    }

    /// The targets for one digit: its own slot, then the overflow.
    pub(crate) fn chain(self, digit: u8) -> impl Iterator<Item = u64> + 'a {
        self.iter()
            .filter(move |(slot, _)| slot % DIGITS == digit)
            .map(|(_, target)| target)
    }
}

/// Collects the pointers of a new node, in ascending order of digits.
#[derive(Debug, Default)]
pub(crate) struct LinksBuilder {
    /// The buckets that are complete, encoded.
    buckets: Vec<u8>,
    /// One more than the index of the last of them.
    end: u64,
    index: usize,
    slots: [u64; SLOTS as usize],
    occupied: u32,
}

impl LinksBuilder {
    /// Adds a pointer for `digit` of bucket `index`, behind those for the same digit that are
    /// there. A target that the bucket holds already is not added again. False if the bucket has
    /// no slot left.
    #[must_use]
    pub(crate) fn add(&mut self, index: usize, digit: u8, target: u64) -> bool {
        self.enter(index);
        if self.holds(target) {
            return true;
        }
        let free = (digit..=LAST_SLOT).step_by(DIGITS.into());
        let Some(slot) = free
            .into_iter()
            .find(|slot| self.occupied & (1 << slot) == 0)
        else {
            return false;
        };
        self.place(index, slot, target);
        true
    }

    fn place(&mut self, index: usize, slot: u8, target: u64) {
        self.enter(index);
        self.slots[usize::from(slot)] = target;
        self.occupied |= 1 << slot;
    }

    fn enter(&mut self, index: usize) {
        if index != self.index {
            self.flush();
            self.index = index;
        }
    }

    /// The `trieBuffer`.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.flush();
        let mut bytes = Vec::with_capacity(self.buckets.len() + 2);
        put_varint(self.end, &mut bytes);
        bytes.extend_from_slice(&self.buckets);
        bytes
    }

    fn holds(&self, target: u64) -> bool {
        let mut slots = self.occupied;
        while slots != 0 {
            if self.slots[slots.trailing_zeros() as usize] == target {
                return true;
            }
            slots &= slots - 1;
        }
        false
    }

    fn flush(&mut self) {
        if self.occupied == 0 {
            return;
        }
        let index = self.index as u64;
        let mut occupied = std::mem::take(&mut self.occupied);
        put_varint(index, &mut self.buckets);
        put_varint(occupied.into(), &mut self.buckets);
        while occupied != 0 {
            let slot = occupied.trailing_zeros() as usize;
            put_varint(self.slots[slot], &mut self.buckets);
            occupied &= occupied - 1;
        }
        self.end = index + 1;
    }
}

/// A number of a row that was checked before.
fn next_varint(bytes: &mut &[u8]) -> u64 {
    take_varint(bytes).unwrap_or_else(|_| {
        *bytes = &[];
        0
    })
}

pub(crate) fn take_varint(bytes: &mut &[u8]) -> Result<u64, NodeError> {
    // Most numbers have up to three bytes.
    match *bytes {
        [a @ ..0x80, rest @ ..] => {
            *bytes = rest;
            return Ok(u64::from(*a));
        }
        [a, b @ ..0x80, rest @ ..] => {
            *bytes = rest;
            return Ok(u64::from(a & 0x7f) | u64::from(*b) << 7);
        }
        [a, b, c @ ..0x80, rest @ ..] => {
            *bytes = rest;
            return Ok(u64::from(a & 0x7f) | u64::from(b & 0x7f) << 7 | u64::from(*c) << 14);
        }
        _ => {}
    }
    let mut value = 0u64;
    for (position, byte) in bytes.iter().enumerate().take(MAX_VARINT_BYTES) {
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            *bytes = &bytes[position + 1..];
            return Ok(value);
        }
    }
    Err(NodeError::Truncated)
}

pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let group = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(group);
            return;
        }
        out.push(group | 0x80);
    }
}

/// How many slots a bucket has.
const SLOTS: u8 = 32;

/// The last slot that we fill. The reference computes with 32-bit signed integers: it could read
/// slot 31 but would destroy the node when it copies that pointer.
const LAST_SLOT: u8 = 30;

/// Nine groups of seven bits hold every number that JavaScript can count to.
const MAX_VARINT_BYTES: usize = 9;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn check(bytes: &str, expected: NodeError) {
        let bytes = hex::decode(bytes).unwrap();
        assert_eq!(Links::check(&bytes, 100, 34, |_| u32::MAX), Err(expected));
    }

    #[test]
    fn codec_is_the_reference_s() {
        let vectors: Value =
            serde_json::from_str(include_str!("../tests/vectors/hypertrie.json")).unwrap();
        for vector in vectors["trieCodec"].as_array().unwrap() {
            let mut builder = LinksBuilder::default();
            for entry in vector["entries"].as_array().unwrap() {
                let index = usize::try_from(entry[0].as_u64().unwrap()).unwrap();
                for (slot, target) in entry[1].as_object().unwrap() {
                    builder.place(index, slot.parse().unwrap(), target.as_u64().unwrap());
                }
            }
            let bytes = builder.finish();
            assert_eq!(hex::encode(&bytes), vector["hex"]);
            Links::check(&bytes, 1 << 40, 1 << 20, |_| u32::MAX).unwrap();
            // All of it comes out again.
            assert_eq!(Links::new(&bytes).without(usize::MAX, 0), bytes);
        }
    }

    #[test]
    fn broken_pointers_are_refused() {
        check("", NodeError::Truncated);
        check("80", NodeError::Truncated);
        check("ffffffffffffffffffff01", NodeError::Truncated);
        check("0201", NodeError::Truncated);
        check("020101", NodeError::Truncated);
        check("02010180", NodeError::Truncated);
        // Digit 34, and 2^31, of a path with 34 digits.
        check("23220101", NodeError::Bucket { index: 34 });
        check("0080808080080101", NodeError::Bucket { index: 1 << 31 });
        // Slot 32.
        check("0201808080801001", NodeError::Slots { index: 1 });
        // Slots that the digit does not have.
        let own = |index| if index == 1 { 0b10111 } else { u32::MAX };
        let bytes = hex::decode("02010801").unwrap();
        let refused = Links::check(&bytes, 100, 34, own);
        assert_eq!(refused, Err(NodeError::Slots { index: 1 }));
        check("02010101000101", NodeError::Order { index: 0 });
        check("02010101010101", NodeError::Order { index: 1 });
        check(
            "02010100",
            NodeError::Target {
                index: 1,
                target: 0,
            },
        );
        check(
            "02010164",
            NodeError::Target {
                index: 1,
                target: 100,
            },
        );
    }

    #[test]
    fn pointers_for_one_digit_overflow_into_later_slots() {
        let mut builder = LinksBuilder::default();
        for target in 1..=6 {
            assert!(builder.add(32, 1, target), "{target}");
            assert!(
                builder.add(32, 1, target),
                "a target that is there is not added again"
            );
        }
        // Slot 31 is beyond what the reference can write.
        assert!(!builder.add(32, 1, 7));
        assert!(builder.add(32, 0, 7));
        let links = builder.finish();
        let links = Links::new(&links);
        let slots: Vec<_> = links.bucket(32).iter().collect();
        assert_eq!(
            slots,
            [(0, 7), (1, 1), (6, 2), (11, 3), (16, 4), (21, 5), (26, 6)]
        );
        assert_eq!(
            links.bucket(32).chain(1).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(links.bucket(31).get(1), None);
    }

    #[test]
    fn one_pointer_can_be_removed() {
        let mut builder = LinksBuilder::default();
        for (index, digit) in [(0, 1), (1, 0), (1, 4), (7, 2)] {
            assert!(builder.add(index, digit, 9));
        }
        let links = builder.finish();
        assert_eq!(
            Links::new(&links).bucket(1).get(4),
            None,
            "the same target twice in a bucket"
        );
        let links = Links::new(&links).without(1, 0);
        let links = Links::new(&links).without(5, 0);
        let left = Links::new(&links).from(0).map(|(index, _)| index);
        assert_eq!(left.collect::<Vec<_>>(), [0, 7]);
    }
}
