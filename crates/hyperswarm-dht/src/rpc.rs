//! Requests that wait for their answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;
use std::time::Duration;

use crate::random::Random;
use crate::wire::{Message, Node};
use crate::{Id, QueryId, Timestamp};

/// Why a request was sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// A step of a walk, to a node whose id somebody told us; `None` for a bootstrap node.
    Walk(QueryId, Option<Id>),
    /// The order to store something.
    Store(QueryId),
    /// The caller's ping.
    Ping(QueryId),
    /// The caller's hole punch.
    Punch(QueryId),
    /// Is a node of the table, or one that might come into it, alive?
    Check(Node),
    /// Keeps the NATs between us and a node open.
    Warm,
}

/// Names a request, for as long as it waits.
pub(crate) type RequestId = u64;

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) to: SocketAddrV4,
    pub(crate) purpose: Purpose,
    /// The datagram, as sent last.
    pub(crate) datagram: Vec<u8>,
    /// Who told us of the node and can forward a hole punch to it.
    pub(crate) referrer: Option<SocketAddrV4>,
    /// Request id and moment of each sending.
    sendings: Vec<(u32, Timestamp)>,
    /// The request id of a hole punch on behalf of this request.
    punch: Option<u32>,
    max_sendings: usize,
    deadline: Timestamp,
}

/// What an answer is to.
#[derive(Debug)]
pub(crate) enum Match {
    /// The request, which is over, and the time it took.
    Request(Request, Duration),
    /// The hole punch on behalf of a request: the node can be reached now.
    PunchFor(RequestId),
}

/// What the passing of time brings.
#[derive(Debug)]
pub(crate) enum Due {
    /// A request has to be sent again.
    Resend(RequestId),
    /// A request will not be answered any more.
    Failed(Request),
}

/// All requests that wait, by deadline and by request id.
#[derive(Debug, Default)]
pub(crate) struct Rpc {
    requests: BTreeMap<RequestId, Request>,
    by_rid: BTreeMap<u32, RequestId>,
    deadlines: BTreeSet<(Timestamp, RequestId)>,
    next_id: RequestId,
    round_trip: RoundTrip,
}

impl Rpc {
    /// A request id that nobody foretells and that is not in use.
    ///
    /// The reference counts through 16 bits; it repeats whatever an asker chose.
    pub(crate) fn fresh_rid(&self, random: &mut Random) -> u32 {
        loop {
            let rid = random.next_u32();
            if !self.by_rid.contains_key(&rid) {
                return rid;
            }
        }
    }

    /// Notes a request that is being sent.
    pub(crate) fn sent(
        &mut self,
        now: Timestamp,
        rid: u32,
        to: SocketAddrV4,
        datagram: Vec<u8>,
        purpose: Purpose,
        referrer: Option<SocketAddrV4>,
    ) -> RequestId {
        let id = self.next_id;
        self.next_id += 1;
        let max_sendings = match purpose {
            Purpose::Walk(_, Some(_)) | Purpose::Check(_) => WALK_SENDINGS,
            Purpose::Warm => 1,
            Purpose::Punch(_) => PUNCH_SENDINGS,
            Purpose::Walk(_, None) | Purpose::Store(_) | Purpose::Ping(_) => STORE_SENDINGS,
        };
        let request = Request {
            to,
            deadline: now + self.patience(&purpose, 0),
            purpose,
            datagram,
            referrer,
            sendings: vec![(rid, now)],
            punch: None,
            max_sendings,
        };
        self.by_rid.insert(rid, id);
        self.deadlines.insert((request.deadline, id));
        self.requests.insert(id, request);
        id
    }

    /// Notes that a request is sent again, and gives the datagram.
    ///
    /// Each sending has a request id of its own, so that its answer tells the true round trip; hole
    /// punches keep theirs, since the two packets of one punch share it.
    pub(crate) fn resend(
        &mut self,
        now: Timestamp,
        id: RequestId,
        random: &mut Random,
    ) -> Option<(SocketAddrV4, Vec<u8>)> {
        let fresh = self.fresh_rid(random);
        let request = self.requests.get_mut(&id)?;
        let count = request.sendings.len();
        let rid = match request.purpose {
            Purpose::Punch(_) => request.sendings[0].0,
            _ => fresh,
        };
        if let Ok(mut message) = Message::decode(&request.datagram) {
            message.rid = u64::from(rid);
            let datagram = message.encode();
            request.datagram = datagram;
        }
        request.sendings.push((rid, now));
        self.by_rid.insert(rid, id);
        let (purpose, old) = (request.purpose.clone(), request.deadline);
        let sent = (request.to, request.datagram.clone());
        let deadline = now + self.patience(&purpose, count);
        self.deadlines.remove(&(old, id));
        self.deadlines.insert((deadline, id));
        if let Some(request) = self.requests.get_mut(&id) {
            request.deadline = deadline;
        }
        Some(sent)
    }

    /// Notes a hole punch on behalf of a request; `None` if there was one, or nobody to ask for it.
    pub(crate) fn punch_for(
        &mut self,
        id: RequestId,
        random: &mut Random,
    ) -> Option<(u32, SocketAddrV4, SocketAddrV4)> {
        let rid = self.fresh_rid(random);
        let request = self.requests.get_mut(&id)?;
        let referrer = request.referrer?;
        if request.punch.is_some() || referrer == request.to {
            return None;
        }
        request.punch = Some(rid);
        self.by_rid.insert(rid, id);
        Some((rid, referrer, request.to))
    }

