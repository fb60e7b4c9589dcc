//! The open cores: one shared feed for each.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hypercore::Feed;
use hypercore_crypto::DiscoveryKey;

/// Which cores are open. Opening one blocks only those who want the same one.
///
/// Lock order: the table, then a slot. A slot that is locked while files are opened or closed is
/// never waited for with the table locked.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<DiscoveryKey, Entry>,
    /// The same cores, the one asked for longest ago first.
    order: BTreeMap<u64, DiscoveryKey>,
    /// Counts up with every use.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    slot: Arc<Slot>,
    /// Its key in the order.
    used: u64,
}

/// Empty while the core is being opened or closed.
type Slot = Mutex<Option<Feed>>;

impl Registry {
    /// The feed of a core, opened by `open` if it is not, and whether that was needed.
    pub(crate) fn get_or_open<E>(
        &self,
        key: &DiscoveryKey,
        open: impl FnOnce() -> Result<Feed, E>,
    ) -> Result<(Feed, bool), E> {
        let slot = lock(&self.table).touch(key);
        let mut place = lock(&slot);
        if let Some(feed) = place.as_ref().filter(|feed| !feed.is_closed()) {
            return Ok((feed.clone(), false));
        }
        // One that its user closed lets go of its files first.
        *place = None;
        let opened = open();
        *place = opened.as_ref().ok().cloned();
        drop(place);
        drop(slot);
        if opened.is_err() {
            lock(&self.table).sweep(key);
        }
        opened.map(|feed| (feed, true))
    }

    /// The feed of a core if it is open.
    pub(crate) fn find(&self, key: &DiscoveryKey) -> Option<Feed> {
        let slot = lock(&self.table).entries.get(key)?.slot.clone();
        let feed = lock(&slot).clone();
        feed.filter(|feed| !feed.is_closed())
    }

    /// Whether a core is open, or being opened or closed. Never waits.
    pub(crate) fn contains(&self, key: &DiscoveryKey) -> bool {
        lock(&self.table).entries.contains_key(key)
    }

    /// Every open feed, the one asked for longest ago first.
    pub(crate) fn feeds(&self) -> Vec<Feed> {
        let slots = lock(&self.table).slots();
        let feeds = slots.iter().filter_map(|slot| lock(slot).clone());
        feeds.filter(|feed| !feed.is_closed()).collect()
    }

    /// Whether more cores are open than `budget`.
    pub(crate) fn is_over(&self, budget: usize) -> bool {
        lock(&self.table).entries.len() > budget
    }

    /// Closes cores that nobody holds, the one asked for longest ago first, while more than
    /// `budget` are open. Returns the first error; what failed is closed too.
    pub(crate) fn close_idle(&self, budget: usize) -> io::Result<()> {
        let mut result = Ok(());
        for _ in 0..MAX_LOOKED_AT {
            let Some((key, slot)) = lock(&self.table).oldest(budget) else {
                break;
            };
            // Whoever has the slot locked is using the core.
            if let Ok(mut place) = slot.try_lock()
                && let Some(feed) = place.as_ref().filter(|feed| feed.handles() == 1)
            {
                // Those who want it now wait for the slot, and open it anew.
                result = result.and(feed.close());
                *place = None;
            }
            drop(slot);
            lock(&self.table).sweep(&key);
        }
        result
    }

    /// Closes a core, whoever holds it, and does some work while nobody can open it.
    pub(crate) fn closed<T>(&self, key: &DiscoveryKey, work: impl FnOnce() -> T) -> T {
        let slot = lock(&self.table).touch(key);
        let mut place = lock(&slot);
        if let Some(feed) = place.take() {
            // What could not be flushed is not wanted any more.
            let _ = feed.close();
        }
        let done = work();
        drop(place);
        drop(slot);
        lock(&self.table).sweep(key);
        done
    }

    /// Closes every core, held or not. Returns the first error; what failed is closed too.
    pub(crate) fn close_all(&self) -> io::Result<()> {
        let mut result = Ok(());
        let slots = lock(&self.table).slots();
        for slot in slots {
            if let Some(feed) = lock(&slot).take() {
                result = result.and(feed.close());
            }
        }
        *lock(&self.table) = Table::default();
        result
    }
}

impl Table {
    /// The slot of a core, which becomes the one asked for last.
    fn touch(&mut self, key: &DiscoveryKey) -> Arc<Slot> {
        self.uses += 1;
        let used = self.uses;
        let entry = self.entries.entry(*key).or_insert_with(|| Entry {
            slot: Arc::default(),
            used,
        });
        self.order.remove(&entry.used);
        self.order.insert(used, *key);
        entry.used = used;
        entry.slot.clone()
    }

    /// The slot asked for longest ago, if there are more than `budget`. It goes to the other end,
    /// so that those in use are not looked at again at once.
    fn oldest(&mut self, budget: usize) -> Option<(DiscoveryKey, Arc<Slot>)> {
        if self.entries.len() <= budget {
            return None;
        }
        let (_, key) = self.order.first_key_value()?;
        let key = *key;
        Some((key, self.touch(&key)))
    }

    /// Forgets a core that is not open, unless somebody is about to open it.
    fn sweep(&mut self, key: &DiscoveryKey) {
        // Slots are handed out with the table locked, so a count of one stays one.
        let vacant =
            |entry: &&Entry| Arc::strong_count(&entry.slot) == 1 && lock(&entry.slot).is_none();
        if let Some(entry) = self.entries.get(key).filter(vacant) {
            self.order.remove(&entry.used);
            self.entries.remove(key);
        }
    }

    fn slots(&self) -> Vec<Arc<Slot>> {
        let entries = self.order.values().filter_map(|key| self.entries.get(key));
        entries.map(|entry| entry.slot.clone()).collect()
    }
}

/// How many cores are looked at when there are too many, so that opening one costs the same however
/// many are held.
const MAX_LOOKED_AT: usize = 16;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
