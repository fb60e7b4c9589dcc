//! What the Hypercore crates need of an async runtime, for tokio and async-std.
