//! Where a walk stands, as bytes: the index of a digit and one or two seqs for each part that is
//! left, all as varints.

use crate::TrieError;
use crate::links::{put_varint, take_varint};

/// Appends one place.
pub(crate) fn put_place(index: usize, seqs: &[u64], out: &mut Vec<u8>) {
    put_varint(index as u64, out);
    for seq in seqs {
        put_varint(*seq, out);
    }
}

/// Reads the places of a checkpoint, which may come from anywhere.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    bytes: &'a [u8],
    version: u64,
    first: usize,
}

impl<'a> Places<'a> {
    /// Places in a trie of this version, none of them before digit `first`.
    pub(crate) fn new(bytes: &'a [u8], version: u64, first: usize) -> Self {
        Self {
            bytes,
            version,
            first,
        }
    }

    /// The next place's index; `None` at the end.
    pub(crate) fn index(&mut self) -> Result<Option<usize>, TrieError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let index = take_varint(&mut self.bytes)
            .ok()
            .and_then(|index| usize::try_from(index).ok());
        match index.filter(|index| *index >= self.first) {
            Some(index) => Ok(Some(index)),
            None => Err(TrieError::Checkpoint),
        }
    }

    /// A seq of the place.
    pub(crate) fn seq(&mut self) -> Result<u64, TrieError> {
        let seq = take_varint(&mut self.bytes).map_err(|_| TrieError::Checkpoint)?;
        if seq >= self.version {
            Err(TrieError::Checkpoint)
        } else {
            Ok(seq)
        }
    }
}
