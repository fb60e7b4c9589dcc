//! The tree over a log's blocks: how it grows, and what its set of stored nodes says.

mod builder;
mod digest;
mod held;
mod prove;
mod remote;

pub(crate) use builder::{Growth, grow, grow_leaves};
pub(crate) use digest::digest;
pub(crate) use held::{length, verified_by};
pub(crate) use prove::{Route, route};
pub use remote::RemoteTree;
