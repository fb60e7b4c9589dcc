//! Finds peers by topic and connects to them: the Hyperswarm network of 2020–21.
//!
//! [`lan`] finds them on the local network. What peers say to each other once they have met is left
//! to others.

mod bucket;
mod dedup;
pub mod lan;
pub mod peers;

pub use dedup::{Carrier, Keep, Side, decide};
