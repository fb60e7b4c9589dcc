//! How far ahead of a reader blocks are asked for.

/// The bytes that are asked for ahead, by the measured rate.
///
/// What keeps a connection busy is as much as it carries within a round trip. There is no clock down
/// here to measure the two, nor is one needed: a reader that has to wait for a block which was asked
/// for long ago takes faster than the blocks come, so twice as much is asked for; one that finds block
/// after block there is slower than they come, so half of it will do, and what nobody may ever read is
/// not fetched.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    bytes: u64,
    /// The block at which the window may grow again: what was asked for with the smaller one has to
    /// come first.
    grows_from: u64,
    /// The block since which the reader has not waited.
    calm_since: u64,
}

impl ReadAhead {
    /// For a reader that begins at a block.
    pub(crate) fn new(block: u64) -> Self {
        Self {
            bytes: START_BYTES,
            grows_from: block,
            calm_since: block,
        }
    }

    /// How many blocks to ask for, if they have so many bytes on average.
    pub(crate) fn blocks(&self, average: u64) -> u64 {
        (self.bytes / average.max(1)).clamp(1, MAX_BLOCKS)
    }

    /// The reader has come to `block`, for which it has to wait although it was asked for before.
    /// Everything before `asked` is under way.
    pub(crate) fn waits(&mut self, block: u64, asked: u64) {
        self.calm_since = block + 1;
        if block >= self.grows_from {
            self.grows_from = asked;
            self.bytes = (self.bytes * 2).min(MAX_BYTES);
        }
    }

    /// The reader has come to `block`, which was fetched and is here.
    pub(crate) fn finds(&mut self, block: u64, average: u64) {
        // Twice the window, so that a pause of the network is told from a slow reader.
        if block.saturating_sub(self.calm_since) >= 2 * self.blocks(average) {
            self.calm_since = block;
            self.bytes = (self.bytes / 2).max(MIN_BYTES);
        }
    }
}

/// How much is asked for before anything is known of the rate.
const START_BYTES: u64 = 1 << 20;

/// The least that is asked for ahead: a slow reader shall not wait for a round trip now and then.
const MIN_BYTES: u64 = 256 << 10;

/// The most that is asked for ahead: what a gigabit a second carries in 134 ms.
const MAX_BYTES: u64 = 16 << 20;

/// The most blocks that are asked for ahead, however small they are.
const MAX_BLOCKS: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u64 = 65_536;

    #[test]
    fn it_grows_up_to_its_limit_and_no_faster_than_what_was_asked_for_comes() {
        let mut ahead = ReadAhead::new(10);
        assert_eq!(ahead.blocks(BLOCK), 16);
        ahead.waits(10, 26);
        assert_eq!(ahead.blocks(BLOCK), 32);
        ahead.waits(25, 58);
        assert_eq!(ahead.blocks(BLOCK), 32);
        for (at, blocks) in (26..).zip([64, 128, 256, 256]) {
            ahead.waits(at, at + 1);
            assert_eq!(ahead.blocks(BLOCK), blocks);
        }
        assert_eq!(ahead.blocks(1), MAX_BLOCKS);
        assert_eq!(ahead.blocks(0), MAX_BLOCKS);
        assert_eq!(ahead.blocks(u64::MAX), 1);
    }

    #[test]
    fn it_shrinks_down_to_its_limit_while_nobody_waits() {
        let mut ahead = ReadAhead::new(0);
        let mut sizes = Vec::new();
        for block in 0..200 {
            ahead.finds(block, BLOCK);
            if sizes.last() != Some(&ahead.blocks(BLOCK)) {
                sizes.push(ahead.blocks(BLOCK));
            }
        }
        assert_eq!(sizes, [16, 8, 4]);
    }
}
