//! What an IPv4 address says about who may speak of it and whom it shares a network with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// How far an address reaches.
///
/// A node may tell us addresses of its own reach and those that are reached from everywhere; what it
/// says of loopback or a private network in which it is not itself is at best a mistake and at worst
/// an order to knock at our neighbours' doors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// 127/8: a program of this machine.
    Loopback,
    /// Private, shared or link-local.
    Private,
    Global,
    /// Nobody is there: 0/8, multicast, reserved, broadcast.
    Nowhere,
}

impl Scope {
    pub(crate) fn of(ip: Ipv4Addr) -> Self {
        let [a, b, ..] = ip.octets();
        match a {
            0 | 224..=255 => Self::Nowhere,
            127 => Self::Loopback,
            10 => Self::Private,
            100 if (64..128).contains(&b) => Self::Private,
            169 if b == 254 => Self::Private,
            172 if (16..32).contains(&b) => Self::Private,
            192 if b == 168 => Self::Private,
            _ => Self::Global,
        }
    }
}

/// Whether a node at `reporter` may tell us of `address`.
pub(crate) fn may_speak_of(reporter: Ipv4Addr, address: SocketAddrV4) -> bool {
    address.port() != 0
        && match Scope::of(*address.ip()) {
            Scope::Nowhere => false,
            Scope::Global => true,
            scope => scope == Scope::of(reporter),
        }
}

/// The /24 network of an address. Whoever has one address of it often has the others.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Subnet([u8; 3]);

impl Subnet {
    pub(crate) fn of(ip: Ipv4Addr) -> Self {
        let [a, b, c, _] = ip.octets();
        Self([a, b, c])
    }
}

/// Whether limits per address and network apply: everyone on this machine has one address, and
/// nobody elsewhere can pretend to be there.
pub(crate) fn is_limited(ip: Ipv4Addr) -> bool {
    Scope::of(ip) != Scope::Loopback
}

/// The IPv4 address of a datagram's source; the format knows no other kind.
pub(crate) fn v4(address: SocketAddr) -> Option<SocketAddrV4> {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(ip) => ip.to_ipv4_mapped()?,
    };
    Some(SocketAddrV4::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reporter: [u8; 4], address: [u8; 4], allowed: bool) {
        let address = SocketAddrV4::new(address.into(), 1);
        assert_eq!(may_speak_of(reporter.into(), address), allowed, "{address}");
    }

    #[test]
    fn nobody_speaks_of_networks_where_they_are_not() {
        check([9, 9, 9, 9], [8, 8, 8, 8], true);
        check([127, 0, 0, 1], [8, 8, 8, 8], true);
        check([127, 0, 0, 1], [127, 0, 0, 2], true);
        check([9, 9, 9, 9], [127, 0, 0, 1], false);
        check([10, 0, 0, 1], [127, 0, 0, 1], false);
        check([10, 0, 0, 1], [192, 168, 0, 1], true);
        check([9, 9, 9, 9], [192, 168, 0, 1], false);
        check([9, 9, 9, 9], [172, 31, 0, 1], false);
        check([9, 9, 9, 9], [172, 32, 0, 1], true);
        check([9, 9, 9, 9], [100, 64, 0, 1], false);
        check([9, 9, 9, 9], [169, 254, 0, 1], false);
        check([9, 9, 9, 9], [0, 1, 2, 3], false);
        check([9, 9, 9, 9], [224, 0, 0, 251], false);
        check([9, 9, 9, 9], [255, 255, 255, 255], false);
    }
}
