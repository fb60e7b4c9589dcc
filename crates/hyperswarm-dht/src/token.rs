use std::net::SocketAddrV4;
use std::time::Duration;

use blake2::Blake2bMac;
use blake2::digest::consts::U32;
use blake2::digest::{KeyInit, Mac};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Timestamp;
use crate::wire::encode_peer;

/// Round-trip tokens: who repeats ours has received it at the address that it was made for.
///
/// They are opaque to others. The reference's name the IP address only; these also name the port, so
/// that not everyone behind one NAT has the same.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Tokens {
    secret: [u8; 32],
}

impl Tokens {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    pub(crate) fn token(&self, address: SocketAddrV4, now: Timestamp) -> [u8; 32] {
        self.of_period(address, period(now))
    }

    /// Whether the token is ours for this address, of this period or the one before.
    pub(crate) fn is_valid(&self, token: &[u8], address: SocketAddrV4, now: Timestamp) -> bool {
        let period = period(now);
        let current = self.of_period(address, period).ct_eq(token);
        let previous = period
            .checked_sub(1)
            .map(|period| self.of_period(address, period).ct_eq(token));
        bool::from(current) || previous.is_some_and(bool::from)
    }

    fn of_period(&self, address: SocketAddrV4, period: u64) -> [u8; 32] {
        let mut mac = Blake2bMac::<U32>::new_from_slice(&self.secret)
            .expect("BLAKE2b takes keys of up to 64 bytes");
        mac.update(&encode_peer(address));
        mac.update(&period.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

fn period(now: Timestamp) -> u64 {
    now.since_start().as_secs() / ROTATION.as_secs()
}

/// As in the reference: a token is good for five to ten minutes.
const ROTATION: Duration = Duration::from_secs(300);
