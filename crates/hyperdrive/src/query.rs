//! Finding entries by patterns of paths and by what they are.

use std::collections::HashSet;

use hypercore_crypto::PublicKey;
use hyperdrive_url::Link;

use crate::{Drive, DriveError, Holder, Stat, path};

/// What to look for in one drive or several, and how much of it to give; for [`Drive::query`].
#[derive(Clone, Debug, Default)]
pub struct Query {
    paths: Vec<String>,
    kind: Option<MatchKind>,
    mount: Option<PublicKey>,
    metadata: Vec<(String, String)>,
    sort: Option<SortBy>,
    reverse: bool,
    offset: usize,
    limit: Option<usize>,
}

/// What an entry is, seen from a query.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum MatchKind {
    /// Anything that is neither of the others, symlinks that a `*` has found included.
    File,
    /// A directory of the drive that holds it.
    Directory,
    /// Another drive, or a log, that is mounted.
    Mount,
}

/// By what the matches of a query are sorted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SortBy {
    /// The last component of the path, in lower case, by code points.
    Name,
    /// When the content last changed, the oldest first.
    Mtime,
    /// When the entry was made, the oldest first.
    Ctime,
}

/// An entry that a query has found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Match {
    /// What it is.
    pub kind: MatchKind,
    /// Its path in the drive that was asked.
    pub path: String,
    /// Its entry.
    pub stat: Stat,
    /// The drive that was asked: its key, and its version if it is a checkout.
    pub drive: (PublicKey, Option<u64>),
    /// The drive that really holds the entry, or that is mounted there.
    pub origin: Holder,
    /// The entry's path in that drive, with every symlink on the way followed.
    pub origin_path: String,
}

impl Match {
    /// The link to the entry, in the drive that was asked.
    pub fn link(&self) -> Link {
        let (key, version) = self.drive;
        link(key, version, &self.path)
    }

    /// The link to the entry, in the drive that really holds it.
    pub fn origin_link(&self) -> Link {
        let drive = self.origin.drive();
        link(drive.key(), drive.checked_out(), &self.origin_path)
    }
}

fn link(key: PublicKey, version: Option<u64>, path: &str) -> Link {
    let link = Link::new(*key.as_bytes()).with_version(version);
    // No path of a drive that was looked up contains what a link refuses.
    link.clone().with_path(path).unwrap_or(link)
}

impl Query {
    /// Everything that a pattern of paths fits.
    ///
    /// A component with a `*` in it stands for all names of a directory that fit it: each `*` is any
    /// run of characters, none as well, and upper and lower case are the same. Other components are
    /// names as they are, and symlinks among them are followed. `/` is the root. Mounts are walked
    /// like directories, and what cannot be read holds nothing.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            paths: vec![path.into()],
            ..Self::default()
        }
    }

    /// One more pattern. What several fit is found once, where the first of them finds it.
    #[must_use]
    pub fn or_path(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Only entries of one kind (default: all).
    #[must_use]
    pub fn kind(mut self, kind: MatchKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only mounts of one drive or log (default: all entries).
    #[must_use]
    pub fn mount(mut self, key: PublicKey) -> Self {
        self.mount = Some(key);
        self
    }

    /// Only entries whose metadata has this text under this key, and all others that are given.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, text: impl Into<String>) -> Self {
        self.metadata.push((key.into(), text.into()));
        self
    }

    /// What to sort by (default: patterns in the order given, paths by code points).
    #[must_use]
    pub fn sort(mut self, by: SortBy) -> Self {
        self.sort = Some(by);
        self
    }

    /// Whether to turn the order round (default: no).
    #[must_use]
    pub fn reverse(mut self, reverse: bool) -> Self {
        self.reverse = reverse;
        self
    }

    /// How many matches to leave out at the beginning (default: 0).
    #[must_use]
    pub fn offset(mut self, count: usize) -> Self {
        self.offset = count;
        self
    }

    /// How many matches to give at most (default, and 0: all).
    #[must_use]
    pub fn limit(mut self, count: usize) -> Self {
        self.limit = Some(count).filter(|count| *count > 0);
        self
    }

    /// Whether an entry passes the filters.
    fn accepts(&self, kind: MatchKind, stat: &Stat) -> bool {
        let has = |(key, text): &(String, String)| {
            let value = stat.metadata.iter().find(|(known, _)| known == key);
            let value = value.and_then(|(_, value)| value.as_ref());
            value.is_some_and(|value| value[..] == *text.as_bytes())
        };
        let mount = stat.mount.as_ref().map(|mount| mount.key);
        self.kind.is_none_or(|wanted| wanted == kind)
            && self.mount.is_none_or(|wanted| mount == Some(wanted))
            && self.metadata.iter().all(has)
    }

    fn arrange(&self, mut matches: Vec<Match>) -> Vec<Match> {
        match self.sort {
            None => {}
            Some(SortBy::Name) => matches.sort_by_cached_key(|found| {
                let name = found.path.rsplit('/').next().unwrap_or_default();
                name.to_lowercase()
            }),
            Some(SortBy::Mtime) => matches.sort_by_key(|found| found.stat.mtime),
            Some(SortBy::Ctime) => matches.sort_by_key(|found| found.stat.ctime),
        }
        if self.reverse {
            matches.reverse();
        }
        let matches = matches.into_iter().skip(self.offset);
        matches.take(self.limit.unwrap_or(usize::MAX)).collect()
    }
}

impl Drive {
    /// The most entries that a query looks at in one drive, and the most that it gathers.
    pub const MAX_QUERIED: usize = 100_000;

