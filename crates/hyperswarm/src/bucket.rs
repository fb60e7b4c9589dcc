use std::time::Duration;

/// A number of tokens that fills up with time.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    burst: u32,
    interval: Duration,
    tokens: u32,
    /// When the bucket gained a token last, or was full.
    since: Duration,
}

impl Bucket {
    /// A full bucket of `burst` tokens, which gains one in each `interval`.
    pub(crate) fn full(burst: u32, interval: Duration, now: Duration) -> Self {
        Self {
            burst,
            interval,
            tokens: burst,
            since: now,
        }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        self.fill(now);
        let some = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        some
    }

    /// When an empty bucket has a token again.
    pub(crate) fn next(&self) -> Duration {
        self.since + self.interval
    }

    pub(crate) fn is_full(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.tokens == self.burst
    }

    pub(crate) fn is_empty(&self, now: Duration) -> bool {
        self.tokens == 0 && now < self.next()
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.since).as_nanos() / self.interval.as_nanos();
        let gained = u32::try_from(passed).unwrap_or(u32::MAX);
        if gained >= self.burst - self.tokens {
            self.tokens = self.burst;
            self.since = now;
        } else {
            self.tokens += gained;
            self.since += self.interval * gained;
        }
    }
}
