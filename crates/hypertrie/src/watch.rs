use crate::{DiffOptions, Trie, TrieError};

/// Tells of changes at and under a prefix, made by [`Trie::watch`].
#[derive(Debug)]
pub struct Watch {
    trie: Trie,
    prefix: String,
    /// The version up to which changes were told of.
    seen: u64,
}

impl Watch {
    pub(crate) fn new(trie: Trie, prefix: &str, seen: u64) -> Self {
        Self {
            trie,
            prefix: prefix.to_owned(),
            seen,
        }
    }

    /// Waits for the next version in which something at or under the prefix differs from the last
    /// one told of, and gives it. Versions that come faster than they are asked for are told of as
    /// one.
    ///
    /// Keeps asking connected peers for newer versions. A node that a deletion beside it writes again
    /// is no change, and neither is storing what is stored already. Cancel-safe.
    pub async fn next(&mut self) -> Result<u64, TrieError> {
        loop {
            let version = self.grown().await?;
            if self.check(version).await? {
                return Ok(version);
            }
        }
    }

    /// Waits for a version that was not looked at.
    pub(crate) async fn grown(&self) -> Result<u64, TrieError> {
        let seq = self.seen;
        let grown = self.trie.feed().wait_longer_than(seq).await;
        grown.map_err(|source| TrieError::Read { seq, source })
    }

    /// Whether anything differs in a version that was not looked at.
    pub(crate) async fn check(&mut self, version: u64) -> Result<bool, TrieError> {
        let differs = self.differs(version, DiffOptions::new()).await?;
        self.pass(version);
        Ok(differs)
    }

    /// Leaves a version behind.
    pub(crate) fn pass(&mut self, version: u64) {
        self.seen = version;
    }

    /// Whether anything differs between a version and the one seen last.
    pub(crate) async fn differs(
        &self,
        version: u64,
        options: DiffOptions,
    ) -> Result<bool, TrieError> {
        let now = self.trie.checkout(version);
        let mut changes = now.diff(self.seen, &self.prefix, options);
        while let Some(change) = changes.next().await? {
            if !change.is_rewrite() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }
}
