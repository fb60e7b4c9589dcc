use std::error::Error;
use std::fmt::Debug;

use hypercore_crypto::{KeyPair, PublicKey, Signature};

/// Signs a log with a secret key that is kept elsewhere: in hardware, or in another process.
///
/// A log calls it once for each append, while it is locked; so a slow one makes slow appends. What it
/// returns is checked before it is believed.
pub trait Signer: Debug + Send + Sync {
    /// Whose log this is.
    fn public_key(&self) -> PublicKey;

    /// An Ed25519 signature over a message of 40 bytes: the hash of the log's roots, and its length.
    /// After an error nothing is appended.
    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn Error + Send + Sync>>;
}

/// The key is here.
impl Signer for KeyPair {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn Error + Send + Sync>> {
        Ok(KeyPair::sign(self, message))
    }
}
