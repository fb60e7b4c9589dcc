//! The examples run to their end.
#![allow(dead_code, reason = "what they do as programs is not called here")]

#[path = "../examples/read.rs"]
mod read;
#[path = "../examples/share.rs"]
mod share;

#[tokio::test]
async fn one_node_reads_what_another_shares() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("hello.txt"), "hello from the other side").unwrap();
    let author = place.path().join("author");
    let (node, link, address) = share::share(&folder, &author).await.unwrap();
    let (link, peer) = (format!("{link}hello.txt"), address.to_string());
    let (storage, mut read) = (place.path().join("reader"), Vec::new());
    read::read(&link, &peer, &storage, &mut read).await.unwrap();
    assert_eq!(read, b"hello from the other side");
    node.close().await.unwrap();
}
