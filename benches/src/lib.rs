//! Criterion benches live in `benches/`; this crate only carries their dependencies.
