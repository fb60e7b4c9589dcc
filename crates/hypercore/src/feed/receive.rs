//! What remotes send.

use std::task::Waker;

use bytes::Bytes;
use hypercore_crypto::{Hash, leaf_hashes};

use super::events::FeedEvent;
use super::peer::Peer;
use super::supply::{Inflight, Key};
use super::swarm::Swarm;
use crate::{Hypercore, Proof, PutError};

/// What a remote sent in answer to a request.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The block that it is about.
    pub index: u64,
    /// Its bytes; `None` for a proof without the block.
    pub value: Option<Bytes>,
    /// What proves it.
    pub proof: Proof,
}

/// What became of data that a remote sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Received {
    /// It was verified and stored.
    Stored,
    /// The block was here already. Nothing was hashed.
    Duplicate,
    /// It was verified, and the hook did not want it (`Options::before_store`). It is not asked of
    /// this remote again.
    Declined,
    /// It was not asked for. Nothing was hashed.
    Unsolicited {
        /// Whether the block is missing here.
        missing: bool,
    },
}

/// Why data from a remote was not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The remote's fault: the data does not prove what it claims.
    #[error("the peer sent data that does not verify")]
    Refused(#[source] PutError),
    /// Not the remote's fault: nothing can be stored, or the log's author has split it in two.
    #[error("the log takes no data")]
    Unusable(#[source] PutError),
    /// The log was closed meanwhile.
    #[error("the log is closed")]
    Closed,
}

impl Peer {
    /// Verifies and stores what the remote sent, if it was asked for.
    ///
    /// `value` is `None` for a proof without the block. Afterwards nobody waits for the block or
    /// another peer may be asked for it.
    pub fn handle_data(
        &self,
        index: u64,
        value: Option<Bytes>,
        proof: Proof,
    ) -> Result<Received, DataError> {
        let delivery = Delivery {
            index,
            value,
            proof,
        };
        let mut results = self.handle_deliveries(vec![delivery]);
        results.pop().unwrap_or(Err(DataError::Closed))
    }

    /// As [`handle_data`](Self::handle_data) for each of several answers, in order. Their blocks are
    /// hashed side by side.
    pub fn handle_deliveries(&self, deliveries: Vec<Delivery>) -> Vec<Result<Received, DataError>> {
        let shared = &self.feed.shared;
        let mut woken = Vec::new();
        let mut results = Vec::with_capacity(deliveries.len());
        {
            let mut core = shared.core_mut();
            let Some(core) = core.as_mut() else {
                results.resize_with(deliveries.len(), || Err(DataError::Closed));
                return results;
            };
            let asked: Vec<Option<Inflight>> = {
                let mut swarm = shared.swarm();
                let asked = |delivery: &Delivery| swarm.take_inflight(self.id, delivery.key());
                deliveries.iter().map(asked).collect()
            };
            // Only what was asked for, is missing and could be stored is hashed.
            let hashed = |(delivery, asked): (&Delivery, &Option<Inflight>)| {
                let value = delivery.value.clone()?;
                let index = delivery.index;
                let wanted = asked.is_some() && !core.has(index);
                (wanted && core.check_put(index, Some(&value)).is_ok()).then_some(value)
            };
            let hashed = deliveries.iter().zip(&asked).map(hashed);
            let hashed: Vec<Option<Bytes>> = hashed.collect();
            let blocks: Vec<&Bytes> = hashed.iter().flatten().collect();
            let mut hashes = leaf_hashes(&blocks).into_iter();
            for ((delivery, asked), hashed) in deliveries.into_iter().zip(asked).zip(&hashed) {
                let hash = hashed.as_ref().and_then(|_| hashes.next());
                let Some(inflight) = asked else {
                    let missing = !core.has(delivery.index);
                    results.push(Ok(Received::Unsolicited { missing }));
                    continue;
                };
                let result = match inflight.to_the_roots {
                    false => self.receive(core, delivery, hash, &mut woken),
                    true => self.compare(core, delivery, &mut woken),
                };
                results.push(match result {
                    Err(PutError::Declined { .. }) => Ok(Received::Declined),
                    result => result.map_err(|error| match error {
                        error if error.is_senders_fault() => DataError::Refused(error),
                        error => DataError::Unusable(error),
                    }),
                });
            }
        }
        shared.wake(woken);
        results
    }

    fn receive(
        &self,
        core: &mut Hypercore,
        delivery: Delivery,
        hash: Option<Hash>,
        woken: &mut Vec<Waker>,
    ) -> Result<Received, PutError> {
        let key = delivery.key();
        let Delivery {
            index,
            value,
            proof,
        } = delivery;
        let shared = &self.feed.shared;
        let length = core.length();
        let known_fork = core.fork().is_some();
        let result = match (value.as_deref(), hash) {
            (Some(_), _) if core.has(index) => Ok(Received::Duplicate),
            (Some(block), Some(hash)) => core
                .check_put(index, Some(block))
                .and_then(|()| core.put_hashed(index, Some((block, hash)), proof))
                .map(|_| Received::Stored),
            (value, _) => core.put(index, value, proof).map(|_| Received::Stored),
        };
        shared.set_dirty();
        let mut swarm = shared.swarm();
        if length > 0 && may_be_of_another_log(&result) {
            swarm.doubt(length, true);
        }
        match (&result, value) {
            (Ok(Received::Stored), Some(value)) => {
                swarm.count_download(self.id, value.len());
                swarm.stored(core, index, value.len(), woken);
            }
            (Ok(_), _) => swarm.unreserve(self.id, key),
            (Err(error), _) => {
                swarm.give_up(self.id, key, length);
                if error.is_senders_fault() {
                    let event = || FeedEvent::Refused {
                        peer: self.id,
                        index,
                    };
                    swarm.subscribers.send(event, woken);
                }
            }
        }
        // A copy that has stored much has flushed.
        swarm.announce_durable(core);
        if core.length() > length {
            tell_of_growth(&mut swarm, core, length, woken);
        }
        tell_of_fork(&mut swarm, core, known_fork, woken);
        result
    }

    /// Takes in a proof that shows whether the remote's tree and the one here are of one log.
    fn compare(
        &self,
        core: &mut Hypercore,
        delivery: Delivery,
        woken: &mut Vec<Waker>,
    ) -> Result<Received, PutError> {
        let (index, length) = (delivery.index, core.length());
        let known_fork = core.fork().is_some();
        let result = core.put_to_the_roots(index, delivery.proof);
        self.feed.shared.set_dirty();
        let mut swarm = self.feed.shared.swarm();
        match &result {
            Ok(_) => swarm.compared(),
            Err(error) if error.is_senders_fault() => {
                let peer = self.id;
                let event = || FeedEvent::Refused { peer, index };
                swarm.subscribers.send(event, woken);
            }
            Err(_) => {}
        }
        if core.length() > length {
            tell_of_growth(&mut swarm, core, length, woken);
        }
        tell_of_fork(&mut swarm, core, known_fork, woken);
        result.map(|_| Received::Stored)
    }
}

/// Whether data was refused in a way that would also be that of an honest remote, if the author has signed
/// another log, of which it has a copy.
fn may_be_of_another_log(result: &Result<Received, PutError>) -> bool {
    matches!(
        result,
        Err(PutError::Signature { .. } | PutError::Unsigned | PutError::MissingNode { .. })
    )
}

impl Delivery {
    fn key(&self) -> Key {
        match self.value {
            Some(_) => Key::Block(self.index),
            None => Key::Hash(self.index),
        }
    }
}

/// Tells of evidence that the author has signed two logs, unless it was known.
pub(super) fn tell_of_fork(
    swarm: &mut Swarm,
    core: &Hypercore,
    known: bool,
    woken: &mut Vec<Waker>,
) {
    if let (false, Some(proof)) = (known, core.fork()) {
        let event = || FeedEvent::Forked(Box::new(proof.clone()));
        swarm.subscribers.send(event, woken);
    }
}

/// A remote has proved that the log is longer than `length`.
fn tell_of_growth(swarm: &mut Swarm, core: &Hypercore, length: u64, woken: &mut Vec<Waker>) {
    let newest = core.length();
    let event = || FeedEvent::Appended { length: newest };
    swarm.subscribers.send(event, woken);
    swarm.ring_all();
    // What cannot be read is met again.
    if length > 0 && !core.has_grown_from(length).unwrap_or(true) {
        swarm.doubt(length, false);
    }
    if core.is_writable() {
        let event = || FeedEvent::Overtaken { length, newest };
        swarm.subscribers.send(event, woken);
    }
}
