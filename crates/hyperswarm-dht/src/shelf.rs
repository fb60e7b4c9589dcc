//! What is kept for others: bounded, aged, and shared out fairly between those who bring it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::RangeBounds;
use std::time::Duration;

use crate::Timestamp;
use crate::address::{Subnet, is_limited};

/// Entries by key. When there are too many, the oldest of the /24 network that has most gives way,
/// so that a flood pushes out itself.
#[derive(Debug)]
pub(crate) struct Shelf<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    /// Keys by age.
    ages: BTreeMap<u64, K>,
    ips: BTreeMap<Ipv4Addr, BTreeSet<u64>>,
    subnets: BTreeMap<Subnet, BTreeSet<u64>>,
    largest: BTreeSet<(usize, Subnet)>,
    next_age: u64,
    max_entries: usize,
    max_per_ip: usize,
    max_age: Duration,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    source: Ipv4Addr,
    stored: Timestamp,
    age: u64,
}

impl<K: Clone + Ord, V> Shelf<K, V> {
    pub(crate) fn new(max_entries: usize, max_per_ip: usize, max_age: Duration) -> Self {
        Self {
            entries: BTreeMap::new(),
            ages: BTreeMap::new(),
            ips: BTreeMap::new(),
            subnets: BTreeMap::new(),
            largest: BTreeSet::new(),
            next_age: 0,
            max_entries,
            max_per_ip,
            max_age,
        }
    }

    /// Stores or renews an entry. Returns the keys that gave way, which may include this one.
    pub(crate) fn insert(&mut self, key: K, value: V, source: Ipv4Addr, now: Timestamp) -> Vec<K> {
        self.remove(&key);
        let age = self.next_age;
        self.next_age += 1;
        self.ages.insert(age, key.clone());
        self.ips.entry(source).or_default().insert(age);
        self.count(Subnet::of(source), |ages| ages.insert(age));
        let entry = Entry {
            value,
            source,
            stored: now,
            age,
        };
        self.entries.insert(key, entry);

        let mut gone = Vec::new();
        if is_limited(source)
            && let Some(ages) = self.ips.get(&source)
            && ages.len() > self.max_per_ip
            && let Some(oldest) = ages.first().copied()
        {
            gone.extend(self.remove_age(oldest));
        }
        while self.entries.len() > self.max_entries {
            let Some(oldest) = self
                .largest
                .last()
                .and_then(|(_, subnet)| self.subnets.get(subnet)?.first().copied())
            else {
                break;
            };
            gone.extend(self.remove_age(oldest));
        }
        gone
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.ages.remove(&entry.age);
        if let Some(ages) = self.ips.get_mut(&entry.source) {
            ages.remove(&entry.age);
            if ages.is_empty() {
                self.ips.remove(&entry.source);
            }
        }
        self.count(Subnet::of(entry.source), |ages| ages.remove(&entry.age));
        Some(entry.value)
    }

    /// Removes what is too old, and returns its keys.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<K> {
        let mut gone = Vec::new();
        while let Some((age, key)) = self.ages.first_key_value() {
            let fresh = self
                .entries
                .get(key)
                .is_some_and(|it| now.saturating_since(it.stored) < self.max_age);
            if fresh {
                break;
            }
            let age = *age;
            gone.extend(self.remove_age(age));
        }
        gone
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Keys, who brought each, and its age: a larger number is younger.
    pub(crate) fn range(
        &self,
        range: impl RangeBounds<K>,
    ) -> impl Iterator<Item = (&K, Ipv4Addr, u64)> {
        self.entries
            .range(range)
            .map(|(key, entry)| (key, entry.source, entry.age))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn remove_age(&mut self, age: u64) -> Option<K> {
        let key = self.ages.get(&age)?.clone();
        self.remove(&key);
        Some(key)
    }

    /// Changes the ages of a network, and where it stands among the largest.
    fn count(&mut self, subnet: Subnet, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let ages = self.subnets.entry(subnet).or_default();
        self.largest.remove(&(ages.len(), subnet));
        change(ages);
        if ages.is_empty() {
            self.subnets.remove(&subnet);
        } else {
            self.largest.insert((ages.len(), subnet));
        }
    }
}
