//! The wire extension that saves round trips: a reader says what it looks for, and whoever has the
//! trie answers with the indexes of the blocks that the reader will come to. See
//! `docs/formats/trie.md`, "Lookups over the network".

mod answer;
mod lookups;
mod message;

pub use lookups::Lookups;

pub(crate) use answer::answer;
pub(crate) use lookups::Questions;
pub(crate) use message::{Listing, Message};

/// The name under which the extension is announced for a log.
pub(crate) const NAME: &str = "hypertrie";

/// How many blocks a listing comes by before it asks again.
pub(crate) const ASK_EVERY: usize = 2048;

/// The most hints taken from, and given for, one request.
pub(crate) const MAX_HINTS: usize = 2176;

/// How many hints go into one message.
const HINTS_A_MESSAGE: usize = 128;

/// The longest message that is looked at, in bytes. The longest key with a deep listing's
/// checkpoint fits, and so do the hints of one request, each nine bytes at most.
const MAX_MESSAGE_BYTES: usize = 128 * 1024;
