use std::fmt;
use std::str::FromStr;

use hypercore_crypto::DiscoveryKey;

/// A point of the 256-bit space in which nodes and what they store are near or far: a node's id, a
/// topic, the hash or the key of a value.
///
/// Node ids are random and prove nothing.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Id([u8; 32]);

impl Id {
    /// Length in bytes.
    pub const BYTES: usize = 32;

    /// Wraps 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// How far `other` is: the exclusive or of the two, as a big-endian number.
    pub fn distance(&self, other: &Self) -> Distance {
        let mut words = [0; 4];
        for (word, (a, b)) in words
            .iter_mut()
            .zip(self.0.chunks_exact(8).zip(other.0.chunks_exact(8)))
        {
            *word = read_word(a) ^ read_word(b);
        }
        Distance(words)
    }

    /// This id with the bit after `shared` others flipped, and those behind it from `rest`: an id
    /// that shares exactly so many leading bits with this one.
    pub(crate) fn diverging(&self, shared: usize, rest: &[u8; 32]) -> Self {
        let mut bytes = *rest;
        for bit in 0..=shared.min(255) {
            let (byte, mask) = (bit / 8, 0x80 >> (bit % 8));
            let flip = if bit == shared { mask } else { 0 };
            bytes[byte] = bytes[byte] & !mask | (self.0[byte] ^ flip) & mask;
        }
        Self(bytes)
    }

    /// The id of 32 bytes in a slice; `None` if there are more or fewer.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

fn read_word(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

impl From<DiscoveryKey> for Id {
    fn from(key: DiscoveryKey) -> Self {
        Self(*key.as_bytes())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({}…)", hex::encode(&self.0[..4]))
    }
}

/// Reads 64 hex digits of either case.
impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError)?;
        Ok(Self(bytes))
    }
}

/// Why a text is no id. The text is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an id is 64 hex digits")]
pub struct IdError;

/// How far two ids are from each other. Smaller is nearer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Distance([u64; 4]);

impl Distance {
    /// How many leading bits the two ids share: 0 to 256.
    pub fn shared_bits(&self) -> u32 {
        let mut bits = 0;
        for word in self.0 {
            bits += word.leading_zeros();
            if word != 0 {
                break;
            }
        }
        bits
    }

    /// The distance as a share of the whole space: 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        const WORD: f64 = 18_446_744_073_709_551_616.0;
        self.0
            .iter()
            .rev()
            .fold(0.0, |share, word| (share + *word as f64) / WORD)
    }
}

#[cfg(test)]
mod tests {
    use super::Id;

    #[test]
    fn diverging_ids_share_as_many_bits() {
        let id = Id::from_bytes([0x5a; 32]);
        for shared in 0..256 {
            for rest in [[0; 32], [0xff; 32], [0x5a; 32]] {
                let other = id.diverging(shared, &rest);
                assert_eq!(id.distance(&other).shared_bits() as usize, shared);
            }
        }
    }
}
