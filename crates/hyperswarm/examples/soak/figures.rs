//! What is measured, and what is thought of it.

use std::time::Duration;

use crate::fleet::Fleet;

/// How one lookup went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    /// When the peer was found; `None` if it was not.
    pub(crate) found: Option<Duration>,
    pub(crate) requests: usize,
}

/// The figures of the whole run, and those since the last line that was printed.
pub(crate) struct Figures {
    interval: Duration,
    next: Duration,
    lookups: Vec<Lookup>,
    printed: usize,
    announcements: usize,
    failed_announcements: usize,
    looks: Vec<Look>,
    /// Nodes that had ended by themselves, each time that somebody looked.
    fallen: usize,
}

/// The elders at a moment.
#[derive(Clone, Debug)]
struct Look {
    /// Of each, in bytes, sorted.
    memory: Vec<u64>,
    descriptors: usize,
}

impl Figures {
    /// Prints a line in each interval.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            next: Duration::ZERO,
            lookups: Vec::new(),
            printed: 0,
            announcements: 0,
            failed_announcements: 0,
            looks: Vec::new(),
            fallen: 0,
        }
    }

    pub(crate) fn heading(&self) {
        println!(
            "| time | killed | memory of an elder: least, median, most | descriptors | found | after | requests |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- |");
    }

    pub(crate) fn announced(&mut self, worked: bool) {
        self.announcements += 1;
        self.failed_announcements += usize::from(!worked);
    }

    pub(crate) fn looked_up(&mut self, lookup: Lookup) {
        self.lookups.push(lookup);
    }

    /// Whether it is time for another line.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        now >= self.next
    }

    /// Looks at the nodes and prints a line.
    pub(crate) fn look(&mut self, now: Duration, fleet: &mut Fleet) {
        self.next = now + self.interval;
        self.fallen += fleet.fallen();
        let elders = fleet.elders();
        let mut memory: Vec<u64> = elders.iter().filter_map(|it| it.memory()).collect();
        memory.sort_unstable();
        let descriptors = elders.iter().filter_map(|it| it.descriptors()).sum();
        let look = Look {
            memory,
            descriptors,
        };
        let fresh = &self.lookups[self.printed..];
        let found = fresh.iter().filter(|it| it.found.is_some()).count();
        let after = fresh.iter().filter_map(|it| it.found).collect();
        let requests = fresh.iter().map(|it| it.requests).collect();
        let mib = |share: f64| quantile(look.memory.clone(), share) as f64 / f64::from(1 << 20);
        println!(
            "| {} s | {} | {:.2} / {:.2} / {:.2} MiB | {} | {found} of {} | {} ms | {} |",
            now.as_secs(),
            fleet.kills(),
            mib(0.0),
            mib(0.5),
            mib(1.0),
            look.descriptors,
            fresh.len(),
            quantile::<Duration>(after, 0.5).as_millis(),
            quantile::<usize>(requests, 0.5),
        );
        self.printed = self.lookups.len();
        self.looks.push(look);
    }

    /// What is wrong, if anything.
    pub(crate) fn verdict(&self, fleet: &Fleet) -> Vec<String> {
        let mut complaints = Vec::new();
        let found = self.lookups.iter().filter(|it| it.found.is_some()).count();
        let all = self.lookups.len();
        println!(
            "{} nodes killed, {found} of {all} lookups found their peer",
            fleet.kills()
        );
        if (found as f64) < FOUND * all as f64 {
            complaints.push(format!("{found} of {all} lookups found their peer"));
        }
        if self.failed_announcements > 0 {
            let (failed, all) = (self.failed_announcements, self.announcements);
            complaints.push(format!("{failed} of {all} announcements failed"));
        }
        if self.fallen > 0 {
            complaints.push("a node has ended by itself".to_owned());
        }
        // Tables fill in the first half; from then on nothing is to grow.
        let (Some(middle), Some(end)) = (self.looks.get(self.looks.len() / 2), self.looks.last())
        else {
            return complaints;
        };
        let [before, after] = [middle, end].map(|it| quantile(it.memory.clone(), 0.5));
        if after > before + GROWTH_BYTES {
            complaints.push(format!("an elder grew from {before} to {after} bytes"));
        }
        if end.memory.last().is_some_and(|most| *most > MAX_BYTES) {
            complaints.push(format!("an elder takes more than {MAX_BYTES} bytes"));
        }
        if end.descriptors > middle.descriptors {
            complaints.push("descriptors are not given back".to_owned());
        }
        complaints
    }
}

fn quantile<T: Copy + Default + Ord>(mut values: Vec<T>, share: f64) -> T {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    let at = (last as f64 * share).round();
    // It was an index a moment ago.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    values.get(at as usize).copied().unwrap_or_default()
}

/// Share of the lookups that have to find their peer.
const FOUND: f64 = 0.99;

/// How much the median elder may grow in the second half of a run: some pages of the allocator's.
const GROWTH_BYTES: u64 = 512 << 10;

/// Most that a node may take.
const MAX_BYTES: u64 = 20 << 20;
