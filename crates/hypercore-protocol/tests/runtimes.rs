//! The examples run: the same state machine on tokio and on async-std.

#[path = "../examples/on_async_std.rs"]
mod on_async_std;
#[path = "../examples/on_tokio.rs"]
mod on_tokio;

#[test]
fn tokio() {
    on_tokio::main().expect("the example runs to its end");
}

#[test]
fn async_std() {
    on_async_std::main().expect("the example runs to its end");
}
