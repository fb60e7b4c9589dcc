//! A log written by one task and read by another, over a socket of tokio, then over one of async-std.

use std::error::Error;
use std::sync::Arc;

use hypercore::{Feed, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_replication::{Replicate, Role};
use hypercore_storage::MemoryDir;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    println!("tokio: {}", runtime.block_on(on_tokio())?);
    println!("async-std: {}", async_std::task::block_on(on_async_std())?);
    Ok(())
}

async fn on_tokio() -> Result<String, Box<dyn Error>> {
    use tokio::net::{TcpListener, TcpStream};

    let (writer, reader) = logs()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dialled = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;

    tokio::spawn(writer.replicate(accepted, Role::Responder));
    tokio::spawn(reader.replicate(dialled, Role::Initiator));
    Ok(String::from_utf8(reader.get(0).await?.to_vec())?)
}

async fn on_async_std() -> Result<String, Box<dyn Error>> {
    use async_std::net::{TcpListener, TcpStream};

    let (writer, reader) = logs()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dialled = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;

    async_std::task::spawn(writer.replicate(accepted, Role::Responder));
    async_std::task::spawn(reader.replicate(dialled, Role::Initiator));
    Ok(String::from_utf8(reader.get(0).await?.to_vec())?)
}

/// A log with one block, and an empty copy of it.
fn logs() -> Result<(Feed, Feed), Box<dyn Error>> {
    let pair = KeyPair::from_seed(&[7; 32]);
    let open = |options| Hypercore::open(Arc::new(MemoryDir::new()), options).map(Feed::new);
    let writer = open(Options::new().key_pair(pair.clone()))?;
    let reader = open(Options::new().key(pair.public))?;
    writer.append("hello")?;
    Ok((writer, reader))
}
