//! Tells of what changes in a drive, with the sizes before and after.

use std::error::Error;
use std::sync::Arc;

use corestore::Corestore;
use futures_lite::future::{block_on, try_zip};
use hypercore_storage::MemoryDir;
use hyperdrive::{Attributes, Drive, DriveError, Options};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    block_on(watch())
}

async fn watch() -> Result<(), Box<dyn Error>> {
    let store = Corestore::open(Arc::new(MemoryDir::new()), corestore::Options::new())?;
    let drive = Drive::create(&store, Options::new()).await?;

    let mut changes = drive.watch("/notes");
    let watching = async {
        for _ in 0..3 {
            let change = changes.next().await?;
            let sizes = [&change.before, &change.after];
            let [before, after] = sizes.map(|stat| stat.as_ref().map(|stat| stat.size));
            println!(
                "{:?} {}: {before:?} -> {after:?}",
                change.kind(),
                change.path
            );
        }
        Ok::<_, DriveError>(())
    };
    let plain = Attributes::new();
    let writing = async {
        drive.write_file("/notes/a.txt", "one", &plain).await?;
        drive.write_file("/elsewhere", "not told", &plain).await?;
        futures_lite::future::yield_now().await;
        drive.write_file("/notes/a.txt", "three", &plain).await?;
        futures_lite::future::yield_now().await;
        drive.unlink("/notes/a.txt").await
    };
    try_zip(watching, writing).await?;
    Ok(())
}
