use std::io;

/// The kinds of calls on a [`FaultyDir`](crate::FaultyDir) and its files.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Call {
    /// A file was opened, new or not.
    Open,
    /// A file was created by opening or locking it.
    Create,
    /// A file was removed.
    Remove,
    /// It was asked whether a file is there.
    Exists,
    /// A folder was listed.
    List,
    /// A file was locked.
    Lock,
    /// The names were synced.
    SyncDir,
    /// Bytes were read.
    Read,
    /// Bytes were written.
    Write,
    /// A file's length was asked for.
    Len,
    /// A file's length was set.
    Truncate,
    /// A range was given back.
    Discard,
    /// A file was synced.
    Sync,
}

impl Call {
    /// Every kind that changes something or makes it durable.
    pub const CHANGES: &[Self] = &[
        Self::Create,
        Self::Remove,
        Self::SyncDir,
        Self::Write,
        Self::Truncate,
        Self::Discard,
        Self::Sync,
    ];

    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Open,
        Self::Create,
        Self::Remove,
        Self::Exists,
        Self::List,
        Self::Lock,
        Self::SyncDir,
        Self::Read,
        Self::Write,
        Self::Len,
        Self::Truncate,
        Self::Discard,
        Self::Sync,
    ];
}

/// A call that is to fail.
///
/// Counting starts when it is [injected](crate::FaultyDir::inject).
#[derive(Clone, Debug)]
pub struct Fault {
    kind: io::ErrorKind,
    on: Vec<Call>,
    file: Option<String>,
    skip: u64,
    forever: bool,
    done: usize,
}

impl Fault {
    /// The next call of any kind fails, once, without effect. A full disk is
    /// [`io::ErrorKind::StorageFull`], a broken one (EIO) [`io::ErrorKind::Other`].
    pub fn new(kind: io::ErrorKind) -> Self {
        Self {
            kind,
            on: Call::ALL.to_vec(),
            file: None,
            skip: 0,
            forever: false,
            done: 0,
        }
    }

    /// Only calls of these kinds are counted and fail.
    pub fn on(mut self, kinds: &[Call]) -> Self {
        self.on = kinds.to_vec();
        self
    }

    /// Only calls about files whose name ends so are counted and fail.
    pub fn file(mut self, ending: &str) -> Self {
        self.file = Some(ending.to_owned());
        self
    }

    /// So many calls go well before one fails.
    pub fn after(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Every later call fails too.
    pub fn forever(mut self) -> Self {
        self.forever = true;
        self
    }

    /// So many bytes of a failing write are written nevertheless.
    pub fn torn(mut self, bytes: usize) -> Self {
        self.done = bytes;
        self
    }

    /// Counts a call. If it is to fail: how many bytes of it are done, and the error.
    pub(super) fn meets(&mut self, call: Call, name: &str) -> Option<(usize, io::Error)> {
        let about = self
            .file
            .as_ref()
            .is_none_or(|ending| name.ends_with(ending));
        if !about || !self.on.contains(&call) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if !self.forever {
            self.on.clear();
        }
        let message = format!("injected fault on {call:?} of {name:?}");
        Some((self.done, io::Error::new(self.kind, message)))
    }
}
