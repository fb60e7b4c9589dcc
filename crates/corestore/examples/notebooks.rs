//! Keeps notebooks in one directory, a log each, and finds them again by name, by key and by looking
//! around.

use std::error::Error;
use std::sync::Arc;

use corestore::{Corestore, Options};
use hypercore_storage::{MemoryDir, StorageDir};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let dir = Arc::new(MemoryDir::new());
    let key = {
        let store = Corestore::open(dir.clone(), Options::new())?;
        for (name, note) in [("garden", "water the plum"), ("kitchen", "buy salt")] {
            store.get_by_name(name)?.append(note)?;
        }
        // A default log of one's own, that no other part of the program shares.
        store
            .namespace("journal")
            .default_feed()?
            .append("dear diary")?;
        let key = store.get_by_name("garden")?.public_key();
        store.close()?;
        key
    };
    again(dir, &key)
}

/// What a later run of the program finds.
fn again(
    dir: Arc<dyn StorageDir>,
    key: &hypercore_crypto::PublicKey,
) -> Result<(), Box<dyn Error>> {
    let store = Corestore::open(dir, Options::new())?;
    for core in store.list() {
        let core = core?;
        let feed = store.get(&core.public_key())?;
        println!("{} blocks, writable: {}", feed.length(), feed.is_writable());
    }
    let garden = store.get(key)?;
    garden.append("prune the pear")?;
    for index in 0..garden.length() {
        let note = garden.get_local(index)?.unwrap_or_default();
        println!("garden: {}", String::from_utf8_lossy(&note));
    }
    assert_eq!(garden.length(), 2);
    store.close()?;
    Ok(())
}
