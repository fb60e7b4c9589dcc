use std::fmt;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use snow::{Builder, HandshakeState};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::capability::Split;
use crate::connection::Role;
use crate::frame::{read_varint, write_varint};
use crate::{HandshakeError, schema};

/// What a connection needs of randomness. Draw all three anew for each connection, unless the static
/// key is to be recognised again.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secrets {
    /// The secret half of our static X25519 key, which the remote learns to recognise us by. It has
    /// nothing to do with the keys of cores.
    pub static_key: [u8; 32],
    /// The secret half of this connection's ephemeral X25519 key.
    pub ephemeral_key: [u8; 32],
    /// The nonce of the stream that we send.
    pub nonce: [u8; 24],
}

impl Secrets {
    /// The static key that belongs to a seed, as the reference derives it: BLAKE2b-256 of the seed.
    pub fn static_key_from_seed(seed: &[u8; 32]) -> [u8; 32] {
        Blake2b::<U32>::digest(seed).into()
    }

    /// The public half of the static key, which the remote will see.
    pub fn public_key(&self) -> [u8; 32] {
        x25519_dalek::x25519(self.static_key, x25519_dalek::X25519_BASEPOINT_BYTES)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// A Noise XX handshake under way: three messages, each behind its length.
pub(crate) struct Handshake {
    noise: HandshakeState,
    payload: Vec<u8>,
    /// The message that is arriving, with its prefix.
    buffer: Vec<u8>,
    /// Whether a message of the remote has been read.
    began: bool,
    /// The last payload of the remote that was not empty.
    remote_payload: Vec<u8>,
}

/// How a handshake goes on after some input.
pub(crate) enum Progress {
    /// More input is needed.
    Waiting,
    /// To be sent; then more input is needed.
    Reply(Vec<u8>),
    /// Complete. The reply, if any, is to be sent first.
    Complete(Option<Vec<u8>>, Box<Established>),
}

/// What a complete handshake leaves.
pub(crate) struct Established {
    pub(crate) split: Split,
    pub(crate) remote_nonce: [u8; 24],
    pub(crate) remote_public_key: [u8; 32],
    pub(crate) handshake_hash: [u8; 64],
}

impl Handshake {
    /// Begins a handshake. An initiator sends the returned bytes first.
    pub(crate) fn new(role: Role, secrets: &Secrets) -> (Self, Option<Vec<u8>>) {
        let builder = Builder::new(PATTERN.parse().expect("the pattern is one that snow knows"))
            .local_private_key(&secrets.static_key)
            .expect("the key is set once")
            .fixed_ephemeral_key_for_testing_only(&secrets.ephemeral_key);
        let noise = match role {
            Role::Initiator => builder.build_initiator(),
            Role::Responder => builder.build_responder(),
        }
        .expect("the pattern needs no more than a static key");
        let mut handshake = Self {
            noise,
            payload: schema::payload(&secrets.nonce),
            buffer: Vec::new(),
            began: false,
            remote_payload: Vec::new(),
        };
        let first = match role {
            Role::Initiator => Some(handshake.write()),
            Role::Responder => None,
        };
        (handshake, first)
    }

    /// Takes what it needs from the front of `input`, up to the end of one message. What follows the
    /// last message stays there: it belongs to the transport.
    pub(crate) fn handle_input(&mut self, input: &mut &[u8]) -> Result<Progress, HandshakeError> {
        let Some(message) = self.read_message(input)? else {
            return Ok(Progress::Waiting);
        };
        self.read(&message)?;
        if self.noise.is_handshake_finished() {
            return Ok(Progress::Complete(None, self.establish()?));
        }
        let reply = self.write();
        if self.noise.is_handshake_finished() {
            Ok(Progress::Complete(Some(reply), self.establish()?))
        } else {
            Ok(Progress::Reply(reply))
        }
    }

    /// The next whole message, without its prefix. Empty ones are skipped, as the reference does.
    fn read_message(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, HandshakeError> {
        while let Some((&byte, rest)) = input.split_first() {
            // The prefix byte by byte, the rest in one piece.
            if let Some((length, prefix)) = self.prefix()? {
                let wanted = prefix + length - self.buffer.len();
                let (taken, rest) = input.split_at(wanted.min(input.len()));
                self.buffer.extend_from_slice(taken);
                *input = rest;
                if taken.len() == wanted {
                    let mut message = std::mem::take(&mut self.buffer);
                    message.drain(..prefix);
                    return Ok(Some(message));
                }
            } else {
                *input = rest;
                self.buffer.push(byte);
                if self.prefix()?.is_some_and(|(length, _)| length == 0) {
                    self.buffer.clear();
                }
            }
        }
        Ok(None)
    }

    /// Length of the arriving message and of its prefix, once that is complete.
    fn prefix(&self) -> Result<Option<(usize, usize)>, HandshakeError> {
        let too_long = HandshakeError::Length { length: u64::MAX };
        let Some((length, prefix)) = read_varint(&self.buffer).map_err(|_| too_long)? else {
            return Ok(None);
        };
        match usize::try_from(length) {
            Ok(length) if length <= MAX_MESSAGE_BYTES => Ok(Some((length, prefix))),
            _ => Err(HandshakeError::Length { length }),
        }
    }

    fn read(&mut self, message: &[u8]) -> Result<(), HandshakeError> {
        // The first message from either side begins with its ephemeral key in the clear. snow takes
        // keys of low order.
        let first = !std::mem::replace(&mut self.began, true);
        if first && message.first_chunk().is_some_and(is_low_order) {
            return Err(HandshakeError::LowOrderPoint);
        }
        let mut payload = vec![0; message.len()];
        let length = self
            .noise
            .read_message(message, &mut payload)
            .map_err(|_| HandshakeError::Decrypt)?;
        if self.remote_static().is_some_and(|key| is_low_order(&key)) {
            return Err(HandshakeError::LowOrderPoint);
        }
        if length > 0 {
            payload.truncate(length);
            self.remote_payload = payload;
        }
        Ok(())
    }

    /// Our next message behind its prefix.
    fn write(&mut self) -> Vec<u8> {
        let mut message = [0; MAX_OWN_MESSAGE_BYTES];
        let length = self
            .noise
            .write_message(&self.payload, &mut message)
            .expect("it is our turn and the message fits");
        let mut framed = Vec::with_capacity(1 + length);
        write_varint(&mut framed, length as u64);
        framed.extend_from_slice(&message[..length]);
        framed
    }

    fn establish(&mut self) -> Result<Box<Established>, HandshakeError> {
        let remote_nonce =
            schema::decode_payload(&self.remote_payload).map_err(|_| HandshakeError::Payload)?;
        let (from_initiator, from_responder) = self.noise.dangerously_get_raw_split();
        let (send, receive) = if self.noise.is_initiator() {
            (from_initiator, from_responder)
        } else {
            (from_responder, from_initiator)
        };
        let mut handshake_hash = [0; 64];
        handshake_hash.copy_from_slice(self.noise.get_handshake_hash());
        Ok(Box::new(Established {
            split: Split { send, receive },
            remote_nonce,
            remote_public_key: self.remote_static().ok_or(HandshakeError::Decrypt)?,
            handshake_hash,
        }))
    }

    fn remote_static(&self) -> Option<[u8; 32]> {
        self.noise.get_remote_static()?.try_into().ok()
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake(…)")
    }
}

/// Whether a shared secret with this X25519 key would be zero whatever the other key is: the points
/// of order 1, 2, 4 and 8 of the curve and its twist, in each of their encodings.
fn is_low_order(key: &[u8; 32]) -> bool {
    let mut key = *key;
    key[31] &= 0x7f;
    LOW_ORDER.contains(&key)
}

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2b";

/// Longest handshake message that is taken from a remote, in bytes. Those of deployed peers have at
/// most 122.
const MAX_MESSAGE_BYTES: usize = 4096;

/// The longest of our own messages: two keys, two authenticators and a payload of 26 bytes.
const MAX_OWN_MESSAGE_BYTES: usize = 32 + 48 + 26 + 16;

const LOW_ORDER: [[u8; 32]; 7] = [
    small(0),
    small(1),
    // Of order 8, on the curve and on the twist.
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    near_prime(0xec),
    near_prime(0xed),
    near_prime(0xee),
];

const fn small(value: u8) -> [u8; 32] {
    let mut key = [0; 32];
    key[0] = value;
    key
}

/// 2^255 - 19 is `near_prime(0xed)`.
const fn near_prime(lowest: u8) -> [u8; 32] {
    let mut key = [0xff; 32];
    key[0] = lowest;
    key[31] = 0x7f;
    key
}

#[cfg(test)]
mod tests {
    use testkit::vectors::{array, bytes, load};

    use super::*;

    /// The state after each message, as the reference's Noise has it.
    #[test]
    fn states_of_the_reference() {
        let vectors = load("tests/vectors/protocol.json");
        let vectors = &vectors["handshake"];
        assert_eq!(vectors["protocol_name"], PATTERN);
        let secrets = |side: &str| Secrets {
            static_key: array(&vectors[side]["static_secret"]),
            ephemeral_key: array(&vectors[side]["ephemeral_secret"]),
            nonce: array(&vectors[side]["stream_nonce"]),
        };
        let (mut initiator, first) = Handshake::new(Role::Initiator, &secrets("initiator"));
        let (mut responder, none) = Handshake::new(Role::Responder, &secrets("responder"));
        assert_eq!(none, None);
        let hash = |side: &Handshake| side.noise.get_handshake_hash().to_vec();
        assert_eq!(hash(&responder), bytes(&vectors["initial_state"]["h"]));
        let message = |i: usize| &vectors["messages"][i];

        let first = first.unwrap();
        assert_eq!(first, bytes(&message(0)["frame"]));
        assert_eq!(hash(&initiator), bytes(&message(0)["after"]["h"]));
        let Ok(Progress::Reply(second)) = responder.handle_input(&mut &first[..]) else {
            panic!()
        };
        assert_eq!(second, bytes(&message(1)["frame"]));
        assert_eq!(hash(&responder), bytes(&message(1)["after"]["h"]));
        assert_eq!(responder.remote_payload, bytes(&message(0)["payload"]));
        let Ok(Progress::Complete(Some(third), ours)) = initiator.handle_input(&mut &second[..])
        else {
            panic!()
        };
        assert_eq!(third, bytes(&message(2)["frame"]));
        let Ok(Progress::Complete(None, theirs)) = responder.handle_input(&mut &third[..]) else {
            panic!()
        };
        assert_eq!(ours.handshake_hash, theirs.handshake_hash);
        assert_eq!(ours.handshake_hash, array(&message(2)["after"]["h"]));
        assert_eq!(
            ours.split.send,
            array(&vectors["key_initiator_to_responder"])
        );
        assert_eq!(
            ours.split.receive,
            array(&vectors["key_responder_to_initiator"])
        );
        assert_eq!(theirs.split.send, ours.split.receive);
        assert_eq!(theirs.split.receive, ours.split.send);
        assert_eq!(
            theirs.remote_nonce,
            array(&vectors["initiator"]["stream_nonce"])
        );
        assert_eq!(
            ours.remote_nonce,
            array(&vectors["responder"]["stream_nonce"])
        );
    }

    #[test]
    fn low_order_keys_give_nothing_to_share() {
        for key in LOW_ORDER {
            for high_bit in [0, 0x80] {
                let mut key = key;
                key[31] |= high_bit;
                assert_eq!(x25519_dalek::x25519([7; 32], key), [0; 32]);
                assert!(is_low_order(&key));
            }
        }
    }

    #[test]
    fn neighbours_of_low_order_keys_are_fine() {
        for key in [small(2), near_prime(0xeb), near_prime(0xef)] {
            assert_ne!(x25519_dalek::x25519([7; 32], key), [0; 32]);
            assert!(!is_low_order(&key));
        }
    }
}
