//! What others say our address is.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::ObservedAddress;
use crate::address::is_limited;

/// The last reports, one for each reporter.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    reports: VecDeque<(SocketAddrV4, SocketAddrV4)>,
    current: Option<ObservedAddress>,
}

impl Observed {
    /// A node has answered us and says where. `true` if that changed the picture.
    pub(crate) fn report(&mut self, by: SocketAddrV4, address: SocketAddrV4) -> bool {
        // One host has one vote, whatever its ports; on loopback everyone is one host.
        let voter = if is_limited(*by.ip()) {
            SocketAddrV4::new(*by.ip(), 0)
        } else {
            by
        };
        self.reports.retain(|report| report.0 != voter);
        self.reports.push_back((voter, address));
        if self.reports.len() > REPORTS {
            self.reports.pop_front();
        }
        let before = self.current;
        self.current = self.tally();
        self.current != before
    }

    pub(crate) fn current(&self) -> Option<ObservedAddress> {
        self.current
    }

    fn tally(&self) -> Option<ObservedAddress> {
        let latest = self.reports.iter().rev();
        let agreed = |agree: &dyn Fn(&SocketAddrV4) -> bool| {
            let agreeing = self.reports.iter().filter(|it| agree(&it.1)).count();
            agreeing >= AGREEING && self.reports.len() - agreeing < DISAGREEING
        };
        let mut ip: Option<Ipv4Addr> = None;
        for (_, address) in latest {
            if agreed(&|it| it == address) {
                return Some(ObservedAddress {
                    ip: *address.ip(),
                    port: Some(address.port()),
                });
            }
            if ip.is_none() && agreed(&|it| it.ip() == address.ip()) {
                ip = Some(*address.ip());
            }
        }
        ip.map(|ip| ObservedAddress { ip, port: None })
    }
}

/// Reports that are remembered, as in the reference.
const REPORTS: usize = 10;

/// Reports that must agree.
const AGREEING: usize = 3;

/// Reports of which there must be fewer that do not.
const DISAGREEING: usize = 3;
