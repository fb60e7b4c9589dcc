use std::fmt;

use blake2::Blake2bMac;
use blake2::digest::consts::U32;
use blake2::digest::{KeyInit, Mac};
use hypercore_crypto::PublicKey;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The two keys that the handshake left to this side.
///
/// Beside keying the ciphers, they bind a proof that a peer knows a core's key to this very
/// connection, and to its direction: a reflected proof is a wrong one.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Split {
    pub(crate) send: [u8; 32],
    pub(crate) receive: [u8; 32],
}

impl Split {
    /// What we send to prove that we know `key`.
    pub(crate) fn capability(&self, key: &PublicKey) -> [u8; 32] {
        prove(&self.receive, &self.send, key)
    }

    /// Whether the remote has proved to know `key`. Takes the same time for every wrong proof.
    pub(crate) fn verify(&self, key: &PublicKey, capability: Option<&[u8; 32]>) -> bool {
        let expected = prove(&self.send, &self.receive, key);
        capability.is_some_and(|capability| bool::from(expected.ct_eq(capability)))
    }
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Split(…)")
    }
}

/// `docs/formats/wire.md`, "Capability".
fn prove(mac_key: &[u8; 32], direction: &[u8; 32], key: &PublicKey) -> [u8; 32] {
    let mut mac = Blake2bMac::<U32>::new_from_slice(mac_key).expect("BLAKE2b takes 32-byte keys");
    mac.update(b"hypercore capability");
    mac.update(direction);
    mac.update(key.as_bytes());
    mac.finalize().into_bytes().into()
}
