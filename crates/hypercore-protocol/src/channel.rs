use std::collections::BTreeMap;

use hypercore_crypto::{DiscoveryKey, PublicKey};

use crate::extension::Extensions;
use crate::message::{Options, Want};

/// One core on one connection, opened from this side.
///
/// A name, not a resource: it means something only to the connection that made it, and stays unique
/// there after the channel has closed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Channel(pub(crate) u32);

/// The cores of a connection, and the numbers that both sides gave them.
///
/// Each side numbers the channels that it opens; a core that both opened has two ids, and only its
/// discovery key ties them together.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    /// Cores that are open on this side, by our id.
    open: BTreeMap<u32, Core>,
    /// Our ids of open cores.
    ids: BTreeMap<DiscoveryKey, u32>,
    /// Cores that only the remote has opened.
    offers: BTreeMap<DiscoveryKey, Offer>,
    /// What the remote's ids mean.
    remote: BTreeMap<u32, Remote>,
    /// The id given out last.
    last_id: u32,
}

/// A core that is open on this side.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) key: PublicKey,
    pub(crate) discovery_key: DiscoveryKey,
    /// The remote's id, once it has opened the core too.
    pub(crate) remote: Option<u32>,
    pub(crate) extensions: Extensions,
    /// Our options, until the remote can hear them.
    pub(crate) deferred: Option<Options>,
    /// Whether the remote has been sent options. As long as it has not, those that say nothing need
    /// not be sent.
    pub(crate) announced: bool,
}

/// A core that only the remote has opened.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) remote: u32,
    pub(crate) capability: Option<[u8; 32]>,
    /// What the remote asked for in the same breath.
    pub(crate) wants: Vec<Want>,
}

/// Questions of a remote that wait until the core that it offers was opened here. More are dropped, as
/// is everything else until then.
const MAX_EARLY_WANTS: usize = 4;

/// What an id of the remote means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Remote {
    /// The core open here under this id of ours.
    Open(Channel),
    /// A core that we have not answered yet.
    Offered(DiscoveryKey),
}

impl Channels {
    /// A number that we have not used yet. `None` once they are used up.
    pub(crate) fn next_id(&mut self) -> Option<u32> {
        let id = self.last_id + 1;
        if id >= ID_END {
            return None;
        }
        self.last_id = id;
        Some(id)
    }

    /// Opens a core on this side; an offer of the remote becomes its other half, and what it asked for
    /// is returned.
    pub(crate) fn open(
        &mut self,
        id: u32,
        key: &PublicKey,
        discovery_key: DiscoveryKey,
    ) -> Vec<Want> {
        let offer = self.offers.remove(&discovery_key);
        let (remote, wants) = offer.map_or((None, Vec::new()), |offer| {
            (Some(offer.remote), offer.wants)
        });
        if let Some(remote) = remote {
            self.remote.insert(remote, Remote::Open(Channel(id)));
        }
        self.ids.insert(discovery_key, id);
        let core = Core {
            key: *key,
            discovery_key,
            remote,
            extensions: Extensions::default(),
            deferred: None,
            announced: false,
        };
        self.open.insert(id, core);
        wants
    }

    /// Notes that the remote has opened a core that is open here.
    pub(crate) fn join(&mut self, channel: Channel, remote: u32) {
        if let Some(core) = self.open.get_mut(&channel.0) {
            core.remote = Some(remote);
            self.remote.insert(remote, Remote::Open(channel));
        }
    }

    /// Notes that the remote has opened a core that is not open here.
    pub(crate) fn offer(
        &mut self,
        discovery_key: DiscoveryKey,
        remote: u32,
        capability: Option<[u8; 32]>,
    ) {
        let offer = Offer {
            remote,
            capability,
            wants: Vec::new(),
        };
        self.offers.insert(discovery_key, offer);
        self.remote.insert(remote, Remote::Offered(discovery_key));
    }

    /// Keeps a question about a core that only the remote has opened.
    pub(crate) fn keep_want(&mut self, discovery_key: &DiscoveryKey, want: Want) {
        if let Some(offer) = self.offers.get_mut(discovery_key)
            && offer.wants.len() < MAX_EARLY_WANTS
        {
            offer.wants.push(want);
        }
    }

    /// Forgets a core on both sides. `None` if it was not open.
    pub(crate) fn close(&mut self, channel: Channel) -> Option<Core> {
        let core = self.open.remove(&channel.0)?;
        self.ids.remove(&core.discovery_key);
        if let Some(remote) = core.remote {
            self.remote.remove(&remote);
        }
        Some(core)
    }

    /// Forgets what the remote offered. Returns whether it had.
    pub(crate) fn withdraw(&mut self, discovery_key: &DiscoveryKey) -> bool {
        let Some(offer) = self.offers.remove(discovery_key) else {
            return false;
        };
        self.remote.remove(&offer.remote);
        true
    }

    pub(crate) fn get_mut(&mut self, channel: Channel) -> Option<&mut Core> {
        self.open.get_mut(&channel.0)
    }

    pub(crate) fn get(&self, channel: Channel) -> Option<&Core> {
        self.open.get(&channel.0)
    }

    pub(crate) fn by_key(&self, discovery_key: &DiscoveryKey) -> Option<Channel> {
        self.ids.get(discovery_key).copied().map(Channel)
    }

    pub(crate) fn by_remote_id(&self, id: u64) -> Option<Remote> {
        self.remote.get(&u32::try_from(id).ok()?).copied()
    }

    pub(crate) fn offered(&self, discovery_key: &DiscoveryKey) -> Option<&Offer> {
        self.offers.get(discovery_key)
    }

    /// Cores open on this side.
    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Cores that wait for an answer of ours.
    pub(crate) fn offer_count(&self) -> usize {
        self.offers.len()
    }
}

/// The id of a channel that a remote opens: not 0, which is the connection itself, and within what
/// the reference's 32-bit arithmetic can express.
pub(crate) fn check_id(id: u64) -> Option<u32> {
    u32::try_from(id).ok().filter(|id| *id != 0 && *id < ID_END)
}

/// Ids stay below this: the reference shifts them left by four in signed 32-bit numbers.
const ID_END: u32 = 1 << 27;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_range_of_the_reference() {
        assert_eq!(check_id(0), None);
        assert_eq!(check_id(1), Some(1));
        assert_eq!(check_id((1 << 27) - 1), Some((1 << 27) - 1));
        assert_eq!(check_id(1 << 27), None);
        assert_eq!(check_id(1 << 32 | 1), None);
    }

    #[test]
    fn ids_run_out() {
        let mut channels = Channels {
            last_id: ID_END - 2,
            ..Channels::default()
        };
        assert_eq!(channels.next_id(), Some(ID_END - 1));
        assert_eq!(channels.next_id(), None);
        assert_eq!(channels.next_id(), None);
    }
}
