//! The examples run to their end.

#[path = "../examples/share_and_read.rs"]
mod share_and_read;

#[test]
fn one_node_reads_what_another_shares() {
    share_and_read::main().unwrap();
}
