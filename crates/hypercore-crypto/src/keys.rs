use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::{DiscoveryKey, Hash, Signature, signable};

/// Who signs a log: an Ed25519 public key. Whoever knows it may read the log.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Wraps 32 bytes. Bytes that are no point of the curve are accepted here, and verify nothing.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What may be said aloud to find the log: a hash of this key that does not reveal it.
    pub fn discovery_key(&self) -> DiscoveryKey {
        DiscoveryKey::of(self)
    }

    /// Whether `signature` is this key's over the roots that hash to `tree`, at `length` blocks.
    ///
    /// Tries the 40-byte message of hypercore 9 first, then the bare tree hash that version 8 and
    /// older signed. The equation is the strict one: canonical scalars, no small-order points.
    pub fn verify_tree(&self, tree: &Hash, length: u64, signature: &Signature) -> bool {
        self.verify(&signable(tree, length), signature) || self.verify(tree.as_bytes(), signature)
    }

    /// Whether `signature` is this key's over `message`, by the strict equation.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.0) else {
            return false;
        };
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        key.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}…)", hex::encode(&self.0[..4]))
    }
}

/// Reads 64 hex digits of either case.
impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError::Hex)?;
        Ok(Self(bytes))
    }
}

/// The secret half of a key pair, wiped from memory when dropped.
#[derive(Clone)]
pub struct SecretKey {
    bytes: Zeroizing<[u8; 64]>,
    /// The same, ready to sign: to make it from the bytes costs as much as a signature. It wipes
    /// itself.
    signing: SigningKey,
}

impl SecretKey {
    /// The stored form: 32 bytes of seed, then the 32 bytes of the public key.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.bytes
    }

    /// The public key that it belongs to. Costs nothing: every secret key was checked when it was
    /// made.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.signing.verifying_key().to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// A public key and the secret that belongs to it.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// Who signs.
    pub public: PublicKey,
    /// What signs.
    pub secret: SecretKey,
}

impl KeyPair {
    /// The pair of a 32-byte seed, the same for everyone who knows the seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        Self {
            public: PublicKey(signing.verifying_key().to_bytes()),
            secret: SecretKey {
                bytes: Zeroizing::new(signing.to_keypair_bytes()),
                signing,
            },
        }
    }

    /// Reads a stored secret key (seed, then public key).
    ///
    /// Fails when the two halves do not belong together, or when the public half is not
    /// `expected`: signatures of such a pair would be believed by nobody.
    pub fn from_secret(bytes: &[u8; 64], expected: Option<&PublicKey>) -> Result<Self, KeyError> {
        let signing =
            SigningKey::from_keypair_bytes(bytes).map_err(|_| KeyError::SecretMismatch)?;
        let public = PublicKey(signing.verifying_key().to_bytes());
        if expected.is_some_and(|key| *key != public) {
            return Err(KeyError::SecretMismatch);
        }
        Ok(Self {
            public,
            secret: SecretKey {
                bytes: Zeroizing::new(*bytes),
                signing,
            },
        })
    }

    /// Signs the roots that hash to `tree`, at `length` blocks, in the form of hypercore 9.
    pub fn sign_tree(&self, tree: &Hash, length: u64) -> Signature {
        self.sign(&signable(tree, length))
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(self.secret.signing.sign(message).to_bytes())
    }
}

/// Why a key was refused. The caller's text or the stored file is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not 64 hex digits.
    #[error("a key is 64 hex digits")]
    Hex,
    /// The secret key's public half is not the expected public key.
    #[error("the secret key does not belong to the public key")]
    SecretMismatch,
}
