use std::time::Duration;

use crate::Identity;

/// How a connection is replicated over. The defaults suit a long-lived peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Who we are (default: somebody else on each connection).
    pub identity: Option<Identity>,
    /// Whether the connection stays when everything was exchanged (default: yes). Otherwise each
    /// side says that it is done, logs are closed one by one, and the stream ends with the last.
    pub live: bool,
    /// Whether blocks are served to the remote (default: yes).
    pub upload: bool,
    /// Whether the remote should acknowledge each block that it stores (default: no). Each one is a
    /// [`FeedEvent::Acknowledged`](hypercore::FeedEvent::Acknowledged) of the log.
    pub ack: bool,
    /// How long a remote may leave requests unanswered before others are asked for the same
    /// blocks (default: 1 s). It restarts with every answer.
    pub stall_timeout: Duration,
    /// How long a remote may leave requests unanswered before they are given up (default: 20 s).
    pub request_timeout: Duration,
    /// How long somebody who asks "what is available now?" waits for a remote to open a log and to
    /// say what it has (default: 3 s).
    pub answer_timeout: Duration,
    /// How long stored blocks may stay unflushed (default: 2 s).
    pub flush_interval: Duration,
    /// Most bytes of blocks that are asked for ahead, of one remote and log (default: 4 MiB).
    pub max_bytes_in_flight: usize,
    /// How the connection itself behaves.
    pub protocol: hypercore_protocol::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            identity: None,
            live: true,
            upload: true,
            ack: false,
            stall_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(20),
            answer_timeout: Duration::from_secs(3),
            flush_interval: Duration::from_secs(2),
            max_bytes_in_flight: 4 << 20,
            protocol: hypercore_protocol::Config::default(),
        }
    }
}
