use blake2::Blake2bMac;
use blake2::digest::consts::U32;
use blake2::digest::{KeyInit, Mac};
use zeroize::Zeroizing;

use crate::KeyPair;

/// Derives the key pair that belongs to `name` in `namespace` under a store's master key.
///
/// Its seed is what [`derive_secret`] gives. Corestore always uses the namespace `corestore`.
pub fn derive_key_pair(master_key: &[u8; 32], namespace: &str, name: &[u8]) -> KeyPair {
    KeyPair::from_seed(&derive_secret(master_key, namespace, name))
}

/// Derives the secret that belongs to `name` in `namespace` under a store's master key.
///
/// It is BLAKE2b-256 keyed with the master key over the namespace's length in decimal, a line feed,
/// the namespace, and the name's raw bytes.
pub fn derive_secret(master_key: &[u8; 32], namespace: &str, name: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac = Blake2bMac::<U32>::new_from_slice(master_key)
        .expect("BLAKE2b takes keys of up to 64 bytes");
    mac.update(namespace.len().to_string().as_bytes());
    mac.update(b"\n");
    mac.update(namespace.as_bytes());
    mac.update(name);
    Zeroizing::new(mac.finalize().into_bytes().into())
}
