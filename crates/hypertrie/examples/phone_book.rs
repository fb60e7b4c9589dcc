//! Keeps a small phone book in memory, changes it, and shows what changed.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use futures_lite::future::block_on;
use hypercore::{Feed, Hypercore};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hypertrie::{DiffOptions, IterOptions, Node, Op, Options, Trie};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let options = hypercore::Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    let feed = Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options)?);
    block_on(phone_book(feed))
}

async fn phone_book(feed: Feed) -> Result<(), Box<dyn Error>> {
    let book = Trie::open(feed, Options::new()).await?;
    book.batch(vec![
        Op::put("people/ada", Bytes::from("1815")),
        Op::put("people/grace", Bytes::from("1906")),
        Op::put("shops/corner", Bytes::from("4711")),
    ])
    .await?;
    let before = book.snapshot();

    book.put("people/ada", Bytes::from("1852")).await?;
    book.del("people/grace").await?;
    book.remove_prefix("shops").await?;

    println!("version {}", book.version());
    let mut all = book.iter("", IterOptions::new());
    while let Some(node) = all.next().await? {
        println!("  {} {}", node.key, number(&node));
    }

    println!("since version {}", before.version());
    let mut changes = book.diff(before.version(), "", DiffOptions::new());
    while let Some(change) = changes.next().await? {
        // A deletion writes some other node again; its value is what it was.
        if change.is_rewrite() {
            continue;
        }
        let [now, then] = [change.left, change.right].map(|node| node.as_ref().map(number));
        println!("  {} {then:?} -> {now:?}", change.key);
    }
    Ok(())
}

fn number(node: &Node) -> String {
    String::from_utf8_lossy(node.value.as_deref().unwrap_or_default()).into_owned()
}
