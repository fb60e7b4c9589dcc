//! The examples run to their end.

#[path = "../examples/prove_a_block.rs"]
mod prove_a_block;

#[test]
fn a_block_is_proved_by_its_siblings() {
    prove_a_block::main();
}
