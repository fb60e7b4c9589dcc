//! Blocks that say where they stand are appended there or not at all.

use std::sync::Arc;

use hypercore::{Feed, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;

#[test]
fn blocks_are_appended_at_their_place_only() {
    let options = Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    let feed = Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap());
    assert!(feed.append_batch_at(0, &["a", "b"]).unwrap());
    assert!(!feed.append_batch_at(0, &["c"]).unwrap());
    assert!(!feed.append_batch_at(3, &["c"]).unwrap());
    assert_eq!(feed.length(), 2);
    assert!(feed.append_batch_at(2, &["c"]).unwrap());
    assert_eq!(feed.get_local(2).unwrap().as_deref(), Some(&b"c"[..]));
}
