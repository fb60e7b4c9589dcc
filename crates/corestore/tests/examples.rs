//! The examples do what they say.

#[path = "../examples/notebooks.rs"]
#[allow(dead_code, reason = "a program of its own")]
mod notebooks;

#[test]
fn notebooks_are_found_again() {
    notebooks::main().expect("the example runs to its end");
}
