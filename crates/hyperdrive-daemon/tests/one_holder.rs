//! One node holds a storage; others read beside it, up to a limit.

use hyperdrive_daemon::{Access, Node, NodeError, Root};

#[tokio::test]
async fn a_second_holder_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    let holder = Node::open(root.clone(), Access::Hold).await.unwrap();
    match Node::open(root.clone(), Access::Hold).await {
        Err(NodeError::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    holder.close().await.unwrap();
    Node::open(root, Access::Hold)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
}

#[tokio::test]
async fn readers_have_stores_of_their_own_up_to_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    let _holder = Node::open(root.clone(), Access::Hold).await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..32 {
        readers.push(Node::open(root.clone(), Access::Read).await.unwrap());
    }
    let one_too_many = Node::open(root.clone(), Access::Read).await;
    assert!(matches!(one_too_many, Err(NodeError::Locked { .. })));
    // A place that is free again is used again.
    readers.remove(7).close().await.unwrap();
    Node::open(root, Access::Read).await.unwrap();
    assert!(!dir.path().join("readers/32").exists());
}

#[tokio::test]
async fn a_holder_that_ends_soon_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    let brief = Node::open(root.clone(), Access::Read).await.unwrap();
    let next = tokio::spawn(Node::open(root, Access::Hold));
    brief.close().await.unwrap();
    next.await.unwrap().unwrap();
}

#[tokio::test]
async fn four_stores_of_readers_are_kept_and_what_is_open_stays() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    let _holder = Node::open(root.clone(), Access::Hold).await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..7 {
        readers.push(Node::open(root.clone(), Access::Read).await.unwrap());
    }
    let there = |n: u32| dir.path().join(format!("readers/{n}")).exists();
    // The first one stays open; the others end one after the other.
    let first = readers.remove(0);
    for reader in readers {
        reader.close().await.unwrap();
    }
    let kept: Vec<u32> = (0..7).filter(|n| there(*n)).collect();
    assert_eq!(kept, [0, 4, 5, 6]);
    first.close().await.unwrap();
    assert_eq!((0..7).filter(|n| there(*n)).count(), 4);
}
