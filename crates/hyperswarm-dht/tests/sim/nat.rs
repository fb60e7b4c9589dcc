//! Boxes that hide a host: what they do to addresses, and what they let in.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use hyperswarm_dht::Timestamp;
use testkit::Rng;

/// The four classic kinds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Nat {
    /// One port for all destinations, and everyone may write to it.
    FullCone,
    /// One port; hosts that were written to may write back from any port.
    Restricted,
    /// One port; who was written to may write back from the same address and port.
    PortRestricted,
    /// Another port for each destination, which alone may write back.
    Symmetric,
}

impl Nat {
    pub const ALL: [Self; 4] = [
        Self::FullCone,
        Self::Restricted,
        Self::PortRestricted,
        Self::Symmetric,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::FullCone => "full cone",
            Self::Restricted => "restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
        }
    }
}

/// One box with one host behind it.
pub struct NatBox {
    ip: Ipv4Addr,
    nat: Nat,
    host: usize,
    /// External port by destination; only symmetric ones tell destinations apart.
    ports: HashMap<Option<SocketAddrV4>, u16>,
    /// Until when who may write to which port. Ports of the remote are 0 where they do not matter.
    open: HashMap<(u16, SocketAddrV4), Timestamp>,
}

impl NatBox {
    pub fn new(ip: Ipv4Addr, nat: Nat, host: usize) -> Self {
        Self {
            ip,
            nat,
            host,
            ports: HashMap::new(),
            open: HashMap::new(),
        }
    }

    pub fn host(&self) -> usize {
        self.host
    }

    /// A datagram goes out; the address that the destination sees.
    pub fn outbound(&mut self, now: Timestamp, to: SocketAddrV4, rng: &mut Rng) -> SocketAddrV4 {
        let key = (self.nat == Nat::Symmetric).then_some(to);
        let taken: Vec<u16> = self.ports.values().copied().collect();
        let port = *self.ports.entry(key).or_insert_with(|| {
            loop {
                let port = 1024 + u16::try_from(rng.below(60_000)).unwrap();
                if !taken.contains(&port) {
                    break port;
                }
            }
        });
        self.open
            .insert((port, self.remote(to)), now + FORGETS_AFTER);
        SocketAddrV4::new(self.ip, port)
    }

    /// A datagram comes in; the host that gets it, if it is let in.
    pub fn inbound(&mut self, now: Timestamp, from: SocketAddrV4, port: u16) -> Option<usize> {
        let until = self.open.get(&(port, self.remote(from)))?;
        (now < *until).then_some(self.host)
    }

    /// As much of a remote address as this kind looks at.
    fn remote(&self, address: SocketAddrV4) -> SocketAddrV4 {
        match self.nat {
            Nat::FullCone => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
            Nat::Restricted => SocketAddrV4::new(*address.ip(), 0),
            Nat::PortRestricted | Nat::Symmetric => address,
        }
    }
}

/// What was not used for so long is closed: Linux's default for UDP without an answer.
const FORGETS_AFTER: Duration = Duration::from_secs(30);
