//! Random-access storage for logs: bytes at offsets, and directories of named files.
//!
//! This crate knows bytes, not blocks. [`Storage`] is one file, [`StorageDir`] a place that opens
//! files by name; [`MemoryDir`] keeps them in memory, [`DiskDir`] below a directory on disk, with a
//! [`FilePool`] that bounds the descriptors they take; [`ReadOnlyDir`] lends one out unchanged.
//!
//! Calls block. Nothing here knows about runtimes, and nothing is cached but descriptors.
//!
//! ```
//! use hypercore_storage::{MemoryDir, OpenMode, StorageDir};
//!
//! let dir = MemoryDir::new();
//! let file = dir.open("data", OpenMode::Create)?;
//! file.write(3, b"abc")?;
//! let mut read = [0; 6];
//! file.read(0, &mut read)?;
//! assert_eq!(&read, b"\0\0\0abc"); // what was never written reads as zero
//! # Ok::<(), std::io::Error>(())
//! ```

mod dir;
mod disk;
mod memory;
mod name;
mod read_only;
mod stamp;
mod storage;

pub use dir::{Lock, OpenMode, Rest, StorageDir};
pub use disk::{DiskDir, FilePool, LockLost};
pub use memory::MemoryDir;
pub use read_only::ReadOnlyDir;
pub use stamp::Stamp;
pub use storage::Storage;