    /// Finds entries by patterns of their paths and by what they are.
    ///
    /// Looking at more than [`MAX_QUERIED`](Self::MAX_QUERIED) entries is an error
    /// ([`DriveError::TooManyMatches`]).
    pub async fn query(&self, query: &Query) -> Result<Vec<Match>, DriveError> {
        Ok(query.arrange(self.matches(query).await?))
    }

    /// As [`query`](Self::query), in several drives, whose matches are sorted and counted together.
    pub async fn query_all(drives: &[Self], query: &Query) -> Result<Vec<Match>, DriveError> {
        let mut matches = Vec::new();
        for drive in drives {
            matches.extend(drive.matches(query).await?);
            if matches.len() > Self::MAX_QUERIED {
                let limit = Self::MAX_QUERIED;
                return Err(DriveError::TooManyMatches { limit });
            }
        }
        Ok(query.arrange(matches))
    }

    /// What passes the filters, patterns in the order given.
    async fn matches(&self, query: &Query) -> Result<Vec<Match>, DriveError> {
        let mut seen = HashSet::new();
        let mut matches = Vec::new();
        let mut budget = Self::MAX_QUERIED;
        for pattern in &query.paths {
            let pattern = path::clean(pattern);
            let mut found = self.expand(&pattern, &mut budget).await?;
            found.sort_by(|a, b| a.path.cmp(&b.path));
            for found in found {
                if query.accepts(found.kind, &found.stat) && seen.insert(found.path.clone()) {
                    matches.push(found);
                }
            }
        }
        Ok(matches)
    }

    /// All entries that a pattern fits.
    async fn expand(&self, pattern: &str, budget: &mut usize) -> Result<Vec<Match>, DriveError> {
        // Directories that the components so far lead to.
        let mut dirs = vec![String::new()];
        let components: Vec<&str> = pattern.split('/').filter(|name| !name.is_empty()).collect();
        let mut found = Vec::new();
        for (index, component) in components.iter().enumerate() {
            let last = index + 1 == components.len();
            if !component.contains('*') {
                dirs.iter_mut()
                    .for_each(|dir| *dir = path::join(dir, component));
                continue;
            }
            let glob = Glob::new(component);
            let mut inner = Vec::new();
            for dir in &dirs {
                let Some(mut entries) = readable(self.read_dir(dir, false).await)? else {
                    continue;
                };
                while let Some(entry) = entries.next().await {
                    spend(budget)?;
                    let Some(entry) = readable(entry)? else {
                        continue;
                    };
                    if !glob.fits(&entry.name) {
                        continue;
                    }
                    let key = path::join(dir, &entry.name);
                    if last {
                        let origin = (Holder::clone(&entry.holder), entry.inner_path());
                        found.push(self.found(key, entry.stat, origin).await?);
                    } else {
                        inner.push(key);
                    }
                }
            }
            dirs = inner;
        }
        if components.last().is_none_or(|last| !last.contains('*')) {
            for dir in dirs {
                spend(budget)?;
                if let Some(entry) = readable(self.entry(&dir, true).await)? {
                    let origin = (entry.holder, path::shown(&entry.entry.key));
                    found.push(self.found(dir, entry.entry.stat, origin).await?);
                }
            }
        }
        Ok(found)
    }

    async fn found(
        &self,
        key: String,
        stat: Stat,
        held: (Holder, String),
    ) -> Result<Match, DriveError> {
        let (kind, (origin, origin_path)) = match &stat.mount {
            Some(mount) if !mount.is_log() => {
                let inside = readable(self.holder(&key).await)?;
                let inside = inside.map(|inside| (inside, "/".to_owned()));
                (MatchKind::Mount, inside.unwrap_or(held))
            }
            Some(_) => (MatchKind::Mount, held),
            None if stat.is_dir() => (MatchKind::Directory, held),
            None => (MatchKind::File, held),
        };
        Ok(Match {
            kind,
            path: path::shown(&key),
            stat,
            drive: (self.key(), self.checked_out()),
            origin,
            origin_path,
        })
    }
}

/// `None` for what is not there or cannot be read through the fault of its author.
fn readable<T>(read: Result<T, DriveError>) -> Result<Option<T>, DriveError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(
            DriveError::NotFound { .. }
            | DriveError::NotADirectory { .. }
            | DriveError::TooManyLinks { .. }
            | DriveError::TooManyMounts { .. }
            | DriveError::BadMount { .. }
            | DriveError::BadEntry { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

fn spend(budget: &mut usize) -> Result<(), DriveError> {
    let limit = Drive::MAX_QUERIED;
    *budget = budget
        .checked_sub(1)
        .ok_or(DriveError::TooManyMatches { limit })?;
    Ok(())
}

/// A name with wildcards.
struct Glob {
    pattern: Vec<char>,
}

impl Glob {
    fn new(component: &str) -> Self {
        Self {
            pattern: component.to_lowercase().chars().collect(),
        }
    }

    /// Whether a name fits. Takes no more steps than the product of both lengths.
    fn fits(&self, name: &str) -> bool {
        let name: Vec<char> = name.to_lowercase().chars().collect();
        let (mut at, mut from) = (0, 0);
        // The last star, and how far into the name it reaches.
        let mut star: Option<(usize, usize)> = None;
        while from < name.len() {
            match self.pattern.get(at) {
                Some('*') => {
                    star = Some((at, from));
                    at += 1;
                }
                Some(wanted) if *wanted == name[from] => {
                    at += 1;
                    from += 1;
                }
                _ => match &mut star {
                    Some((place, reach)) => {
                        *reach += 1;
                        (at, from) = (*place + 1, *reach);
                    }
                    None => return false,
                },
            }
        }
        self.pattern[at..].iter().all(|left| *left == '*')
    }
}
