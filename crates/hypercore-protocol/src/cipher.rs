use std::fmt;

use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};

/// One direction of the transport: a key stream that continues over all frames, and authenticates
/// nothing (`docs/formats/wire.md`, "Transport encryption").
pub(crate) struct Cipher(XSalsa20);

impl Cipher {
    /// The key is the direction's half of the Noise split, the nonce its sender's.
    pub(crate) fn new(key: &[u8; 32], nonce: &[u8; 24]) -> Self {
        Self(XSalsa20::new(key.into(), nonce.into()))
    }

    /// Encrypts or decrypts the stream's next bytes in place.
    pub(crate) fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(…)")
    }
}

#[cfg(test)]
mod tests {
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
}
