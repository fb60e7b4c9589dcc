//! Giving back the space of content.

use std::collections::HashMap;
use std::ops::Range;

use futures_util::FutureExt;
use hypertrie::{HistoryOptions, Node};

use crate::lookup::Entry;
use crate::runs::{Runs, run_of};
use crate::turns::take_turns;
use crate::{Drive, DriveError, Stat};

/// What [`Drive::clear`] may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClearOptions {
    own: bool,
    tagged: bool,
}

impl ClearOptions {
    /// The defaults: only what can be fetched again, and not what a tagged version has.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether content is cleared that is written here (default: no). What no peer has is lost then,
    /// for everybody.
    #[must_use]
    pub fn own(mut self, own: bool) -> Self {
        self.own = own;
        self
    }

    /// Whether content is cleared that a tagged version has (default: no).
    #[must_use]
    pub fn tagged(mut self, tagged: bool) -> Self {
        self.tagged = tagged;
        self
    }
}

/// What [`Drive::clear`] did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Cleared {
    /// Blocks that were here and are not any more.
    pub blocks: u64,
    /// The bytes in them.
    pub bytes: u64,
    /// Blocks that are still here, since other entries have them too, or other versions.
    pub kept_blocks: u64,
    /// The bytes in these.
    pub kept_bytes: u64,
}

impl Drive {
    /// Frees the space of the content of a file, or of every file below a directory (`/`: of all).
    /// The entries stay, and reading one fetches its content anew. A symlink or a mount at the path
    /// is followed, symlinks and mounts below it are not entered.
    ///
    /// Blocks stay that are also the content of an entry elsewhere in this version, or of any entry
    /// in a tagged version, or, looked at from a checkout, in the newest one. Only entries are known
    /// of that are here; none of the others can have been read. So peers are asked for nothing but the
    /// entry at the path itself.
    ///
    /// Content that is written here is refused ([`DriveError::OwnContent`]) unless the options say
    /// otherwise. Looks through all entries that are here: time grows with their number, and memory
    /// with the number of runs of blocks. Dropping the future clears nothing, or all.
    pub async fn clear(&self, path: &str, options: ClearOptions) -> Result<Cleared, DriveError> {
        let found = self.directory(path).await?;
        let cleared = found.drive().clear_here(&found.entry, options).await;
        found.seen(cleared)
    }

    async fn clear_here(&self, top: &Entry, options: ClearOptions) -> Result<Cleared, DriveError> {
        let content = self.content().await?;
        if content.is_writable() && !options.own {
            return Err(DriveError::OwnContent);
        }
        let below = if top.stat.is_dir() {
            Below::Directory(&top.key)
        } else {
            Below::File(&top.key)
        };
        let wanted = self.runs_below(below).await?;
        let mut free = wanted.clone();
        self.keep_shared(&mut free, below, options).await?;

        let free = free.up_to(content.length());
        let mut cleared = Cleared {
            blocks: free.held(&content),
            bytes: free.held_bytes(&content)?,
            ..Cleared::default()
        };
        content.clear_own_runs(&free.iter().collect::<Vec<_>>())?;
        let mut kept = wanted;
        for run in free.iter() {
            kept.remove(run);
        }
        cleared.kept_blocks = kept.held(&content);
        cleared.kept_bytes = kept.held_bytes(&content)?;
        Ok(cleared)
    }

    /// The blocks of files at and below a path, as far as their entries are here.
    async fn runs_below(&self, below: Below<'_>) -> Result<Runs, DriveError> {
        let mut runs = Runs::default();
        let mut nodes = LocalNodes::new(self, self.version());
        while let Some(node) = nodes.next().await? {
            if below.has(&node)
                && let Some(run) = self.run_now(&node)
            {
                runs.add(run);
            }
        }
        Ok(runs)
    }

