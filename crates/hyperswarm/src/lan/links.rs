use std::io;
use std::net::{IpAddr, Ipv4Addr};

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

/// The links of this machine, in no particular order and at most [`MAX_LINKS`]. Without any other,
/// the loopback interface is one: whoever is alone on a machine may still have company on it.
pub fn links() -> io::Result<Vec<Link>> {
    let mut links = Vec::new();
    let mut loopback = Vec::new();
    for interface in if_addrs::get_if_addrs()? {
        if let if_addrs::IfAddr::V4(address) = &interface.addr {
            let link = Link {
                address: address.ip,
                netmask: address.netmask,
            };
            if IpAddr::V4(address.ip).is_loopback() {
                loopback.push(link);
            } else {
                links.push(link);
            }
        }
    }
    if links.is_empty() {
        links = loopback;
    }
    links.sort_unstable();
    links.dedup();
    links.truncate(MAX_LINKS);
    Ok(links)
}

/// Links that are used; machines with thousands of container networks exist.
pub const MAX_LINKS: usize = 32;
