use std::fmt;
use std::str::FromStr;

use blake2::Blake2bMac;
use blake2::digest::consts::U32;
use blake2::digest::{KeyInit, Mac};

use crate::{KeyError, PublicKey};

/// What may be said aloud to find a log, without telling who could not know its public key.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DiscoveryKey([u8; 32]);

impl DiscoveryKey {
    /// The discovery key of a public key: BLAKE2b-256 keyed with it, over the word `hypercore`.
    pub fn of(key: &PublicKey) -> Self {
        let mut mac = Blake2bMac::<U32>::new_from_slice(key.as_bytes())
            .expect("BLAKE2b takes keys of up to 64 bytes");
        mac.update(b"hypercore");
        Self(mac.finalize().into_bytes().into())
    }

    /// Wraps 32 bytes, as received.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for DiscoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DiscoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DiscoveryKey({}…)", hex::encode(&self.0[..4]))
    }
}

/// Reads 64 hex digits of either case.
impl FromStr for DiscoveryKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError::Hex)?;
        Ok(Self(bytes))
    }
}
