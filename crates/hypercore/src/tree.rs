//! The tree over a log's blocks: how it grows, and what its set of stored nodes says.

mod builder;
mod held;

pub(crate) use builder::{Growth, grow};
pub(crate) use held::{length, verified_by};
