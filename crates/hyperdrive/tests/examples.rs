//! The examples run to their end.

#[path = "../examples/mounted_drives.rs"]
mod mounted_drives;
#[path = "../examples/time_travel.rs"]
mod time_travel;
#[path = "../examples/watch.rs"]
mod watch;

#[test]
fn mounted_drives_are_one_tree() {
    mounted_drives::main().unwrap();
}

#[test]
fn a_watch_tells_of_changes() {
    watch::main().unwrap();
}

#[test]
fn time_travel_shows_both_versions() {
    time_travel::main().unwrap();
}
