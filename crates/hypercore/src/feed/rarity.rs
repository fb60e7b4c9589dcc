//! Which blocks few peers have.

use std::ops::Range;

use super::blocks::BlockSet;
use crate::Hypercore;

/// Most look-ups in the sets of peers for one answer. With ten peers that is enough for 1400 runs of
/// blocks, and done in a millisecond or two.
const MAX_LOOKUPS: usize = 16 << 10;

/// The missing blocks of a range that one peer has, in ranges, by how many others have them too: the
/// rarest first. Blocks that are in none of them are not rarer than any other, or were not looked at.
///
/// Nothing if all are equally rare.
pub(super) fn rarest_first(
    core: &Hypercore,
    own: &BlockSet,
    others: &[&BlockSet],
    range: Range<u64>,
) -> Vec<Vec<Range<u64>>> {
    let mut classes: Vec<Vec<Range<u64>>> = Vec::new();
    if others.is_empty() {
        return classes;
    }
    let mut at = range.start;
    let mut lookups = 0;
    while lookups < MAX_LOOKUPS
        && let Some(missing) = core.next_missing(at, range.end)
        && let Some(start) = own.next(missing).filter(|&start| start < range.end)
    {
        lookups += 2;
        at = start;
        if start > missing {
            continue; // that one may be here already
        }
        lookups += others.len();
        let mut end = own.next_absent(start).min(range.end);
        let mut holders = 0;
        for other in others {
            let same_until = match other.contains(start) {
                true => {
                    holders += 1;
                    other.next_absent(start)
                }
                false => other.next(start).unwrap_or(u64::MAX),
            };
            end = end.min(same_until);
        }
        if classes.len() <= holders {
            classes.resize_with(holders + 1, Vec::new);
        }
        match classes[holders].last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => classes[holders].push(start..end),
        }
        at = end;
    }
    classes.retain(|ranges| !ranges.is_empty());
    if classes.len() == 1 {
        classes.clear();
    }
    classes
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // lists of ranges, some of which have one
mod tests {
    use std::sync::Arc;

    use hypercore_crypto::KeyPair;
    use hypercore_storage::MemoryDir;

    use super::*;
    use crate::Options;

    fn set(ranges: &[Range<u64>]) -> BlockSet {
        let mut set = BlockSet::default();
        ranges.iter().for_each(|range| set.insert(range.clone()));
        set
    }

    #[track_caller]
    fn check(own: &[Range<u64>], others: &[&[Range<u64>]], classes: &[&[Range<u64>]]) {
        let key = KeyPair::from_seed(&[7; 32]).public;
        let options = Options::new().key(key);
        let core = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
        let others: Vec<BlockSet> = others.iter().map(|ranges| set(ranges)).collect();
        let others: Vec<&BlockSet> = others.iter().collect();
        let found = rarest_first(&core, &set(own), &others, 10..100_000);
        assert_eq!(found, classes);
    }

    #[test]
    fn blocks_are_sorted_by_how_many_have_them() {
        check(&[0..20], &[], &[]);
        check(&[0..20], &[&[0..100], &[0..20_000]], &[]);
        check(&[0..50_000], &[&[0..30]], &[&[30..50_000], &[10..30]]);
        check(
            &[0..50_000],
            &[&[0..30, 40..50], &[45..60, 70..80], &[45..46]],
            &[
                &[30..40, 60..70, 80..50_000],
                &[10..30, 40..45, 50..60, 70..80],
                &[46..50],
                &[45..46],
            ],
        );
    }

    #[test]
    fn scattered_blocks_are_looked_at_up_to_the_limit() {
        let every_second: Vec<Range<u64>> = (0..50_000).map(|n| 2 * n..2 * n + 1).collect();
        let key = KeyPair::from_seed(&[7; 32]).public;
        let options = Options::new().key(key);
        let core = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
        let (all, half) = (set(&[0..100_000]), set(&every_second));
        let found = rarest_first(&core, &all, &[&half], 0..100_000);
        assert_eq!(found.len(), 2);
        let ranges: usize = found.iter().map(Vec::len).sum();
        assert_eq!(ranges, MAX_LOOKUPS.div_ceil(3));
    }
}
