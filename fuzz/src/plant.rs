//! Faults planted into the targets, to see that they are found.
//!
//! A target is believed only after it has found one. Each has a plant: where it takes something from
//! the code under test, it bends that as a bug there would, in a case that no seed of the corpus
//! reaches and mutation has to. Plants do nothing unless they are in force, which is so within
//! [`in_force`] alone; `tests/planted.rs` demands that each is found.

use std::cell::Cell;

thread_local! {
    static IN_FORCE: Cell<bool> = const { Cell::new(false) };
}

/// Does something on this thread with the plants in force.
pub fn in_force<T>(work: impl FnOnce() -> T) -> T {
    struct Uproot;
    impl Drop for Uproot {
        fn drop(&mut self) {
            IN_FORCE.set(false);
        }
    }
    IN_FORCE.set(true);
    let _uproot = Uproot;
    work()
}

/// Whether a target is to go wrong, given that it has come to the case that its plant is for.
pub(crate) fn strikes(in_this_case: bool) -> bool {
    in_this_case && IN_FORCE.get()
}
