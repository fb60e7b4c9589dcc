//! Renaming, which the format has no record for: the new names are written, and the old ones let go
//! of, in one append.

use crate::iter::order;
use crate::mount::{MountRecord, record_key};
use crate::node::Stored;
use crate::path::{PathBuf, components, normalize};
use crate::reader::{Found, placed};
use crate::{Batch, GetOptions, KeyError, NodeError, PutOptions, Trie, TrieError};

impl Trie {
    /// Gives the entry of one key another key, in one append. What is at the new key is replaced;
    /// what is under either key stays where it is. A mount moves with its record. False if there is
    /// no such key.
    pub async fn rename(&self, from: &str, to: &str) -> Result<bool, TrieError> {
        let mut batch = self.begin().await?;
        let renamed = batch.rename(from, to).await?;
        batch.commit()?;
        Ok(renamed)
    }

    /// Moves all that is at and under a prefix to another one, in one append; see
    /// [`Batch::rename_prefix`]. Gives the number of entries moved.
    pub async fn rename_prefix(&self, from: &str, to: &str) -> Result<u64, TrieError> {
        let mut batch = self.begin().await?;
        let moved = batch.rename_prefix(from, to).await?;
        batch.commit()?;
        Ok(moved)
    }
}

impl Batch {
    /// Gives the entry of one key another key; see [`Trie::rename`].
    ///
    /// After an error the batch is as it was.
    pub async fn rename(&mut self, from: &str, to: &str) -> Result<bool, TrieError> {
        let (from, to) = (normalize(from), normalize(to));
        self.check_names(from, to).await?;
        let mark = self.mark();
        let renamed = self.move_key(from, to).await;
        if renamed.is_err() {
            self.rewind(mark);
        }
        renamed
    }

    /// Moves all visible entries at and under a prefix to another one. What is at and under the new
    /// prefix is replaced. Mounts below move with their records, hidden as those are. Gives the
    /// number of entries moved; 0, with nothing done, if there are none.
    ///
    /// It takes one node for each entry and one that lets go of the old prefix, so readers of any
    /// kind see the new names and no others. All entries are held in memory until the commit. After
    /// an error the batch is as it was.
    ///
    /// A prefix cannot be moved to below itself ([`TrieError::IntoItself`]), nor into or out of a
    /// mount ([`TrieError::AcrossMounts`]).
    pub async fn rename_prefix(&mut self, from: &str, to: &str) -> Result<u64, TrieError> {
        let (from, to) = (normalize(from), normalize(to));
        self.check_names(from, to).await?;
        if is_under(to, from) {
            return match is_under(from, to) {
                true => Ok(0),
                false => Err(TrieError::IntoItself),
            };
        }
        let mark = self.mark();
        let moved = self.move_prefix(from, to).await;
        if moved.is_err() {
            self.rewind(mark);
        }
        moved
    }

    async fn check_names(&self, from: &str, to: &str) -> Result<(), TrieError> {
        for name in [from, to] {
            if components(name).next().is_none() {
                return Err(KeyError::Empty.into());
            }
            let mount = self.mount_above(name).await?;
            if mount.is_some_and(|mount| !is_under(&mount.path, name)) {
                return Err(TrieError::AcrossMounts);
            }
        }
        Ok(())
    }

    async fn move_key(&mut self, from: &str, to: &str) -> Result<bool, TrieError> {
        let Some(entry) = self.get(from).await? else {
            return Ok(false);
        };
        if is_under(from, to) && is_under(to, from) {
            return Ok(true);
        }
        let hidden = PutOptions::new().hidden(true);
        let record = self
            .get_with(&record_key(from), GetOptions::new().hidden(true))
            .await?;
        self.del_with(&record_key(to), hidden).await?;
        if let Some(record) = record {
            let moved = MountRecord::moved(&record, to)?;
            let options = hidden.flags(record.flags);
            self.put_with(&record_key(to), moved, options).await?;
            self.del_with(&record.key, hidden).await?;
        }
        let options = PutOptions::new().flags(entry.flags);
        self.put_with(to, entry.value, options).await?;
        self.del(&entry.key).await?;
        Ok(true)
    }

    async fn move_prefix(&mut self, from: &str, to: &str) -> Result<u64, TrieError> {
        let entries = self.collect(from, false).await?;
        if entries.is_empty() {
            return Ok(0);
        }
        let hidden = PutOptions::new().hidden(true);
        let (old_records, new_records) = (record_key(from), record_key(to));
        let records = self.collect(&old_records, true).await?;

        self.remove_prefix_with(&new_records, hidden).await?;
        self.remove_prefix(to).await?;
        for record in &records {
            let node = record.to_node();
            let key = renamed(&node.key, &old_records, &new_records);
            let path = renamed(&node.key, &old_records, to);
            let value = MountRecord::moved(&node, &path)?;
            let options = hidden.flags(node.flags);
            self.put_with(&key, value, options).await?;
        }
        for entry in &entries {
            let key = renamed(entry.path().key(), from, to);
            let options = PutOptions::new().flags(entry.flags());
            self.put_with(&key, entry.value(), options).await?;
        }
        // Those that were below the new prefix are gone already, or rather written anew.
        if !is_under(from, to) {
            if !records.is_empty() {
                self.remove_prefix_with(&old_records, hidden).await?;
            }
            self.remove_prefix(from).await?;
        }
        Ok(entries.len() as u64)
    }

    /// All nodes at and under a prefix, in the order of a listing.
    async fn collect(&self, prefix: &str, hidden: bool) -> Result<Vec<Stored>, TrieError> {
        let Some(head) = self.head() else {
            return Ok(Vec::new());
        };
        let path = PathBuf::new(prefix, hidden, self.shared().hash);
        let path = path.get();
        let start = path.len() - 1;
        let mut stack = match self.reader().find(head, path, start).await? {
            Found::At(node) => vec![(start, node)],
            Found::Stuck(_) => Vec::new(),
        };
        let mut found = Vec::new();
        while let Some((index, node)) = stack.pop() {
            let Some((index, bucket)) = node.links().from(index).next() else {
                found.push(node);
                continue;
            };
            for digit in order(false) {
                if node.path().digit(index) == digit {
                    stack.push((index + 1, node.clone()));
                }
                for target in bucket.chain(digit) {
                    let Some(next) = self.reader().load(target).await? else {
                        continue;
                    };
                    let next = placed(next, node.path(), index)?;
                    if next.path().digit(index) != digit {
                        return Err(TrieError::Corrupt {
                            seq: next.seq,
                            source: NodeError::Misplaced,
                        });
                    }
                    stack.push((index + 1, next));
                }
            }
        }
        Ok(found)
    }
}

/// Whether a path is another one or below it.
fn is_under(path: &str, above: &str) -> bool {
    let mut names = components(path);
    components(above).all(|name| names.next() == Some(name))
}

/// The key of an entry at or under `from` once that is called `to`.
fn renamed(key: &str, from: &str, to: &str) -> String {
    let mut key_after = to.trim_end_matches('/').to_owned();
    for name in components(key).skip(components(from).count()) {
        key_after.push('/');
        key_after.push_str(name);
    }
    key_after
}
