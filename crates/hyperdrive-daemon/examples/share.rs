//! Shares a folder until a line comes in: `cargo run --example share -- FOLDER STORAGE`.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;

use hyperdrive_daemon::{Access, ImportOptions, Node, Root};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [folder, storage] = &args[..] else {
        return Err("FOLDER and STORAGE are needed".into());
    };
    let (node, link, address) = share(folder.as_ref(), storage.as_ref()).await?;
    println!("{link} is served on {address}");
    std::io::stdin().read_line(&mut String::new())?;
    Ok(node.close().await?)
}

pub(crate) async fn share(
    folder: &Path,
    storage: &Path,
) -> Result<(Node, String, SocketAddr), Box<dyn Error>> {
    let node = Node::open(Root::new(storage), Access::Hold).await?;
    let port = node.bind(Some(([127, 0, 0, 1], 0).into())).await?;
    let (key, _) = node.import(folder, ImportOptions::new(), |_| {}).await?;
    let address = node.serve(port);
    Ok((node, format!("hyper://{key}/"), address))
}
