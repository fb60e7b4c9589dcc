//! The values that are kept for others.

use std::net::Ipv4Addr;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};

use crate::config::{MAX_SALT_BYTES, MAX_VALUE_BYTES};
use crate::shelf::Shelf;
use crate::{Config, Id, SignedValue, Timestamp};

/// Values under their hash, and values under the key that signed them.
#[derive(Debug)]
pub(crate) struct Values {
    shelf: Shelf<Key, Value>,
}

/// Both kinds share one shelf, and its limits.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Key {
    Immutable(Id),
    /// A salt of no bytes names the same place as none, as in the reference.
    Mutable(Id, Vec<u8>),
}

#[derive(Debug)]
enum Value {
    Immutable(Vec<u8>),
    Mutable(SignedValue),
}

/// Why a value was not stored.
#[derive(Debug)]
pub(crate) enum Refusal<'a> {
    /// Too long, or its hash or signature is another.
    Invalid,
    /// Another value has the same number.
    SameSeq(&'a SignedValue),
    /// A newer one is stored.
    Older(&'a SignedValue),
}

impl Values {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            shelf: Shelf::new(
                config.max_values,
                config.max_values_per_ip,
                config.value_age,
            ),
        }
    }

    pub(crate) fn immutable(&self, target: &Id) -> Option<&[u8]> {
        match self.shelf.get(&Key::Immutable(*target))? {
            Value::Immutable(value) => Some(value),
            Value::Mutable(_) => None,
        }
    }

    pub(crate) fn mutable(&self, target: &Id, salt: Option<&[u8]>) -> Option<&SignedValue> {
        match self.shelf.get(&mutable_key(target, salt))? {
            Value::Mutable(value) => Some(value),
            Value::Immutable(_) => None,
        }
    }

    pub(crate) fn put_immutable(
        &mut self,
        target: Id,
        value: &[u8],
        source: Ipv4Addr,
        now: Timestamp,
    ) -> Result<(), Refusal<'_>> {
        if value.len() > MAX_VALUE_BYTES || hash(value) != target {
            return Err(Refusal::Invalid);
        }
        let value = Value::Immutable(value.to_vec());
        self.shelf
            .insert(Key::Immutable(target), value, source, now);
        Ok(())
    }

    /// Stores a value whose number is higher than that of the one that is there.
    pub(crate) fn put_mutable(
        &mut self,
        value: SignedValue,
        source: Ipv4Addr,
        now: Timestamp,
    ) -> Result<(), Refusal<'_>> {
        let too_long = value.value.len() > MAX_VALUE_BYTES
            || value
                .salt
                .as_ref()
                .is_some_and(|salt| salt.len() > MAX_SALT_BYTES);
        if too_long {
            return Err(Refusal::Invalid);
        }
        let target = Id::from_bytes(*value.key.as_bytes());
        let key = mutable_key(&target, value.salt.as_deref());
        if let Some(Value::Mutable(stored)) = self.shelf.get(&key) {
            let same = stored.seq == value.seq;
            // The very same value once more: its owner keeps it alive.
            if !(same && stored.value == value.value) && stored.seq >= value.seq {
                let Some(Value::Mutable(stored)) = self.shelf.get(&key) else {
                    return Err(Refusal::Invalid);
                };
                return Err(if same {
                    Refusal::SameSeq(stored)
                } else {
                    Refusal::Older(stored)
                });
            }
        }
        if value.verify().is_err() {
            return Err(Refusal::Invalid);
        }
        self.shelf.insert(key, Value::Mutable(value), source, now);
        Ok(())
    }

    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.shelf.expire(now);
    }

    pub(crate) fn len(&self) -> usize {
        self.shelf.len()
    }
}

/// Where an immutable value is stored: its BLAKE2b-256 hash.
pub(crate) fn hash(value: &[u8]) -> Id {
    Id::from_bytes(Blake2b::<U32>::digest(value).into())
}

fn mutable_key(target: &Id, salt: Option<&[u8]>) -> Key {
    Key::Mutable(*target, salt.unwrap_or_default().to_vec())
}
