//! The open cores: one shared feed for each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hypercore::Feed;
use hypercore_crypto::DiscoveryKey;

/// Which cores are open. Opening one blocks only those who want the same one.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    of: HashMap<DiscoveryKey, Arc<Slot>>,
    /// Counts up with every use, to tell which core was not asked for the longest.
    uses: u64,
}

#[derive(Debug, Default)]
struct Slot {
    feed: Mutex<Option<Feed>>,
    used: Mutex<u64>,
}

impl Registry {
    /// The feed of a core, opened by `open` if it is not open, and whether that was needed.
    pub(crate) fn get_or_open<E>(
        &self,
        key: &DiscoveryKey,
        open: impl FnOnce() -> Result<Feed, E>,
    ) -> Result<(Feed, bool), E> {
        let slot = self.slot(key);
        let mut feed = locked(&slot.feed);
        match &*feed {
            Some(feed) => Ok((feed.clone(), false)),
            None => match open() {
                Ok(opened) => {
                    *feed = Some(opened.clone());
                    Ok((opened, true))
                }
                Err(error) => {
                    drop(feed);
                    drop(slot);
                    self.sweep(key);
                    Err(error)
                }
            },
        }
    }

    /// The feed of a core if it is open.
    pub(crate) fn find(&self, key: &DiscoveryKey) -> Option<Feed> {
        let slot = locked(&self.slots).of.get(key).cloned()?;
        let feed = locked(&slot.feed);
        feed.clone()
    }

    /// Every open feed, the ones asked for longest ago first.
    pub(crate) fn feeds(&self) -> Vec<Feed> {
        let mut slots: Vec<Arc<Slot>> = locked(&self.slots).of.values().cloned().collect();
        slots.sort_by_key(|slot| *locked(&slot.used));
        slots
            .iter()
            .filter_map(|slot| locked(&slot.feed).clone())
            .collect()
    }

    fn slot(&self, key: &DiscoveryKey) -> Arc<Slot> {
        let mut slots = locked(&self.slots);
        slots.uses += 1;
        let uses = slots.uses;
        let slot = slots.of.entry(*key).or_default().clone();
        *locked(&slot.used) = uses;
        slot
    }

    /// Forgets a core that is not open, unless somebody is about to open it.
    fn sweep(&self, key: &DiscoveryKey) {
        let mut slots = locked(&self.slots);
        let vacant = slots.of.get(key).is_some_and(|slot| {
            // Clones are made under the lock that we hold, so a count of one stays one.
            Arc::strong_count(slot) == 1 && locked(&slot.feed).is_none()
        });
        if vacant {
            slots.of.remove(key);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
