//! Waiting for what announces itself nowhere, such as a file that another process writes.

use std::thread;
use std::time::{Duration, Instant};

use crate::LIMIT;

/// Looks until `done` says so.
///
/// # Panics
///
/// When it has not after [`LIMIT`]; `what` then says what was awaited.
#[track_caller]
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not after {LIMIT:?}");
        thread::sleep(Duration::from_millis(10));
    }
}
