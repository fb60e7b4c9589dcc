//! The wire extension that saves round trips: a reader says what it looks for, and whoever has the
//! trie answers with the indexes of the blocks that the reader will come to. See
//! `docs/formats/trie.md`, "Lookups over the network".

mod answer;
mod message;

pub(crate) use answer::answer;
pub(crate) use message::Message;

/// The most hints taken from, and given for, one request.
pub(crate) const MAX_HINTS: usize = 2176;

/// How many hints go into one message.
const HINTS_A_MESSAGE: usize = 128;

/// The longest message that is looked at, in bytes. The longest key with a deep listing's
/// checkpoint fits, and so do the hints of one request, each nine bytes at most.
const MAX_MESSAGE_BYTES: usize = 128 * 1024;
