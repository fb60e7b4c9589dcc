//! Test doubles and helpers that the crates' tests share. Never published.
//!
//! - [`FaultyDir`]: storage that fails when told to, and that can be seen as a crash would leave
//!   it.
//! - [`Sim`]: hosts on a virtual clock with a network between them, each of them a
//!   [`Runtime`](hypercore_runtime::Runtime).
//! - [`in_namespaces`]: programs in networks of a test's own.
//! - [`keys`], [`vectors`], [`Rng`]: fixed key pairs, answers of other implementations, and random
//!   numbers that a seed repeats.
//!
//! It imports the ground floor only (crypto, storage, runtime), or the unit tests of a crate would
//! meet two copies of its types. The ground floor itself uses it from `tests/`.
//!
//! ```
//! use hypercore_storage::{OpenMode, StorageDir};
//! use testkit::{FaultyDir, Keep};
//!
//! let dir = FaultyDir::new();
//! let file = dir.open("data", OpenMode::Create)?;
//! dir.sync()?;
//! file.write(0, b"safe")?;
//! file.sync()?;
//! file.write(0, b"lost")?;
//!
//! let after = dir.crash(dir.log_len(), Keep::Nothing);
//! assert_eq!(after.files()["data"], b"safe");
//! # Ok::<(), std::io::Error>(())
//! ```

mod faulty;
pub mod keys;
mod namespaces;
mod rng;
mod sim;
pub mod vectors;

pub use faulty::{Call, Change, Fault, FaultyDir, Keep};
pub use namespaces::{in_namespaces, namespaces_work};
pub use rng::Rng;
pub use sim::{Link, Sim, SimRuntime};
