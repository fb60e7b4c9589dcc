//! Sets of blocks, kept as runs.

use std::collections::BTreeMap;
use std::ops::Range;

use hypercore::{Feed, ReadError};

use crate::Stat;
use crate::read::Extent;

/// Blocks of a content log. Memory grows with the number of runs, not of blocks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Runs {
    /// Starts and ends. No two touch.
    runs: BTreeMap<u64, u64>,
}

impl Runs {
    pub(crate) fn add(&mut self, run: Range<u64>) {
        if run.is_empty() {
            return;
        }
        let (mut start, mut end) = (run.start, run.end);
        while let Some((&before, &until)) = self.runs.range(..=end).next_back()
            && until >= start
        {
            self.runs.remove(&before);
            start = start.min(before);
            end = end.max(until);
        }
        self.runs.insert(start, end);
    }

    pub(crate) fn remove(&mut self, run: Range<u64>) {
        if run.is_empty() {
            return;
        }
        while let Some((&before, &until)) = self.runs.range(..run.end).next_back()
            && until > run.start
        {
            self.runs.remove(&before);
            if until > run.end {
                self.runs.insert(run.end, until);
            }
            if before < run.start {
                self.runs.insert(before, run.start);
            }
        }
    }

    pub(crate) fn overlaps(&self, run: &Range<u64>) -> bool {
        let last = self.runs.range(..run.end).next_back();
        !run.is_empty() && last.is_some_and(|(_, &end)| end > run.start)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.runs.iter().map(|(&start, &end)| start..end)
    }

    /// How many blocks there are.
    pub(crate) fn blocks(&self) -> u64 {
        self.iter().map(|run| run.end - run.start).sum()
    }

    /// Those before a block.
    pub(crate) fn up_to(mut self, end: u64) -> Self {
        self.remove(end..u64::MAX);
        self
    }

    /// How many bytes of the blocks are stored here.
    pub(crate) fn held_bytes(&self, content: &Feed) -> Result<u64, ReadError> {
        let length = content.length();
        let known = self.iter().take_while(|run| run.start < length);
        known
            .map(|run| content.held_bytes(run.start..run.end.min(length)))
            .sum()
    }

    /// How many of the blocks are stored here.
    pub(crate) fn held(&self, content: &Feed) -> u64 {
        let length = content.length();
        let known = self.iter().take_while(|run| run.start < length);
        known
            .map(|run| content.downloaded(run.start..run.end.min(length)))
            .sum()
    }
}

/// The blocks of a file, if its entry has any and says so in possible numbers.
pub(crate) fn run_of(stat: &Stat) -> Option<Range<u64>> {
    let extent = Extent::of(stat).ok()?;
    let is_file = stat.is_file() && stat.mount.is_none();
    (is_file && !extent.blocks.is_empty()).then_some(extent.blocks)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn runs_are_the_set_of_their_blocks() {
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let (mut runs, mut model) = (Runs::default(), BTreeSet::new());
        for _ in 0..2000 {
            let start = draw(60);
            let run = start..start + draw(9);
            assert_eq!(
                runs.overlaps(&run),
                run.clone().any(|block| model.contains(&block)),
                "{run:?} in {runs:?}"
            );
            if draw(5) < 3 {
                runs.add(run.clone());
                model.extend(run);
            } else {
                runs.remove(run.clone());
                model.retain(|block| !run.contains(block));
            }
            assert!(runs.iter().flatten().eq(model.iter().copied()), "{runs:?}");
            assert_eq!(runs.blocks(), model.len() as u64);
            let ends: Vec<u64> = runs.iter().map(|run| run.end).collect();
            assert!(ends.iter().all(|end| !model.contains(end)), "{runs:?}");
        }
    }
}
