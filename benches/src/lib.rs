//! What the benches and `bench-peer` share: the data that every side of a comparison works on, and
//! the places that hold the logs.

pub mod data;
pub mod place;
