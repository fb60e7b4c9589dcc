use crate::NodeError;
use crate::path::DIGITS;

/// The pointers of a node: for each digit of its path, where the other values of that digit lead.
///
/// Stored as the codec has them: buckets in ascending order, each with the set of its occupied
/// slots, and all targets in one row.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Links {
    buckets: Box<[Entry]>,
    targets: Box<[u64]>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Entry {
    index: u32,
    /// Bit *j* is set if slot *j* holds a pointer.
    slots: u32,
    /// Where the bucket's targets begin.
    first: u32,
}

/// The pointers of one digit. Slot *j* leads to digit *j* mod 5; slots from 5 on are the overflow
/// for components that have the same hash and other names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket<'a> {
    slots: u32,
    targets: &'a [u64],
}

impl Links {
    /// Reads a `trieBuffer`. Targets must lie before `seq`, indexes before `end`.
    pub(crate) fn decode(mut bytes: &[u8], seq: u64, end: usize) -> Result<Self, NodeError> {
        // Most buckets have one target and take four bytes.
        let mut buckets: Vec<Entry> = Vec::with_capacity(bytes.len() / 4);
        let mut targets = Vec::with_capacity(bytes.len() / 3);
        // The number of buckets is information only, as it is to the reference.
        take_varint(&mut bytes)?;
        while !bytes.is_empty() {
            let index = take_varint(&mut bytes)?;
            let slots = take_varint(&mut bytes)?;
            let (Ok(position), true) = (u32::try_from(index), index < end as u64) else {
                return Err(NodeError::Bucket { index });
            };
            let Ok(slots) = u32::try_from(slots) else {
                return Err(NodeError::Slots { index });
            };
            if buckets.last().is_some_and(|last| last.index >= position) {
                return Err(NodeError::Order { index });
            }
            let first = u32::try_from(targets.len()).expect("a target takes a byte of a block");
            for _ in 0..slots.count_ones() {
                let target = take_varint(&mut bytes)?;
                if target == 0 || target >= seq {
                    return Err(NodeError::Target { index, target });
                }
                targets.push(target);
            }
            if slots != 0 {
                buckets.push(Entry {
                    index: position,
                    slots,
                    first,
                });
            }
        }
        Ok(Self {
            buckets: buckets.into(),
            targets: targets.into(),
        })
    }

    /// Appends the `trieBuffer` to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let end = self
            .buckets
            .last()
            .map_or(0, |last| u64::from(last.index) + 1);
        put_varint(end, out);
        for (index, bucket) in self.from(0) {
            put_varint(index as u64, out);
            put_varint(u64::from(bucket.slots), out);
            for target in bucket.targets {
                put_varint(*target, out);
            }
        }
    }

    /// The bucket of digit `index`, empty if there is none.
    pub(crate) fn bucket(&self, index: usize) -> Bucket<'_> {
        match self.from(index).next() {
            Some((found, bucket)) if found == index => bucket,
            _ => Bucket {
                slots: 0,
                targets: &[],
            },
        }
    }

    /// The occupied buckets from digit `index` on, in ascending order.
    pub(crate) fn from(&self, index: usize) -> impl Iterator<Item = (usize, Bucket<'_>)> {
        let start = self
            .buckets
            .partition_point(|entry| (entry.index as usize) < index);
        self.buckets[start..].iter().map(|entry| {
            let first = entry.first as usize;
            let targets = &self.targets[first..first + entry.slots.count_ones() as usize];
            (
                entry.index as usize,
                Bucket {
                    slots: entry.slots,
                    targets,
                },
            )
        })
    }

    /// Removes the pointer in slot `unwanted` of bucket `index`, if there is one.
    pub(crate) fn remove(&mut self, index: usize, unwanted: u8) {
        if self.bucket(index).get(unwanted).is_none() {
            return;
        }
        let mut kept = LinksBuilder::default();
        for (at, bucket) in self.from(0) {
            for (slot, target) in bucket.iter() {
                if (at, slot) != (index, unwanted) {
                    kept.place(at, slot, target);
                }
            }
        }
        *self = kept.finish();
    }

    /// Approximate size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of_val(&*self.buckets) + size_of_val(&*self.targets)
    }
}

impl<'a> Bucket<'a> {
    /// Slots and targets, in ascending order of slots.
    pub(crate) fn iter(self) -> impl Iterator<Item = (u8, u64)> + 'a {
        let mut slots = self.slots;
        self.targets.iter().map(move |target| {
            let slot = slots.trailing_zeros().to_le_bytes()[0];
            slots &= slots.wrapping_sub(1);
            (slot, *target)
        })
    }

    /// The target in `slot`.
    pub(crate) fn get(self, slot: u8) -> Option<u64> {
        let bit = 1u32 << slot;
        let before = (self.slots & (bit - 1)).count_ones() as usize;
        (self.slots & bit != 0).then(|| self.targets[before])
    }

    pub(crate) fn is_empty(self) -> bool {
        self.slots == 0
    }

    pub(crate) fn len(self) -> usize {
        self.targets.len()
    }

    /// Whether only slots of the set `allowed` are occupied.
    pub(crate) fn within(self, allowed: u32) -> bool {
        self.slots & !allowed == 0
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
    buckets: Vec<Entry>,
    targets: Vec<u64>,
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

    pub(crate) fn finish(mut self) -> Links {
        self.flush();
        Links {
            buckets: self.buckets.into(),
            targets: self.targets.into(),
        }
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
        let first = u32::try_from(self.targets.len()).expect("at most 32 targets a digit");
        let index = u32::try_from(self.index).expect("keys are far shorter than 2^27 bytes");
        self.buckets.push(Entry {
            index,
            slots: self.occupied,
            first,
        });
        let mut occupied = std::mem::take(&mut self.occupied);
        while occupied != 0 {
            self.targets
                .push(self.slots[occupied.trailing_zeros() as usize]);
            occupied &= occupied - 1;
        }
    }
}

pub(crate) fn take_varint(bytes: &mut &[u8]) -> Result<u64, NodeError> {
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
        assert_eq!(Links::decode(&bytes, 100, 34), Err(expected));
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
            let links = builder.finish();
            let mut bytes = Vec::new();
            links.encode(&mut bytes);
            assert_eq!(hex::encode(&bytes), vector["hex"]);
            assert_eq!(Links::decode(&bytes, 1 << 40, 1 << 20), Ok(links));
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
        let mut links = builder.finish();
        assert_eq!(
            links.bucket(1).get(4),
            None,
            "the same target twice in a bucket"
        );
        links.remove(1, 0);
        links.remove(5, 0);
        let left: Vec<_> = links.from(0).map(|(index, _)| index).collect();
        assert_eq!(left, [0, 7]);
    }
}
