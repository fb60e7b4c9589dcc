//! How long datagrams take, and which are lost.

use std::time::Duration;

use testkit::Rng;

/// The way between any two hosts.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// One way, for hosts side by side.
    pub shortest: Duration,
    /// What the longest way on the map adds, one way.
    pub farthest: Duration,
    /// What queues add on average, one way; few datagrams wait much longer.
    pub jitter: Duration,
    /// Share of the datagrams that are lost.
    pub loss: f64,
}

impl Link {
    /// The same time for everybody: one way.
    pub const fn fixed(one_way: Duration) -> Self {
        Self {
            shortest: one_way,
            farthest: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
        }
    }

    /// Hosts over the whole world: round trips from 20 to 300 ms and beyond, 110 on average.
    pub const fn world() -> Self {
        Self {
            shortest: Duration::from_millis(8),
            farthest: Duration::from_millis(110),
            jitter: Duration::from_millis(5),
            loss: 0.0,
        }
    }

    pub const fn with_loss(mut self, loss: f64) -> Self {
        self.loss = loss;
        self
    }

    /// How long a datagram takes; `None` if it is lost.
    pub fn carry(&self, from: (f64, f64), to: (f64, f64), rng: &mut Rng) -> Option<Duration> {
        if self.loss > 0.0 && share(rng) < self.loss {
            return None;
        }
        // The map has no edges, as the world has none.
        let along = |a: f64, b: f64| {
            let straight = (a - b).abs();
            straight.min(1.0 - straight)
        };
        let (x, y) = (along(from.0, to.0), along(from.1, to.1));
        let way = (x * x + y * y).sqrt() / std::f64::consts::FRAC_1_SQRT_2;
        let mut time = self.shortest + self.farthest.mul_f64(way);
        if !self.jitter.is_zero() {
            // Waiting times in a queue: exponential.
            time += self.jitter.mul_f64(-(1.0 - share(rng)).ln());
        }
        Some(time)
    }
}

/// A number from 0 up to, but not including, 1.
pub fn share(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
