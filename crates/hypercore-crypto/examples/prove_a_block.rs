//! Signs a log of three blocks, and verifies one of them without seeing the other two.
//!
//! `cargo run -p hypercore-crypto --example prove_a_block`

use hypercore_crypto::{KeyPair, derive_key_pair, leaf_hash, parent_hash, tree_hash};

pub(crate) fn main() {
    let pair = derive_key_pair(&[7; 32], "example", b"notes");
    println!("key           {}", pair.public);
    println!("discovery key {}", pair.public.discovery_key());

    // The author. Blocks 0, 1 and 2 are leaves 0, 2 and 4; node 1 is above the first two, so that
    // the roots are 1 and 4.
    let blocks = ["one", "two", "three"];
    let [one, two, three] = blocks.map(|block| leaf_hash(block.as_bytes()));
    let above = parent_hash(6, &one, &two);
    let tree = tree_hash([(above, 1, 6), (three, 4, 5)]);
    let signature = pair.sign_tree(&tree, 3);

    // A reader who knows the key, and gets: the block, its sibling, the other root, the signature.
    let verify = |block: &str| {
        let above = parent_hash(6, &one, &leaf_hash(block.as_bytes()));
        let tree = tree_hash([(above, 1, 6), (three, 4, 5)]);
        pair.public.verify_tree(&tree, 3, &signature)
    };
    assert!(verify("two"));
    assert!(!verify("2wo"));
    println!("block 1 is {:?}, as its author signed", blocks[1]);

    let other = KeyPair::from_seed(&[8; 32]);
    assert!(!other.public.verify_tree(&tree, 3, &signature));
}
