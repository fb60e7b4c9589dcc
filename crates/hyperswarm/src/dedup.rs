/// What carries a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Carrier {
    /// uTP, over the socket of the DHT.
    Utp,
    /// TCP.
    Tcp,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// We dialled.
    Dialled,
    /// The peer did.
    Accepted,
}

/// Two connections lead to one peer. Which of them stays?
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Keep {
    /// The one that was there.
    Existing,
    /// The one that came.
    Fresh,
}

/// Decides between two connections to one peer, as the peer does too if it asks the same question.
///
/// `local` and `remote` are what both sides know of each other, their public keys. TCP beats uTP. Of
/// the same kind stays the connection that the side with the smaller key dialled; if it dialled both
/// the newer one, and if the other side did the older one (`docs/formats/swarm.md`, "Duplicates").
pub fn decide(
    local: &[u8],
    remote: &[u8],
    existing: (Carrier, Side),
    fresh: (Carrier, Side),
) -> Keep {
    if existing.0 != fresh.0 {
        return if fresh.0 > existing.0 {
            Keep::Fresh
        } else {
            Keep::Existing
        };
    }
    let smaller_dials = if local < remote {
        Side::Dialled
    } else {
        Side::Accepted
    };
    if fresh.1 == smaller_dials {
        Keep::Fresh
    } else {
        Keep::Existing
    }
}