    /// The request that an answer is to. It has to come from where the request went, except for hole
    /// punches: some NATs give each destination another port.
    pub(crate) fn answered(
        &mut self,
        now: Timestamp,
        rid: u64,
        from: SocketAddrV4,
    ) -> Option<Match> {
        let rid = u32::try_from(rid).ok()?;
        let id = *self.by_rid.get(&rid)?;
        let request = self.requests.get(&id)?;
        if request.punch == Some(rid) {
            self.by_rid.remove(&rid);
            return (request.to == from).then_some(Match::PunchFor(id));
        }
        if request.to != from && !matches!(request.purpose, Purpose::Punch(_)) {
            return None;
        }
        let sending = request.sendings.iter().find(|sending| sending.0 == rid);
        let round_trip = now.saturating_since(sending?.1);
        let request = self.remove(id)?;
        if !matches!(request.purpose, Purpose::Punch(_)) {
            self.round_trip.measured(round_trip);
        }
        Some(Match::Request(request, round_trip))
    }

    /// What is overdue, one at a time. A request to be resent stays overdue until it is.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Due> {
        let (deadline, id) = *self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        let request = self.requests.get(&id)?;
        if request.sendings.len() < request.max_sendings {
            return Some(Due::Resend(id));
        }
        let request = self.remove(id)?;
        if !matches!(request.purpose, Purpose::Punch(_) | Purpose::Warm) {
            self.round_trip.silence();
        }
        Some(Due::Failed(request))
    }

    /// Forgets the requests of an operation.
    pub(crate) fn forget(&mut self, query: QueryId) {
        let ids: Vec<RequestId> = self
            .requests
            .iter()
            .filter(|(_, request)| request.query() == Some(query))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.remove(id);
        }
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&Request> {
        self.requests.get(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn remove(&mut self, id: RequestId) -> Option<Request> {
        let request = self.requests.remove(&id)?;
        self.deadlines.remove(&(request.deadline, id));
        for (rid, _) in &request.sendings {
            self.by_rid.remove(rid);
        }
        if let Some(rid) = request.punch {
            self.by_rid.remove(&rid);
        }
        Some(request)
    }

    /// How long to wait after a sending, when there were `earlier` ones.
    fn patience(&self, purpose: &Purpose, earlier: usize) -> Duration {
        match purpose {
            Purpose::Punch(_) => PUNCH_INTERVALS[earlier.min(PUNCH_INTERVALS.len() - 1)],
            Purpose::Warm => WARM_PATIENCE,
            _ => self.round_trip.patience(earlier),
        }
    }
}

impl Request {
    pub(crate) fn query(&self) -> Option<QueryId> {
        match self.purpose {
            Purpose::Walk(query, _)
            | Purpose::Store(query)
            | Purpose::Ping(query)
            | Purpose::Punch(query) => Some(query),
            Purpose::Check(_) | Purpose::Warm => None,
        }
    }

    /// The request id of the first sending.
    pub(crate) fn rid(&self) -> u32 {
        self.sendings[0].0
    }
}

/// How long answers take, over all nodes: the smoothed mean and deviation of RFC 6298.
#[derive(Debug, Default)]
struct RoundTrip {
    mean: Option<Duration>,
    deviation: Duration,
    /// Requests without answer since the last one that had any. When it is the link that is slow,
    /// there are many.
    silent: u32,
}

impl RoundTrip {
    fn measured(&mut self, sample: Duration) {
        self.silent = 0;
        match self.mean {
            None => {
                self.mean = Some(sample);
                self.deviation = sample / 2;
            }
            Some(mean) => {
                self.deviation = (self.deviation * 3 + mean.abs_diff(sample)) / 4;
                self.mean = Some((mean * 7 + sample) / 8);
            }
        }
    }

    fn silence(&mut self) {
        self.silent = self.silent.saturating_add(1);
    }

    fn patience(&self, earlier: usize) -> Duration {
        let usual = match self.mean {
            None => UNKNOWN_PATIENCE,
            Some(mean) => (mean + self.deviation * 4).clamp(MIN_PATIENCE, MAX_PATIENCE),
        };
        let backed_off = usual * (1 << (self.silent / SILENT_DOUBLING).min(3));
        let factor = if earlier == 0 { 2 } else { 3 };
        (backed_off * factor / 2).min(MAX_BACKED_OFF)
    }
}

/// Sendings of a step of a walk. Others stand in for a node that stays silent.
const WALK_SENDINGS: usize = 2;

/// Sendings where nobody else will do.
const STORE_SENDINGS: usize = 3;

/// Sendings of a hole punch, and the pauses between them: NATs open within a round trip or two.
const PUNCH_SENDINGS: usize = 6;
const PUNCH_INTERVALS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_millis(750),
    Duration::from_millis(1250),
    Duration::from_millis(2000),
];

const WARM_PATIENCE: Duration = Duration::from_secs(2);

/// Before anything was measured.
const UNKNOWN_PATIENCE: Duration = Duration::from_millis(500);
const MIN_PATIENCE: Duration = Duration::from_millis(200);
const MAX_PATIENCE: Duration = Duration::from_millis(1500);
const MAX_BACKED_OFF: Duration = Duration::from_secs(6);

/// The patience doubles after as many requests without answer in a row, up to three times.
const SILENT_DOUBLING: u32 = 8;
