//! Work on several threads, for batches so large that starting them does not matter.

use std::thread;

/// How many threads are worth starting for so many bytes to be hashed.
pub(crate) fn threads(bytes: usize) -> usize {
    match bytes / BYTES_PER_THREAD {
        0 | 1 => 1,
        worthwhile => thread::available_parallelism().map_or(1, |most| most.get().min(worthwhile)),
    }
}

/// What `each` makes of every item, in the order of the items. Every thread takes one item out of as
/// many as there are threads; one that cannot be started leaves its items to this one.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    each: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.clamp(1, items.len().max(1));
    let share = |from: usize| {
        items
            .iter()
            .skip(from)
            .step_by(threads)
            .map(&each)
            .collect()
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|from| thread::Builder::new().spawn_scoped(scope, move || share(from)))
            .collect();
        let own: Vec<R> = share(0);
        let mut shares = vec![own.into_iter()];
        for (from, other) in (1..).zip(others) {
            let done: Vec<R> = match other.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(done)) => done,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_) => share(from),
            };
            shares.push(done.into_iter());
        }
        let next = (0..items.len()).map(|at| shares[at % threads].next());
        next.flatten().collect()
    })
}

/// A millisecond's work or so, against some ten microseconds to start a thread.
const BYTES_PER_THREAD: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_items() {
        for count in 0..20_usize {
            let items: Vec<usize> = (0..count).collect();
            let expected: Vec<usize> = items.iter().map(|item| item * item).collect();
            for threads in 0..10 {
                assert_eq!(map(&items, threads, |item| item * item), expected);
            }
        }
    }

    #[test]
    fn few_bytes_are_worth_no_other_thread() {
        assert_eq!(threads(0), 1);
        assert_eq!(threads(2 * BYTES_PER_THREAD - 1), 1);
        let most = thread::available_parallelism().unwrap().get();
        assert_eq!(threads(2 * BYTES_PER_THREAD), most.min(2));
        assert_eq!(threads(usize::MAX), most);
    }
}
