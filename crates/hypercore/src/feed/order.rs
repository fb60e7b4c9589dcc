use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::Feed;
use crate::{Durability, Hypercore};

impl Feed {
    /// From now on flushes `first` before this log, whenever and by whomever this one is flushed or
    /// closed. For a log that names blocks of another one: appended in that order, a name then never
    /// survives a power cut without its block, once it counts as durable.
    ///
    /// The first call counts, later ones do nothing. `first` must not wait in turn for this log.
    pub fn flush_after(&self, first: &Self) {
        let _ = self.shared.first.set(Arc::downgrade(&first.shared));
    }

    /// Changes when appended blocks survive a power cut; see
    /// [`Options::durability`](crate::Options::durability). Flushes, so that one mode does not build on
    /// what another left. Applies to every handle on the log.
    pub fn set_durability(&self, durability: Durability) -> io::Result<()> {
        let mut core = self.shared.core_mut();
        let Some(core) = core.as_mut() else {
            return Err(io::Error::other("the log is closed"));
        };
        self.shared.flush_first()?;
        core.set_durability(durability)?;
        self.shared.swarm().announce_durable(core);
        Ok(())
    }

    /// The blocks that no flush had made durable, and that were found all the same when the log was
    /// opened. Another log that was written together with this one may have lost what belongs to them.
    pub fn unflushed_at_open(&self) -> Range<u64> {
        let core = self.shared.core();
        core.as_ref().map_or(0..0, Hypercore::unflushed_at_open)
    }
}
