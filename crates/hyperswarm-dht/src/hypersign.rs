//! The signatures of mutable values.

use blake2::digest::consts::{U16, U32, U64};
use blake2::{Blake2b, Digest};
use hypercore_crypto::{KeyPair, PublicKey, Signature};

use crate::ValueError;
use crate::config::{MAX_SALT_BYTES, MAX_VALUE_BYTES};

/// What the signature of a mutable value covers: salt, number and value, each named and with its
/// length, as in BitTorrent's BEP 44 without the dictionary around it.
///
/// A salt of no bytes is not the same as none.
pub fn signable(value: &[u8], seq: u64, salt: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(salt) = salt {
        out.extend_from_slice(format!("4:salt{}:", salt.len()).as_bytes());
        out.extend_from_slice(salt);
    }
    out.extend_from_slice(format!("3:seqi{seq}e1:v{}:", value.len()).as_bytes());
    out.extend_from_slice(value);
    out
}

/// A salt of 16, 32 or 64 bytes from a name: its BLAKE2b digest of that size. Since the size is part
/// of the hash, the short one is no prefix of the long one.
pub fn salt_from_name(name: &[u8], bytes: usize) -> Result<Vec<u8>, ValueError> {
    Ok(match bytes {
        16 => Blake2b::<U16>::digest(name).to_vec(),
        32 => Blake2b::<U32>::digest(name).to_vec(),
        64 => Blake2b::<U64>::digest(name).to_vec(),
        length => return Err(ValueError::Salt { length }),
    })
}

/// A value that its owner may replace by one with a higher number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedValue {
    /// Whose value it is; also the point of the space near which it is stored.
    pub key: PublicKey,
    /// Tells values of one key apart; at most [`MAX_SALT_BYTES`].
    pub salt: Option<Vec<u8>>,
    /// The number, which grows with each new value.
    pub seq: u64,
    /// The value; at most [`MAX_VALUE_BYTES`].
    pub value: Vec<u8>,
    /// The owner's signature over the three.
    pub signature: Signature,
}

impl SignedValue {
    /// Signs a value.
    pub fn sign(
        pair: &KeyPair,
        value: &[u8],
        seq: u64,
        salt: Option<&[u8]>,
    ) -> Result<Self, ValueError> {
        let signed = Self {
            key: pair.public,
            salt: salt.map(<[u8]>::to_vec),
            seq,
            value: value.to_vec(),
            signature: pair.sign(&signable(value, seq, salt)),
        };
        signed.check_sizes()?;
        Ok(signed)
    }

    /// Whether sizes are in bounds and the signature is the owner's.
    pub fn verify(&self) -> Result<(), ValueError> {
        self.check_sizes()?;
        let signable = signable(&self.value, self.seq, self.salt.as_deref());
        if self.key.verify(&signable, &self.signature) {
            Ok(())
        } else {
            Err(ValueError::Signature)
        }
    }

    fn check_sizes(&self) -> Result<(), ValueError> {
        let length = self.value.len();
        if length > MAX_VALUE_BYTES {
            return Err(ValueError::Value { length });
        }
        match self.salt.as_ref().map(Vec::len) {
            Some(length) if length > MAX_SALT_BYTES => Err(ValueError::Salt { length }),
            _ if self.seq > MAX_SEQ => Err(ValueError::Seq { seq: self.seq }),
            _ => Ok(()),
        }
    }
}

/// The reference counts in doubles.
const MAX_SEQ: u64 = (1 << 53) - 1;
