use std::ops::Add;
use std::time::Duration;

/// A moment, as time passed since an arbitrary start that the caller chose.
///
/// The crate has no clock of its own. All timestamps given to one [`Dht`](crate::Dht) must share
/// their start; one that lies before an earlier one is taken for the earlier one.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The moment that `since_start` has passed.
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// Time passed since the start.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to this moment; zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl From<Duration> for Timestamp {
    fn from(since_start: Duration) -> Self {
        Self(since_start)
    }
}
