//! Content that belongs to no file.

use hypertrie::HistoryOptions;

use crate::clear::run_in;
use crate::runs::Runs;
use crate::turns::take_turns;
use crate::{Drive, DriveError};

/// Blocks of the content log that no entry of any version refers to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Orphans {
    /// How many there are.
    pub blocks: u64,
    /// How many of them are stored here.
    pub held_blocks: u64,
    /// The bytes in these.
    pub held_bytes: u64,
}

impl Drive {
    /// Counts the blocks that belong to no file, in no version: those of files that were given up
    /// while they were written, because the writer was dropped, the disk was full or the process
    /// ended.
    ///
    /// Looks through all versions and waits for those that are not here. Memory grows with the number
    /// of runs of blocks. Files that are being written just now are waited for.
    pub async fn orphans(&self) -> Result<Orphans, DriveError> {
        let (orphans, _) = self.find_orphans().await?;
        let content = self.content().await?;
        Ok(Orphans {
            blocks: orphans.blocks(),
            held_blocks: orphans.held(&content),
            held_bytes: orphans.held_bytes(&content)?,
        })
    }

    /// Frees the space of blocks that belong to no file, and says how much that was. Nothing that
    /// anybody can read is lost, so this is allowed where the drive is written, too. Peers that fetch
    /// the whole content log, not files, will miss them.
    pub async fn clear_orphans(&self) -> Result<Orphans, DriveError> {
        let (orphans, _writing) = self.find_orphans().await?;
        let content = self.content().await?;
        let cleared = Orphans {
            blocks: orphans.blocks(),
            held_blocks: orphans.held(&content),
            held_bytes: orphans.held_bytes(&content)?,
        };
        content.clear_own_runs(&orphans.iter().collect::<Vec<_>>())?;
        Ok(cleared)
    }

    /// The blocks, and what keeps files from being written meanwhile.
    async fn find_orphans(&self) -> Result<(Runs, impl Drop + use<>), DriveError> {
        let writing = self.shared.appending.clone().lock_owned().await;
        let content = self.content().await?;
        let mut orphans = Runs::default();
        orphans.add(0..content.length());
        let newest = self.checkout(self.metadata().length());
        let mut nodes = newest.trie.history(HistoryOptions::new());
        let mut seen = 0_usize;
        while let Some(node) = nodes.next().await? {
            if let Some(run) = run_in(&node) {
                orphans.remove(run);
            }
            seen += 1;
            if seen.is_multiple_of(1024) {
                take_turns().await;
            }
        }
        self.shared.files.keep_runs(&mut orphans);
        Ok((orphans, writing))
    }
}
