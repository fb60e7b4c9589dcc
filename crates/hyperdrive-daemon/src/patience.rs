use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;

/// Waits for `work` for as long as it moves: gives up when `progress` has stood still for
/// `patience`.
///
/// Returns `None` then. Progress is looked at now and then, so giving up may come later by
/// [`LOOK_INTERVAL`] or, for a short patience, by a quarter of it.
pub(crate) async fn patiently<T>(
    patience: Duration,
    progress: impl Fn() -> u64,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    let interval = (patience / 4).clamp(SHORTEST_LOOK, LOOK_INTERVAL);
    let mut seen = progress();
    // Summed up, not read from a clock: `work` may keep the thread for long, with its own writing
    // to disk for example, and that is no time in which nothing arrived.
    let mut still = Duration::ZERO;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = sleep(interval) => {}
        }
        let now = progress();
        if now != seen {
            (seen, still) = (now, Duration::ZERO);
        } else {
            still += interval;
        }
        if still >= patience {
            return None;
        }
    }
}

const LOOK_INTERVAL: Duration = Duration::from_millis(500);
const SHORTEST_LOOK: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test(start_paused = true)]
    async fn gives_up_when_nothing_moves() {
        let started = Instant::now();
        assert_eq!(patiently(PATIENCE, || 7, pending::<()>()).await, None);
        assert!(started.elapsed() >= PATIENCE);
        assert!(started.elapsed() <= PATIENCE + LOOK_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_as_long_as_something_moves() {
        let moved = AtomicU64::new(0);
        // Moves at every look for a while, then no more.
        let progress = || moved.fetch_add(1, Ordering::Relaxed).min(1000);
        let started = Instant::now();
        assert_eq!(patiently(PATIENCE, progress, pending::<()>()).await, None);
        assert!(started.elapsed() >= LOOK_INTERVAL * 1000 + PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_needs_no_patience() {
        assert_eq!(patiently(Duration::ZERO, || 0, ready(5)).await, Some(5));
    }
}
