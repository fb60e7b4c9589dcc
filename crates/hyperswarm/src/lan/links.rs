use std::io;
use std::net::Ipv4Addr;

use if_addrs::IfAddr;

/// An IPv4 network that this machine is on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Link {
    /// Our address there.
    pub address: Ipv4Addr,
    /// Which bits of an address say that it is there too.
    pub netmask: Ipv4Addr,
}

impl Link {
    /// Whether an address is on this link.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let mask = self.netmask.to_bits();
        address.to_bits() & mask == self.address.to_bits() & mask
    }
}

/// The links of this machine that have to do with a socket bound to `bound`, in no particular order
/// and at most [`MAX_LINKS`].
///
/// A socket bound to every address has to do with all links but the loopback interface, or with that
/// one if there is no other: whoever is alone on a machine may still have company on it.
pub fn links(bound: Ipv4Addr) -> io::Result<Vec<Link>> {
    let mut links = Vec::new();
    for interface in if_addrs::get_if_addrs()? {
        if let IfAddr::V4(address) = &interface.addr {
            links.push(Link {
                address: address.ip,
                netmask: address.netmask,
            });
        }
    }
    if !bound.is_unspecified() {
        links.retain(|link| link.contains(bound));
    } else if links.iter().any(|link| !link.address.is_loopback()) {
        links.retain(|link| !link.address.is_loopback());
    }
    links.sort_unstable();
    links.dedup();
    links.truncate(MAX_LINKS);
    Ok(links)
}

/// Links that are used; machines with thousands of container networks exist.
pub const MAX_LINKS: usize = 32;
