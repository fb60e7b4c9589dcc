use std::fmt;
use std::pin::pin;

use futures_util::future::select_all;

use super::mounts::Mounts;
use super::place::Place;
use super::{MountableTrie, trimmed};
use crate::mount::record_key;
use crate::{DiffOptions, TrieError, Watch};

/// Tells of changes at and under a prefix, in the outer trie and in all that is mounted there; made
/// by [`MountableTrie::watch`](super::MountableTrie::watch).
///
/// At most [`MAX_WATCHED`] tries are watched at once; more are an error.
pub struct MountedWatch {
    view: MountableTrie,
    prefix: String,
    /// Empty until the tries were found, and when they have to be found anew.
    watched: Vec<Watched>,
    /// Where each trie stood when it was last looked at.
    seen: Vec<([u8; 32], u64)>,
}

/// The most tries that one watch looks at.
pub const MAX_WATCHED: usize = 1024;

struct Watched {
    key: [u8; 32],
    values: Watch,
    records: Watch,
}

impl MountedWatch {
    pub(super) fn new(view: MountableTrie, prefix: &str) -> Self {
        let key = *view.trie.feed().public_key().as_bytes();
        let seen = vec![(key, view.version())];
        let view = MountableTrie {
            trie: view.trie.newest(),
            ..view
        };
        Self {
            view,
            prefix: trimmed(prefix).to_owned(),
            watched: Vec::new(),
            seen,
        }
    }

    /// Waits for the next change; see [`Watch::next`]. Mounts that come and go are changes, and
    /// what is mounted is watched from then on. Cancel-safe.
    pub async fn next(&mut self) -> Result<(), TrieError> {
        loop {
            if self.watched.is_empty() {
                self.find().await?;
            }
            let waiting = self.watched.iter();
            let waiting = waiting.map(|watched| Box::pin(watched.values.grown()));
            let (version, index, _) = pin!(select_all(waiting)).await;
            let version = version?;
            let watched = &mut self.watched[index];
            let records = watched
                .records
                .differs(version, DiffOptions::new().hidden(true))
                .await?;
            let values = watched.values.check(version).await?;
            watched.records.pass(version);
            if records {
                // What is mounted has to be looked up again, and goes on from where it stood.
                self.remember();
                self.watched.clear();
            }
            if values || records {
                return Ok(());
            }
        }
    }

    fn remember(&mut self) {
        let stood = self.watched.iter();
        self.seen = stood
            .map(|watched| (watched.key, watched.values.seen()))
            .collect();
    }

    /// Finds the tries on the way to the prefix, and those mounted under it.
    async fn find(&mut self) -> Result<(), TrieError> {
        let mut watched = Vec::new();
        let (place, _) = self.view.resolve(&self.prefix, true).await?;
        // What is mounted above the prefix, from the outer trie on.
        let mut above = Place::root(&self.view.trie);
        while above.depth() < place.depth() && above.trie.checked_out().is_none() {
            let inner = above.inner(&self.prefix);
            let Some(mount) = above.trie.mount_above(&inner).await? else {
                break;
            };
            watched.push(self.watch(&above, &mount.path));
            above = self.view.enter(&above, &mount).await?;
        }
        // In a version that was mounted nothing changes any more.
        if place.trie.checked_out().is_none() {
            watched.push(self.watch(&place, &place.inner(&self.prefix)));
        }
        let mut mounts = Mounts::new(self.view.clone(), true);
        while let Some((at, place)) = mounts.advance().await? {
            let path = trimmed(&at.path);
            let below = path
                .strip_prefix(&*self.prefix)
                .is_some_and(|rest| self.prefix.is_empty() || rest.starts_with('/'));
            let key = place_key(&place);
            let pinned = place.trie.checked_out().is_some();
            if !below || pinned || watched.iter().any(|watched: &Watched| watched.key == key) {
                continue;
            }
            if watched.len() == MAX_WATCHED {
                return Err(TrieError::TooManyMounts { limit: MAX_WATCHED });
            }
            watched.push(self.watch(&place, &place.inner(&place.at)));
        }
        self.watched = watched;
        Ok(())
    }

    fn watch(&self, place: &Place, inner: &str) -> Watched {
        let key = place_key(place);
        let known = self.seen.iter().find(|(known, _)| *known == key);
        let version = known.map_or(place.trie.version(), |(_, version)| *version);
        Watched {
            key,
            values: Watch::new(place.trie.clone(), inner, version),
            records: Watch::new(place.trie.clone(), &record_key(inner), version),
        }
    }
}

fn place_key(place: &Place) -> [u8; 32] {
    *place.trie.feed().public_key().as_bytes()
}

impl fmt::Debug for MountedWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MountedWatch")
            .field("prefix", &self.prefix)
            .field("watched", &self.watched.len())
            .finish_non_exhaustive()
    }
}
