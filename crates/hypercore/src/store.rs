//! The files of one log.
//!
//! `tree`, `signatures` and `bitfield` begin with a header of 32 bytes; `data` is the blocks, one
//! after the other. What was never written reads as zero and counts as absent.

use std::io;
use std::sync::Arc;

use hypercore_storage::{MemoryDir, OpenMode, Storage, StorageDir};

use crate::{NodeIndex, OpenError};

mod blocks;
mod header;
mod journal;
mod nodes;
mod pages;
mod signatures;

pub(crate) use blocks::BlockFile;
pub(crate) use journal::{Base, Journal, Record};
pub(crate) use nodes::NodeFile;
pub(crate) use pages::PageFile;
pub(crate) use signatures::SignatureFile;

/// The open files of one log, all but the keys.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) nodes: NodeFile,
    pub(crate) signatures: SignatureFile,
    pub(crate) blocks: BlockFile,
    pub(crate) pages: PageFile,
    pub(crate) journal: Journal,
}

impl Store {
    pub(crate) fn open(
        dir: &Arc<dyn StorageDir>,
        read_only: bool,
        cached_nodes: usize,
    ) -> Result<Self, OpenError> {
        // Every header is looked at before one is written, so that a refused directory stays as it
        // was.
        let open = |name| open_file(&**dir, name, read_only);
        let pages = PageFile::open(open("bitfield")?)?;
        let nodes = NodeFile::open(open("tree")?, cached_nodes)?;
        let signatures = SignatureFile::open(open("signatures")?)?;
        let mut store = Self {
            nodes,
            signatures,
            blocks: BlockFile::open(dir.clone(), read_only)?,
            pages,
            journal: Journal::open(dir.clone(), read_only)?,
        };
        if !read_only {
            store.pages.write_header()?;
            store.nodes.write_header()?;
            store.signatures.write_header()?;
        }
        Ok(store)
    }

    /// The files that [`sync_content`](Self::sync_content) syncs, in its order.
    pub(crate) fn content_files(&self) -> Vec<Arc<dyn Storage>> {
        let files = [self.nodes.file(), self.signatures.file()];
        self.blocks.handle().into_iter().chain(files).collect()
    }

    /// Makes the blocks, nodes and signatures written before durable. The bitfield comes after.
    pub(crate) fn sync_content(&self) -> io::Result<()> {
        self.blocks.sync()?;
        self.nodes.sync()?;
        self.signatures.sync()
    }
}

fn open_file(dir: &dyn StorageDir, name: &str, read_only: bool) -> io::Result<Arc<dyn Storage>> {
    if !read_only {
        return dir.open(name, OpenMode::Create);
    }
    match dir.open(name, OpenMode::ReadOnly) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            MemoryDir::new().open(name, OpenMode::Create)
        }
        opened => opened,
    }
}

/// A node of a log's tree: the hash and the number of bytes of everything below it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Node {
    /// Its place.
    pub index: NodeIndex,
    /// The leaf hash of its block, or the parent hash of its children.
    pub hash: hypercore_crypto::Hash,
    /// The bytes in the blocks below it.
    pub size: u64,
}

impl Node {
    /// The parent of two siblings, left and right; `None` if their sizes cannot be right.
    pub(crate) fn above(left: Self, right: Self) -> Option<Self> {
        let size = left.size.checked_add(right.size)?;
        Some(Self {
            index: left.index.parent(),
            hash: hypercore_crypto::parent_hash(size, &left.hash, &right.hash),
            size,
        })
    }

    /// As [`Node::above`], in any order.
    pub(crate) fn above_any(one: Self, other: Self) -> Option<Self> {
        if one.index < other.index {
            Self::above(one, other)
        } else {
            Self::above(other, one)
        }
    }

    /// Whether hash and size follow from those of two siblings, given in any order.
    pub(crate) fn is_parent_of(&self, one: Self, other: Self) -> bool {
        Self::above_any(one, other).is_some_and(|parent| parent == *self)
    }
}
