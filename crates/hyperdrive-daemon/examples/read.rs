//! Prints a file of a drive: `cargo run --example read -- LINK/path HOST:PORT STORAGE`.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use hyperdrive_daemon::{Access, Node, Root};
use hyperdrive_url::Link;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [link, peer, storage] = &args[..] else {
        return Err("LINK, HOST:PORT and STORAGE are needed".into());
    };
    read(link, peer, storage.as_ref(), &mut io::stdout()).await
}

pub(crate) async fn read(
    link: &str,
    peer: &str,
    storage: &Path,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let link = Link::parse(link)?;
    let node = Node::open(Root::new(storage), Access::Read).await?;
    node.dial(peer);
    let patience = Duration::from_secs(20);
    let drive = node.drive(link.key(), link.version(), patience).await?;
    let mut bytes = drive.read(link.path(), 0..u64::MAX).await?;
    while let Some(piece) = bytes.next().await? {
        out.write_all(&piece)?;
    }
    Ok(node.close().await?)
}
