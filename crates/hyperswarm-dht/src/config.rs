use std::net::SocketAddrV4;
use std::time::Duration;

use crate::Id;

/// Who a node is, and its limits. The defaults suit deployed peers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The node's id; `None` draws one from the seed. Keep it over restarts, so that others'
    /// tables stay true.
    pub id: Option<Id>,
    /// An ephemeral node keeps its id to itself: it asks and answers, but nobody counts on it.
    /// Right for whoever may be gone in ten minutes. Default: true.
    pub ephemeral: bool,
    /// An ephemeral node that has run for 20 to 30 minutes and can be reached becomes a persistent
    /// one. Default: true.
    pub adaptive: bool,
    /// Whom to ask first. Default: nobody.
    pub bootstrap: Vec<SocketAddrV4>,
    /// After an announcement, the nodes that store it are pinged this often, so that NATs on the
    /// way let through what they forward; `None` leaves it. Default: 25 s, below the 30 s after
    /// which the hastiest NATs forget.
    pub keep_warm: Option<Duration>,
    /// Requests that may be without answer at once; more wait their turn. Default: 256.
    pub max_in_flight: usize,
    /// Operations that may run at once; a further one fails at once. Default: 1024.
    pub max_queries: usize,
    /// Requests of one operation, in all; it ends when they are used up. Default: 120.
    pub max_requests_per_query: usize,
    /// Longest operation. Default: 30 s.
    pub max_query_time: Duration,
    /// Nodes in the routing table. Default: 2048.
    pub max_table_nodes: usize,
    /// Peer records that are stored for others. Default: 65,536.
    pub max_records: usize,
    /// Peer records of one topic. Default: 512.
    pub max_records_per_topic: usize,
    /// Peer records of one topic from one IP address. Default: 20.
    pub max_records_per_topic_and_ip: usize,
    /// Peer records from one IP address. Default: 500.
    pub max_records_per_ip: usize,
    /// How long a peer record is kept. Peers announce again after 5 to 10 minutes. Default: 20
    /// minutes.
    pub record_age: Duration,
    /// Values that are stored for others, each of at most [`MAX_VALUE_BYTES`]. Default: 8,192.
    pub max_values: usize,
    /// Values from one IP address. Default: 256.
    pub max_values_per_ip: usize,
    /// How long a value is kept after it was last stored. Default: 24 h.
    pub value_age: Duration,
    /// Bytes that are sent to one IP address in 10 s before it matters how much came from there;
    /// beyond them, three for each received. For addresses that have never answered us. Default:
    /// 64 KiB.
    pub unproven_allowance: u64,
    /// The same for all addresses together that have never answered us, so that a flood that is
    /// forged from many is no better than one from few. Default: 8 MiB.
    pub unproven_total_allowance: u64,
    /// The same for an address that has answered us. Default: 1 MiB.
    pub proven_allowance: u64,
    /// IP addresses whose traffic is counted at once; further ones have no allowance. Default:
    /// 8,192.
    pub max_counted_ips: usize,
    /// Hole punches that are forwarded or answered in a second, for each source and for each
    /// destination. Default: 5.
    pub punches_per_second: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            id: None,
            ephemeral: true,
            adaptive: true,
            bootstrap: Vec::new(),
            keep_warm: Some(Duration::from_secs(25)),
            max_in_flight: 256,
            max_queries: 1024,
            max_requests_per_query: 120,
            max_query_time: Duration::from_secs(30),
            max_table_nodes: 2048,
            max_records: 65_536,
            max_records_per_topic: 512,
            max_records_per_topic_and_ip: 20,
            max_records_per_ip: 500,
            record_age: Duration::from_secs(20 * 60),
            max_values: 8192,
            max_values_per_ip: 256,
            value_age: Duration::from_secs(24 * 60 * 60),
            unproven_allowance: 64 << 10,
            unproven_total_allowance: 8 << 20,
            proven_allowance: 1 << 20,
            max_counted_ips: 8192,
            punches_per_second: 5,
        }
    }
}

/// How many nodes a walk looks for, and how many store a record (`k`).
pub const CLOSEST_NODES: usize = 20;

/// Longest answer, in bytes. It fits one packet everywhere.
pub const MAX_REPLY_BYTES: usize = 1200;

/// Longest value that is stored, in bytes.
pub const MAX_VALUE_BYTES: usize = 1000;

/// Longest salt of a mutable value, in bytes.
pub const MAX_SALT_BYTES: usize = 64;

/// Longest token that is repeated to the node that gave it, in bytes. Ours have 32.
pub const MAX_TOKEN_BYTES: usize = 64;
