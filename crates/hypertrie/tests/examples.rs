//! The examples do what they say.

#[path = "../examples/phone_book.rs"]
#[allow(dead_code, reason = "a program of its own")]
mod phone_book;

#[test]
fn a_phone_book_shows_what_changed() {
    phone_book::main().expect("the example runs to its end");
}
