//! Several people's drives in one: each writes their own, and everybody sees all of them in one tree.

use std::error::Error;
use std::sync::Arc;

use corestore::Corestore;
use futures_lite::future::block_on;
use hypercore_storage::MemoryDir;
use hyperdrive::{Attributes, Drive, Mount, Options};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    block_on(mounted_drives())
}

async fn mounted_drives() -> Result<(), Box<dyn Error>> {
    let store = Corestore::open(Arc::new(MemoryDir::new()), corestore::Options::new())?;
    let plain = Attributes::new();
    let group = Drive::create(&store.namespace("group"), Options::new()).await?;

    for name in ["ada", "grace"] {
        let own = Drive::create(&store.namespace(name), Options::new()).await?;
        own.write_file("/notes.txt", format!("by {name}"), &plain)
            .await?;
        // Whoever has the group's link sees what is here, and what will be.
        group
            .mount(&format!("/{name}"), Mount::drive(own.key()), &plain)
            .await?;
    }
    // A path goes where it leads: this is written to Ada's drive.
    group.write_file("/ada/reply.txt", "thanks", &plain).await?;

    for entry in group.read_dir("/", true).await?.sorted().await? {
        let holder = entry.holder.drive().key();
        println!("{}  {}  in {holder}", entry.path, entry.stat.size);
    }
    for (path, mounted) in group.mounts(true).await? {
        println!("{path}  version {}", mounted.drive.version());
    }
    Ok(())
}
