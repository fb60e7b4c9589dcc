//! The example runs to its end.
#![cfg(all(feature = "tokio", feature = "async-std"))]

#[path = "../examples/greeting.rs"]
mod greeting;

#[test]
fn the_greeting_is_heard_on_both_runtimes() {
    greeting::main().expect("the example runs to its end");
}
