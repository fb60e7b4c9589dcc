//! What remotes are sent.

use std::task::Waker;

use bytes::Bytes;

use super::events::FeedEvent;
use super::peer::Peer;
use super::plan::Request;
use crate::{Hypercore, Proof, ReadError, RemoteTree, Seek};

/// What to send for a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A block, or only the nodes that prove it.
    Data {
        /// The block that was found.
        index: u64,
        /// Its bytes, unless only the proof was wanted.
        value: Option<Bytes>,
        /// What proves it.
        proof: Proof,
    },
    /// It is not here.
    Missing,
}

impl Peer {
    /// What to send for the remote's request. `remote` remembers which nodes the remote has, for
    /// as long as it has the log open.
    ///
    /// What is damaged here counts as missing. Errors are those that every other request would
    /// meet as well.
    pub fn answer(&self, request: &Request, remote: &mut RemoteTree) -> Result<Answer, ReadError> {
        let mut request = Some(*request);
        let mut answers = self.answer_all(|| request.take(), 0, remote)?;
        Ok(answers.pop().map_or(Answer::Missing, |(_, answer)| answer))
    }

    /// As [`answer`](Self::answer) for as many requests as `next` gives, until their blocks are
    /// `max_bytes` bytes or more. The blocks are checked side by side. Each answer comes with its
    /// request.
    pub fn answer_all(
        &self,
        mut next: impl FnMut() -> Option<Request>,
        max_bytes: usize,
        remote: &mut RemoteTree,
    ) -> Result<Vec<(Request, Answer)>, ReadError> {
        let shared = &self.feed.shared;
        let (answers, show_unflushed) = {
            let core = shared.core();
            let core = core.as_ref().ok_or(ReadError::Closed)?;
            let mut found = Vec::new();
            let mut read = Vec::new();
            let mut bytes = 0;
            while let Some(request) = next() {
                let mut place = usable(look_up(core, &request))?;
                if !request.hash
                    && let Some(index) = place.map(|(index, _)| index)
                {
                    match usable(core.read_unchecked(index))?.flatten() {
                        Some(block) => {
                            bytes += block.bytes();
                            read.push(block);
                        }
                        None => place = None,
                    }
                }
                found.push((request, place));
                if bytes >= max_bytes {
                    break;
                }
            }
            let mut blocks = core.check(read).into_iter();
            let mut answers = Vec::with_capacity(found.len());
            for (request, place) in found {
                let block = match place {
                    Some(_) if !request.hash => blocks.next().flatten().map(Some),
                    _ => Some(None),
                };
                let answer = match (place, block) {
                    (Some(place), Some(block)) => prove(core, &request, place, block, remote)?,
                    _ => Answer::Missing,
                };
                answers.push((request, answer));
            }
            let ahead = answers.iter().any(|(_, it)| is_ahead_of_disk(core, it));
            (answers, ahead)
        };
        if show_unflushed {
            shared.flush()?;
        }
        self.count_uploads(&answers);
        Ok(answers)
    }

    fn count_uploads(&self, answers: &[(Request, Answer)]) {
        let mut woken = Vec::new();
        {
            let mut swarm = self.feed.shared.swarm();
            for (_, answer) in answers {
                if let Answer::Data {
                    index,
                    value: Some(value),
                    ..
                } = answer
                {
                    let (index, bytes) = (*index, value.len());
                    swarm.count_upload(self.id, bytes);
                    let event = || FeedEvent::Uploaded { index, bytes };
                    swarm.subscribers.send(event, &mut woken);
                }
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }
}

/// Which block a request is for, and the digest that its proof goes by.
fn look_up(core: &Hypercore, request: &Request) -> Result<(u64, u64), ReadError> {
    if request.bytes > 0
        && let Seek::Found { block, .. } = core.seek(request.bytes)?
        && block < core.length()
    {
        return Ok((block, 0));
    }
    Ok((request.index, request.nodes))
}

fn prove(
    core: &Hypercore,
    request: &Request,
    (index, digest): (u64, u64),
    value: Option<Bytes>,
    remote: &mut RemoteTree,
) -> Result<Answer, ReadError> {
    // Who claims to know nothing wants to see all of the proof, whatever it said before.
    let mut nothing = RemoteTree::new();
    let remote = match request.hash && request.nodes == 0 && request.bytes == 0 {
        true => &mut nothing,
        false => remote,
    };
    let proof = usable(core.proof(index, digest, request.hash, remote))?;
    Ok(proof
        .flatten()
        .map_or(Answer::Missing, |proof| Answer::Data {
            index,
            value,
            proof,
        }))
}

/// What is damaged counts as missing.
fn usable<T>(found: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error @ (ReadError::Storage(_) | ReadError::Closed)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether an answer would show what a power cut could still take: a block, or a length.
fn is_ahead_of_disk(core: &Hypercore, answer: &Answer) -> bool {
    let Answer::Data { index, proof, .. } = answer else {
        return false;
    };
    let durable = core.durable_length();
    durable < core.length() && (*index >= durable || proof.signature.is_some())
}
