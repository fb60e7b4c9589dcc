use std::fmt;

use zeroize::Zeroizing;

use crate::salsa::{GROUP_BYTES, Salsa};

/// One direction of the transport: a key stream that continues over all frames, and authenticates
/// nothing (`docs/formats/wire.md`, "Transport encryption").
pub(crate) struct Cipher {
    salsa: Salsa,
    /// Key stream that was computed, because blocks of it are cheaper by the group.
    ahead: Box<Zeroizing<[u8; GROUP_BYTES]>>,
    /// How much of it was used.
    used: usize,
}

impl Cipher {
    /// The key is the direction's half of the Noise split, the nonce its sender's.
    pub(crate) fn new(key: &[u8; 32], nonce: &[u8; 24]) -> Self {
        Self {
            salsa: Salsa::new(key, nonce),
            ahead: Box::new(Zeroizing::new([0; GROUP_BYTES])),
            used: GROUP_BYTES,
        }
    }

    /// Encrypts or decrypts the stream's next bytes in place.
    pub(crate) fn apply(&mut self, bytes: &mut [u8]) {
        let rest = self.apply_ahead(bytes);
        let (groups, tail) = rest.as_chunks_mut();
        self.salsa.apply(groups);
        if !tail.is_empty() {
            self.ahead.fill(0);
            self.salsa.apply(std::slice::from_mut(&mut **self.ahead));
            self.used = 0;
            self.apply_ahead(tail);
        }
    }

    /// Uses up key stream that is there; returns the bytes for which there is none.
    fn apply_ahead<'a>(&mut self, bytes: &'a mut [u8]) -> &'a mut [u8] {
        let ahead = &self.ahead[self.used..];
        let (covered, rest) = bytes.split_at_mut(bytes.len().min(ahead.len()));
        for (byte, key) in covered.iter_mut().zip(ahead) {
            *byte ^= key;
        }
        self.used += covered.len();
        rest
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use salsa20::XSalsa20;
    use salsa20::cipher::{KeyIvInit, StreamCipher};
    use testkit::vectors::{array, bytes, load};

    use super::*;

    #[test]
    fn key_stream_of_the_reference() {
        let vectors = load("tests/vectors/protocol.json");
        for vector in vectors["xsalsa20"].as_array().unwrap() {
            let mut stream = vec![0; 65472 + 192];
            let mut cipher = Cipher::new(&array(&vector["key"]), &array(&vector["nonce"]));
            // In uneven pieces: the borders of frames must not matter.
            stream
                .chunks_mut(1009)
                .for_each(|piece| cipher.apply(piece));
            assert_eq!(stream[..192], bytes(&vector["offset_0"]));
            assert_eq!(stream[65472..], bytes(&vector["offset_65472"]));
        }
    }

    proptest! {
        #[test]
        fn any_pieces_are_those_of_the_salsa20_crate(
            key: [u8; 32],
            nonce: [u8; 24],
            pieces in prop::collection::vec(
                prop_oneof![0..80_usize, GROUP_BYTES - 2..GROUP_BYTES + 2, 0..5000_usize],
                0..20,
            ),
        ) {
            let mut ours = Cipher::new(&key, &nonce);
            let mut theirs = XSalsa20::new(&key.into(), &nonce.into());
            for (piece, byte) in pieces.into_iter().zip(0..) {
                let mut expected = vec![byte; piece];
                let mut found = expected.clone();
                theirs.apply_keystream(&mut expected);
                ours.apply(&mut found);
                prop_assert!(found == expected);
            }
        }
    }
}
