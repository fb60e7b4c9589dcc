/// A mark of the state that a file or a folder is in, for those who keep what they learnt of it.
///
/// It changes whenever the file is written, or an entry of the folder comes or goes, and copies have
/// others. But clocks tick: two changes within one tick leave one mark. So a mark is to be kept only
/// if it [is settled](Self::is_settled).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    file: u64,
    /// In nanoseconds since the system's epoch.
    changed: i64,
}

impl Stamp {
    /// The mark of a file, by a number that no other has, and by when it changed last, in nanoseconds.
    pub fn new(file: u64, changed: i64) -> Self {
        Self { file, changed }
    }

    /// Whether all that changes from now on gives another mark, `now` being the mark of something that
    /// was just changed in the same directory.
    pub fn is_settled(self, now: Self) -> bool {
        // Clocks without parts of a second tick every second or two.
        let tick = match self.changed % SECOND {
            0 => 3 * SECOND,
            _ => SECOND / 20,
        };
        now.changed.saturating_sub(self.changed) > tick
    }

    /// The mark as bytes, to be kept.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.file.to_le_bytes());
        bytes[8..].copy_from_slice(&self.changed.to_le_bytes());
        bytes
    }

    /// A mark that was kept.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let [mut file, mut changed] = [[0; 8]; 2];
        file.copy_from_slice(&bytes[..8]);
        changed.copy_from_slice(&bytes[8..]);
        Self {
            file: u64::from_le_bytes(file),
            changed: i64::from_le_bytes(changed),
        }
    }
}

const SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back() {
        let mark = Stamp::new(u64::MAX - 5, -7);
        assert_eq!(Stamp::from_bytes(mark.to_bytes()), mark);
    }

    #[test]
    fn a_mark_is_settled_when_the_clock_has_ticked_on() {
        #[track_caller]
        fn check(changed: i64, now: i64, settled: bool) {
            let [changed, now] = [changed, now].map(|time| Stamp::new(1, time));
            assert_eq!(changed.is_settled(now), settled);
        }
        check(1, 50_000_001, false);
        check(1, 50_000_002, true);
        check(5 * SECOND, 8 * SECOND, false);
        check(5 * SECOND, 8 * SECOND + 1, true);
        // A clock that was set back settles nothing.
        check(5 * SECOND + 1, 0, false);
        check(i64::MIN + 1, i64::MAX, true);
    }
}