    /// Takes away the blocks that somebody else has too.
    async fn keep_shared(
        &self,
        free: &mut Runs,
        below: Below<'_>,
        options: ClearOptions,
    ) -> Result<(), DriveError> {
        let newest = self.metadata().length();
        let mut views = vec![self.checkout(self.version())];
        if newest > self.version() {
            views.push(self.checkout(newest));
        }
        if !options.tagged {
            views.extend(self.tagged_here(newest).await?);
        }
        // The nodes that share blocks, until a newer one of the same key comes along.
        let mut sharing: HashMap<String, Node> = HashMap::new();
        let mut nodes = LocalNodes::new(self, newest);
        let keep = |node: &Node, replaced: u64, free: &mut Runs| {
            let seen = node.seq + 1..=replaced;
            for (place, view) in views.iter().enumerate() {
                let itself = place == 0 && below.has(node);
                if !itself
                    && seen.contains(&view.version())
                    && let Some(run) = view.run_now(node)
                {
                    free.remove(run);
                }
            }
        };
        while let Some(node) = nodes.next().await? {
            if node.hidden {
                continue;
            }
            if let Some(old) = sharing.remove(&node.key) {
                keep(&old, node.seq, free);
            }
            if run_in(&node).is_some_and(|run| free.overlaps(&run)) {
                sharing.insert(node.key.clone(), node);
            }
        }
        for node in sharing.into_values() {
            keep(&node, u64::MAX, free);
        }
        Ok(())
    }

    /// The tagged versions, as far as their tags are here.
    async fn tagged_here(&self, newest: u64) -> Result<Vec<Self>, DriveError> {
        let mut names = HashMap::new();
        let mut nodes = LocalNodes::new(self, newest);
        while let Some(node) = nodes.next().await? {
            if let Some((name, version)) = crate::tags::of_node(&node) {
                names.insert(name.to_owned(), version);
            }
        }
        let mut views = Vec::new();
        let head = self.checkout(newest);
        for (name, version) in names {
            // It may have been taken away since, or cannot be looked up now.
            let version = match head.tag(&name).now_or_never() {
                Some(Ok(None)) => continue,
                Some(Ok(Some(version))) => version,
                _ => version,
            };
            if version < newest {
                views.push(self.checkout(version));
            }
        }
        views.sort_unstable_by_key(Self::version);
        views.dedup_by_key(|view| view.version());
        Ok(views)
    }

    /// The blocks of the entry that a node holds, if the entry is there in the version looked at, or
    /// if that cannot be found out without peers.
    fn run_now(&self, node: &Node) -> Option<Range<u64>> {
        match self.trie.get(&node.key).now_or_never() {
            Some(Ok(Some(now))) => run_in(&now),
            Some(Ok(None)) => None,
            _ => run_in(node),
        }
    }
}

/// What is cleared.
#[derive(Clone, Copy)]
enum Below<'a> {
    File(&'a str),
    Directory(&'a str),
}

impl Below<'_> {
    fn has(self, node: &Node) -> bool {
        let inside = |dir: &str| {
            let rest = node.key.strip_prefix(dir);
            dir.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
        };
        !node.hidden
            && match self {
                Self::File(key) => node.key == key,
                Self::Directory(key) => inside(key),
            }
    }
}

/// The nodes of the trie that are stored here, the oldest first.
struct LocalNodes<'a> {
    drive: &'a Drive,
    /// Where to look for the next run of them, and where to end.
    next: u64,
    end: u64,
    run: Option<hypertrie::History>,
    seen: usize,
}

impl<'a> LocalNodes<'a> {
    fn new(drive: &'a Drive, version: u64) -> Self {
        Self {
            drive,
            next: 1,
            end: version,
            run: None,
            seen: 0,
        }
    }

    async fn next(&mut self) -> Result<Option<Node>, DriveError> {
        loop {
            if let Some(run) = &mut self.run {
                if let Some(node) = run.next().await? {
                    self.seen += 1;
                    if self.seen.is_multiple_of(NODES_A_TURN) {
                        take_turns().await;
                    }
                    return Ok(Some(node));
                }
                self.run = None;
            }
            let metadata = self.drive.metadata();
            while self.next < self.end && !metadata.has(self.next) {
                self.next += 1;
            }
            if self.next >= self.end {
                return Ok(None);
            }
            let end = metadata.next_missing(self.next, self.end);
            let run = self.next..end.unwrap_or(self.end);
            self.next = run.end;
            let options = HistoryOptions::new().range(run);
            let all = self.drive.checkout(self.end);
            self.run = Some(all.trie.history(options));
        }
    }
}

/// The blocks of the file's entry that a node holds.
pub(crate) fn run_in(node: &Node) -> Option<Range<u64>> {
    run_of(&Stat::decode(node.value.as_ref()?).ok()?)
}

/// After how many nodes others have their turn.
const NODES_A_TURN: usize = 1024;
