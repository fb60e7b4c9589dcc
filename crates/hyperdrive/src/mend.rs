//! After a power cut: paths that refer to content which is lost.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use hypercore::Feed;
use hypertrie::{HistoryOptions, Node};

use crate::runs::run_of;
use crate::{Drive, DriveError, Stat};

impl Drive {
    /// Sees to it that no path refers to content which a power cut took.
    ///
    /// Neither log need be durable when a file was written; only when the paths are flushed, so is
    /// the content before them. A cut can then leave paths that were never flushed, and not their
    /// content. The drive goes back to the version before the first of these, which is a state that
    /// it had. That is a new version, as others may have been told of the ones in between. The lost
    /// blocks are written as empty ones, or what is written next would be taken for their content in
    /// the versions that are read-only now.
    ///
    /// If a log cannot be appended to at present, this is put off until it can.
    pub(crate) async fn mend(&self) -> Result<(), DriveError> {
        let (metadata, Some(content)) = (self.metadata(), self.content_now()) else {
            return Ok(());
        };
        let unmended = &self.shared.unmended;
        match self.mend_paths(metadata, &content).await {
            Err(DriveError::Append(_)) => unmended.store(true, Ordering::Release),
            done => {
                done?;
                unmended.store(false, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Does now what was put off.
    pub(crate) async fn mend_before_writing(&self) -> Result<(), DriveError> {
        if !self.shared.unmended.load(Ordering::Acquire) {
            return Ok(());
        }
        let content = self.content().await?;
        self.mend_paths(self.metadata(), &content).await?;
        self.shared.unmended.store(false, Ordering::Release);
        Ok(())
    }

    async fn mend_paths(&self, metadata: &Feed, content: &Feed) -> Result<(), DriveError> {
        if !metadata.is_writable() || !content.is_writable() {
            return Ok(());
        }
        let Some(lost) = self.find_lost(metadata, content).await? else {
            return Ok(());
        };
        // First, since it fails if the log cannot be appended to.
        let empty = vec![Bytes::new(); BLOCKS_AT_ONCE];
        while content.length() < lost.end {
            let left = usize::try_from(lost.end - content.length()).unwrap_or(BLOCKS_AT_ONCE);
            content.append_batch(&empty[..left.min(BLOCKS_AT_ONCE)])?;
        }
        if lost.is_shown {
            let mut batch = self.trie.begin().await?;
            batch.revert(lost.version).await?;
            batch.commit()?;
        }
        self.flush_logs()
    }

    /// Looks through the versions that were not flushed when the log of paths was opened. Somebody
    /// else may have flushed them since, so the newest ones are always looked at, and more of them as
    /// long as some have lost their content.
    async fn find_lost(&self, metadata: &Feed, content: &Feed) -> Result<Option<Lost>, DriveError> {
        let length = metadata.length();
        let newest = length.saturating_sub(NEWEST);
        let mut versions = newest.min(metadata.unflushed_at_open().start)..length;
        let mut lost: Option<Lost> = None;
        while !versions.is_empty() {
            let mut found: Option<Lost> = None;
            let range = HistoryOptions::new().range(versions.clone());
            let mut nodes = self.trie.history(range);
            while let Some(node) = nodes.next().await? {
                let Some(end) = lost_run(&node, content)? else {
                    continue;
                };
                let now = self.trie.get(&node.key).await?;
                let lost = found.get_or_insert(Lost {
                    version: node.seq,
                    end,
                    is_shown: false,
                });
                lost.end = lost.end.max(end);
                lost.is_shown |= now.is_some_and(|now| now.seq == node.seq);
            }
            let Some(found) = found else { break };
            lost = Some(match lost {
                None => found,
                Some(later) => Lost {
                    version: found.version,
                    end: found.end.max(later.end),
                    is_shown: found.is_shown || later.is_shown,
                },
            });
            versions = versions.start.saturating_sub(NEWEST)..versions.start;
        }
        Ok(lost)
    }
}

/// What a power cut took.
#[derive(Clone, Copy)]
struct Lost {
    /// The last version before the first one that refers to lost content.
    version: u64,
    /// Where lost content ends, in blocks.
    end: u64,
    /// Whether some of it belongs to paths of the newest version.
    is_shown: bool,
}

/// Where the run of a file's entry ends if the file's content is lost: beyond the content log, or in
/// a block that was written in place of a lost one.
fn lost_run(node: &Node, content: &Feed) -> Result<Option<u64>, DriveError> {
    let stat = node.value.as_ref().map(|value| Stat::decode(value));
    let Some(Ok(stat)) = stat else {
        return Ok(None);
    };
    let Some(run) = run_of(&stat) else {
        return Ok(None);
    };
    let length = content.length();
    if run.end <= length {
        // No file has an empty last block, unless it is empty.
        let last = content.get_local(run.end - 1)?;
        let is_lost = stat.size > 0 && last.is_some_and(|block| block.is_empty());
        return Ok(is_lost.then_some(run.end));
    }
    // An entry that never had content is damaged, and stays as it is.
    Ok((run.end - length <= MAX_LOST_BLOCKS).then_some(run.end))
}

/// How many versions are looked at though they count as flushed.
const NEWEST: u64 = 64;

/// How many blocks can be lost at most. An entry that says more never had its
/// content.
const MAX_LOST_BLOCKS: u64 = 1 << 24;

/// How many lost blocks are written in one append.
const BLOCKS_AT_ONCE: usize = 1024;
