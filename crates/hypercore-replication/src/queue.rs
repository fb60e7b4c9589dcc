use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hypercore::Request;
use hypercore_protocol::Channel;

/// Questions of the remote that wait for their answer, of all logs.
///
/// Answers are large and questions are small, so it is the questions that are kept when the remote
/// reads slowly. Logs take turns, so that a large download on one does not hold up another.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    jobs: BTreeMap<Channel, Jobs>,
    turns: VecDeque<Channel>,
    length: usize,
}

/// Something that the remote asked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Job {
    /// Which blocks of a region are here?
    Want { start: u64, length: u64 },
    /// A block, or the proof of one.
    Request(Request),
}

#[derive(Debug, Default)]
struct Jobs {
    order: VecDeque<Job>,
    known: BTreeSet<Job>,
}

/// How many questions may wait before no more are read from the remote.
pub(crate) const MAX_JOBS: usize = 16_384;

impl Queue {
    /// Whether no more should be read from the remote.
    pub(crate) fn is_full(&self) -> bool {
        self.length >= MAX_JOBS
    }

    /// Adds a question, unless the same one waits already.
    pub(crate) fn push(&mut self, channel: Channel, job: Job) {
        let jobs = self.jobs.entry(channel).or_default();
        if jobs.known.insert(job) {
            if jobs.order.is_empty() {
                self.turns.push_back(channel);
            }
            jobs.order.push_back(job);
            self.length += 1;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<(Channel, Job)> {
        let channel = self.turns.pop_front()?;
        let jobs = self.jobs.get_mut(&channel)?;
        let job = jobs.order.pop_front()?;
        jobs.known.remove(&job);
        self.length -= 1;
        if jobs.order.is_empty() {
            self.jobs.remove(&channel);
        } else {
            self.turns.push_back(channel);
        }
        Some((channel, job))
    }

    /// The next question about one log, out of turn, if it is a request.
    pub(crate) fn pop_request(&mut self, channel: Channel) -> Option<Request> {
        let jobs = self.jobs.get_mut(&channel)?;
        let Job::Request(request) = *jobs.order.front()? else {
            return None;
        };
        jobs.known.remove(&Job::Request(request));
        jobs.order.pop_front();
        self.length -= 1;
        if jobs.order.is_empty() {
            self.jobs.remove(&channel);
            self.turns.retain(|turn| *turn != channel);
        }
        Some(request)
    }

    /// Takes back a request, as asked by the remote.
    pub(crate) fn cancel(&mut self, channel: Channel, index: u64, bytes: u64, hash: bool) {
        self.retain(channel, |job| {
            !matches!(job, Job::Request(request)
                if (request.index, request.bytes, request.hash) == (index, bytes, hash))
        });
    }

    /// Takes back the question about a region, or those about all regions for a length of 0.
    pub(crate) fn unwant(&mut self, channel: Channel, start: u64, length: u64) {
        self.retain(channel, |job| match *job {
            Job::Want { .. } if length == 0 => false,
            Job::Want { .. } => *job != Job::Want { start, length },
            Job::Request(_) => true,
        });
    }

    /// Forgets what was asked about one log.
    pub(crate) fn remove(&mut self, channel: Channel) {
        self.retain(channel, |_| false);
    }

    fn retain(&mut self, channel: Channel, keep: impl Fn(&Job) -> bool) {
        let Some(jobs) = self.jobs.get_mut(&channel) else {
            return;
        };
        let before = jobs.order.len();
        jobs.order.retain(&keep);
        jobs.known.retain(&keep);
        self.length -= before - jobs.order.len();
        if jobs.order.is_empty() {
            self.jobs.remove(&channel);
            self.turns.retain(|turn| *turn != channel);
        }
    }
}
