//! Where things lie in the directory (docs/formats/store.md).

use hypercore_crypto::DiscoveryKey;

/// The secret from which the key pairs of named cores are derived.
pub(crate) const MASTER_KEY: &str = "master_key";
/// Our own: the id of the process that holds the store, in decimal.
pub(crate) const HOLDER: &str = "master_key.holder";
/// Our own: what the last listing of the store's cores found.
pub(crate) const INDEX: &str = "corestore.index";
/// A core's public key, 32 bytes.
pub(crate) const KEY: &str = "key";
/// The name that a core's key pair is derived from, with its length in front.
pub(crate) const NAME: &str = "name";
/// A core's secret key, 64 bytes, where the pair was given and not derived.
pub(crate) const SECRET_KEY: &str = "secret_key";
/// Our own: the secret of a core that came back from a backup, and whose length is not known yet.
pub(crate) const RESTORED: &str = "restored";
/// Our own: that the core was destroyed.
pub(crate) const DESTROYED: &str = "destroyed";
/// The hashes of a core's blocks; there from the first time that a core is opened.
pub(crate) const TREE: &str = "tree";
/// The file that stands for the whole core when it is locked.
pub(crate) const BITFIELD: &str = "bitfield";

/// The namespace under which every key pair of a corestore is derived.
pub(crate) const NAMESPACE: &str = "corestore";
/// The name of the default core outside of any [`Namespace`](crate::Namespace).
pub(crate) const DEFAULT_NAME: &[u8] = b"default";

/// The folder of a core: two levels of shards, then the whole discovery key.
pub(crate) fn folder(discovery_key: &DiscoveryKey) -> String {
    let id = hex(discovery_key.as_bytes());
    format!("{}/{}/{id}", &id[..2], &id[2..4])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}
