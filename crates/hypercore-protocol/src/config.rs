use std::time::Duration;

/// What protects a connection. Both ends must choose alike; nothing is negotiated.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protection {
    /// Handshake, capabilities, encryption: what every deployed peer expects.
    #[default]
    Encrypted,
    /// Handshake and capabilities, then plain frames (`encrypted: false` in the reference).
    Authenticated(Unprotected),
    /// Plain frames from the first byte, and no proof that a peer knows a core's key
    /// (`encrypted: false, noise: false`). For tests and for pipes inside one machine.
    Plain(Unprotected),
}

/// Says a second time that a connection is to go without protection, so that no slip of the hand turns
/// it off.
///
/// ```
/// use hypercore_protocol::{Config, Protection, Unprotected};
///
/// let mut config = Config::default();
/// config.protection = Protection::Plain(Unprotected::readable_by_anybody_on_the_way());
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unprotected(());

impl Unprotected {
    /// Everything that is sent may be read by whoever carries it.
    pub const fn readable_by_anybody_on_the_way() -> Self {
        Self(())
    }
}

/// Timers and limits of a connection. The defaults suit deployed peers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// What protects the connection (default: everything there is).
    pub protection: Protection,
    /// The connection fails when nothing arrives for this long. `None` waits for ever.
    pub idle_timeout: Option<Duration>,
    /// A keep-alive is sent when nothing else was for this long. `None` sends none. Keep it below
    /// half of the remote's idle timeout.
    pub keep_alive: Option<Duration>,
    /// The handshake must be complete this long after the connection began.
    pub handshake_timeout: Duration,
    /// Cores that may be open on this side at once.
    pub max_channels: usize,
    /// Cores that the remote may have offered without an answer of ours; more are refused.
    pub max_offers: usize,
    /// Bytes of frames that may wait for the handshake to complete.
    pub max_early_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            protection: Protection::Encrypted,
            idle_timeout: Some(IDLE_TIMEOUT),
            keep_alive: Some(KEEP_ALIVE),
            handshake_timeout: HANDSHAKE_TIMEOUT,
            max_channels: MAX_CHANNELS,
            max_offers: MAX_OFFERS,
            max_early_bytes: MAX_EARLY_BYTES,
        }
    }
}

/// Largest frame body, in bytes. Header and length prefix are not counted.
pub const MAX_BODY_BYTES: usize = 8 << 20;

/// Most extension names in one list.
pub const MAX_EXTENSIONS: usize = 256;

/// Longest extension name, in bytes.
pub const MAX_EXTENSION_NAME_BYTES: usize = 1024;

/// Most tree nodes in one `Data` message. A proof in a log of 2^53 blocks needs fewer than 110.
pub const MAX_PROOF_NODES: usize = 256;

const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_CHANNELS: usize = 4096;
const MAX_OFFERS: usize = 256;
const MAX_EARLY_BYTES: usize = 1 << 20;
