//! One node shares a folder, another one reads a file of it over a connection.

use std::error::Error;
use std::time::Duration;

use hyperdrive_daemon::{Access, ImportOptions, Node, Root};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let folder = place.path().join("folder");
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join("hello.txt"), "hello from the other side")?;

    let author = Node::open(Root::new(place.path().join("author")), Access::Hold).await?;
    let port = author.bind(Some(([127, 0, 0, 1], 0).into())).await?;
    let (key, imported) = author.import(&folder, ImportOptions::new(), |_| {}).await?;
    let address = author.serve(port);
    println!("{} file of hyper://{key}/ on {address}", imported.files);

    let reader = Node::open(Root::new(place.path().join("reader")), Access::Read).await?;
    reader.dial(&address.to_string());
    let drive = reader
        .drive(key.as_bytes(), None, Duration::from_secs(20))
        .await?;
    let size = drive.stat("/hello.txt").await?.size;
    let mut bytes = drive.read("/hello.txt", 0..size).await?;
    while let Some(piece) = bytes.next().await? {
        println!("{}", String::from_utf8_lossy(&piece));
    }

    reader.close().await?;
    author.close().await?;
    Ok(())
}
