//! Writes notes, changes them, reads them as they were, and takes an old version out into a folder.

use std::error::Error;
use std::sync::Arc;

use corestore::Corestore;
use futures_lite::future::block_on;
use hypercore_storage::DiskDir;
use hyperdrive::mirror::{Export, ExportOptions, Written};
use hyperdrive::{Attributes, Drive, Options};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    block_on(time_travel())
}

async fn time_travel() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let dir = DiskDir::new(place.path().join("store"));
    let store = Corestore::open(Arc::new(dir), corestore::Options::new())?;
    let drive = Drive::create(&store, Options::new()).await?;
    println!("hyper://{}/", drive.key());

    let plain = Attributes::new();
    drive
        .write_file("/notes/plan.txt", "ship it", &plain)
        .await?;
    drive.symlink("notes/plan.txt", "/today", &plain).await?;
    let monday = drive.version();

    drive
        .write_file("/notes/plan.txt", "test it first", &plain)
        .await?;
    drive.unlink("/today").await?;
    drive.flush()?;

    for (day, drive) in [("monday", drive.checkout(monday)), ("now", drive)] {
        println!("{day}, version {}:", drive.version());
        for entry in drive.read_dir("/", true).await?.sorted().await? {
            println!("  {} ({} bytes)", entry.name, entry.stat.size);
        }
        let folder = place.path().join(day);
        let export = Export::plan(&drive, &folder, Written::new(), ExportOptions::new()).await?;
        export.run(|_| {}).await?;
        println!(
            "  {}",
            std::fs::read_to_string(folder.join("notes/plan.txt"))?
        );
    }
    Ok(())
}
