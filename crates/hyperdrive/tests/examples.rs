//! The examples run to their end.

#[path = "../examples/time_travel.rs"]
mod time_travel;

#[test]
fn time_travel_shows_both_versions() {
    time_travel::main().unwrap();
}
