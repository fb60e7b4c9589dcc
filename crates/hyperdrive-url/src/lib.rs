//! `hyper://` links: parse, check, print.
//!
//! A link names a drive by its key, and may name a version of it and a path inside:
//! `hyper://KEY[+VERSION][/path][?query][#fragment]`. What people paste is taken as well: a bare
//! key, the older `dat://`, hex digits in capitals. This crate only reads the text; what the path
//! means inside a drive (`..`, symlinks, folders) is the drive's business.
//!
//! ```
//! use hyperdrive_url::Link;
//!
//! let key = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";
//! let link: Link = format!("hyper://{key}+14/notes/caf%C3%A9.txt").parse()?;
//! assert_eq!(link.version(), Some(14));
//! assert_eq!(link.path(), "/notes/café.txt");
//! assert_eq!(link.to_string(), format!("hyper://{key}+14/notes/caf%C3%A9.txt"));
//!
//! // A bare key is a link to the root of the newest version.
//! assert_eq!(Link::parse(key)?.to_string(), format!("hyper://{key}/"));
//! # Ok::<(), hyperdrive_url::LinkError>(())
//! ```

mod error;
mod link;
mod percent;

pub use error::LinkError;
pub use link::Link;
