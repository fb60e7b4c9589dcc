use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hypercore_crypto::PublicKey;
use prost::Message;

use crate::schema;

/// What a drive's entry says about a file, a directory or a link (format page, "Stat").
///
/// The numbers come from whoever wrote the drive and may lie: a size need not be that of the
/// content, and the content need not exist.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stat {
    /// Type and permission bits, as in POSIX. [`file_type`](Self::file_type) reads the type.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// How long the file is, in bytes.
    pub size: u64,
    /// How many blocks of the content log hold the file.
    pub blocks: u64,
    /// The first of these blocks.
    pub offset: u64,
    /// Where the first block starts, counted in bytes from the start of the content log.
    pub byte_offset: u64,
    /// When the content last changed, in milliseconds since 1970. 0 when the entry does not say.
    pub mtime: u64,
    /// When the entry was made, in milliseconds since 1970. 0 when the entry does not say.
    pub ctime: u64,
    /// What a symlink points to, as it was written: relative to the link's directory, or from the
    /// root of the drive when it starts with a slash.
    pub linkname: Option<String>,
    /// The drive or log that is mounted here.
    pub mount: Option<Mount>,
    /// Metadata of the application's own, in the order in which it was written. A key without a
    /// value was removed.
    pub metadata: Vec<(String, Option<Bytes>)>,
}

impl Stat {
    /// An empty entry of a type, with permission bits (of `mode`, only the lowest 12 count).
    pub fn new(file_type: FileType, mode: u32) -> Self {
        Self {
            mode: file_type.bits() | mode & PERMISSION_BITS,
            uid: 0,
            gid: 0,
            size: 0,
            blocks: 0,
            offset: 0,
            byte_offset: 0,
            mtime: 0,
            ctime: 0,
            linkname: None,
            mount: None,
            metadata: Vec::new(),
        }
    }

    /// Reads a trie node's value.
    ///
    /// Absent numbers are 0, unknown fields are skipped, and of a metadata key given twice the last
    /// value counts. Refused are what is no protobuf, an entry without a mode, and a mount whose
    /// key has not 32 bytes.
    pub fn decode(value: &[u8]) -> Result<Self, StatError> {
        let stat = schema::Stat::decode(value).map_err(|_| StatError::Malformed)?;
        let mut metadata: Vec<(String, Option<Bytes>)> = Vec::new();
        for entry in stat.metadata {
            let key = entry.key.ok_or(StatError::Malformed)?;
            metadata.push((key, entry.value));
        }
        Ok(Self {
            mode: stat.mode.ok_or(StatError::NoMode)?,
            uid: stat.uid.unwrap_or(0),
            gid: stat.gid.unwrap_or(0),
            size: stat.size.unwrap_or(0),
            blocks: stat.blocks.unwrap_or(0),
            offset: stat.offset.unwrap_or(0),
            byte_offset: stat.byte_offset.unwrap_or(0),
            mtime: stat.mtime.unwrap_or(0),
            ctime: stat.ctime.unwrap_or(0),
            linkname: stat.linkname.filter(|target| !target.is_empty()),
            mount: stat.mount.map(Mount::from_schema).transpose()?,
            metadata: keep_last_values(metadata),
        })
    }

    /// Writes the entry as the reference does: fields 1 to 9 always, the others when set.
    pub fn encode(&self) -> Vec<u8> {
        let metadata = self
            .metadata
            .iter()
            .map(|(key, value)| schema::MetadataEntry {
                key: Some(key.clone()),
                value: value.clone(),
            });
        schema::Stat {
            mode: Some(self.mode),
            uid: Some(self.uid),
            gid: Some(self.gid),
            size: Some(self.size),
            blocks: Some(self.blocks),
            offset: Some(self.offset),
            byte_offset: Some(self.byte_offset),
            mtime: Some(self.mtime),
            ctime: Some(self.ctime),
            linkname: self.linkname.clone().filter(|target| !target.is_empty()),
            mount: self.mount.as_ref().map(Mount::to_schema),
            metadata: metadata.collect(),
        }
        .encode_to_vec()
    }

    /// The type, from the mode's highest four bits.
    pub fn file_type(&self) -> FileType {
        FileType::from_mode(self.mode)
    }

    /// The permission bits alone, set-user-id, set-group-id and sticky included.
    pub fn permissions(&self) -> u32 {
        self.mode & PERMISSION_BITS
    }

    /// Whether this is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type() == FileType::File
    }

    /// Whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type() == FileType::Directory
    }

    /// Whether this is a symlink.
    pub fn is_symlink(&self) -> bool {
        self.file_type() == FileType::Symlink
    }
}

/// The type of a drive's entry.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum FileType {
    /// A regular file, or an entry whose mode has no type bits.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A socket.
    Socket,
    /// A number that POSIX gives no meaning.
    Other,
}

impl FileType {
    fn from_mode(mode: u32) -> Self {
        // Compared under the mask: the reference tests `mode & type == type`, by which a symlink
        // (0xA000) is a file (0x8000) too.
        match mode & TYPE_BITS {
            0x8000 | 0 => Self::File,
            0x4000 => Self::Directory,
            0xA000 => Self::Symlink,
            0x1000 => Self::Fifo,
            0x2000 => Self::CharDevice,
            0x6000 => Self::BlockDevice,
            0xC000 => Self::Socket,
            _ => Self::Other,
        }
    }

    fn bits(self) -> u32 {
        match self {
            Self::File => 0x8000,
            Self::Directory => 0x4000,
            Self::Symlink => 0xA000,
            Self::Fifo => 0x1000,
            Self::CharDevice => 0x2000,
            Self::BlockDevice => 0x6000,
            Self::Socket => 0xC000,
            Self::Other => 0xF000,
        }
    }
}

/// Another drive, or a single log, mounted at a path (format page, "Mounts").
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Mount {
    /// The key of the mounted drive or log.
    pub key: PublicKey,
    /// The mounted version; 0 or `None` follows the newest.
    pub version: Option<u64>,
    /// A hash of the mounted version, meant for checking it. Nothing writes it today.
    pub hash: Option<Bytes>,
    /// Whether a single log is mounted as a file, not a drive as a directory. `None` is no.
    pub hypercore: Option<bool>,
}

impl Mount {
    fn from_schema(mount: schema::Mount) -> Result<Self, StatError> {
        let key = mount.key.unwrap_or_default();
        let key: [u8; 32] = key[..]
            .try_into()
            .map_err(|_| StatError::MountKey { size: key.len() })?;
        Ok(Self {
            key: PublicKey::from_bytes(key),
            version: mount.version,
            hash: mount.hash,
            hypercore: mount.hypercore,
        })
    }

    fn to_schema(&self) -> schema::Mount {
        schema::Mount {
            key: Some(Bytes::copy_from_slice(self.key.as_bytes())),
            version: self.version,
            hash: self.hash.clone(),
            hypercore: self.hypercore,
        }
    }
}

/// Why bytes are no [`Stat`]. The fault of whoever wrote the drive.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatError {
    /// The bytes are no protobuf message of this shape.
    #[error("its metadata is malformed")]
    Malformed,
    /// The required field `mode` is absent.
    #[error("its metadata has no mode")]
    NoMode,
    /// A mount's key is not 32 bytes.
    #[error("it mounts a key of {size} bytes, not 32")]
    MountKey {
        /// The key's size in bytes.
        size: usize,
    },
}

/// What a new entry says besides its content: permissions, owner, times, metadata.
///
/// The default is what the reference writes: mode 0644 for files and links, 0755 for directories,
/// owner and group 0, both times now.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Attributes {
    mode: Option<u32>,
    owner: (u32, u32),
    mtime: Option<u64>,
    ctime: Option<u64>,
    metadata: Vec<(String, Option<Bytes>)>,
}

impl Attributes {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of an entry that is there.
    pub fn of(stat: &Stat) -> Self {
        Self {
            mode: Some(stat.permissions()),
            owner: (stat.uid, stat.gid),
            mtime: Some(stat.mtime),
            ctime: Some(stat.ctime),
            metadata: stat.metadata.clone(),
        }
    }

    /// The permission bits (default 0644, for directories 0755). Of `mode` only the lowest 12 bits
    /// count.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Numbers of owner and group (default 0 and 0).
    #[must_use]
    pub fn owner(mut self, uid: u32, gid: u32) -> Self {
        self.owner = (uid, gid);
        self
    }

    /// When the content last changed, in milliseconds since 1970 (default: now). The largest number
    /// that Node reads exactly, 2^53 - 1, is written for larger ones.
    #[must_use]
    pub fn mtime(mut self, milliseconds: u64) -> Self {
        self.mtime = Some(milliseconds.min(MAX_TIME));
        self
    }

    /// When the entry was made, in milliseconds since 1970 (default: now). As for
    /// [`mtime`](Self::mtime), at most 2^53 - 1.
    #[must_use]
    pub fn ctime(mut self, milliseconds: u64) -> Self {
        self.ctime = Some(milliseconds.min(MAX_TIME));
        self
    }

    /// Adds a pair to the application's own metadata (default: none).
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.metadata.push((key.into(), Some(value.into())));
        self
    }

    /// An entry with these attributes and no content.
    pub(crate) fn to_stat(&self, file_type: FileType) -> Stat {
        let default = if file_type == FileType::Directory {
            0o755
        } else {
            0o644
        };
        let mut stat = Stat::new(file_type, self.mode.unwrap_or(default));
        (stat.uid, stat.gid) = self.owner;
        stat.mtime = self.mtime.unwrap_or_else(now);
        stat.ctime = self.ctime.unwrap_or_else(now);
        stat.metadata = keep_last_values(self.metadata.clone());
        stat
    }
}

/// Of keys that occur several times, keeps the first place and the last value, as a JavaScript
/// object does.
fn keep_last_values(entries: Vec<(String, Option<Bytes>)>) -> Vec<(String, Option<Bytes>)> {
    let mut places = std::collections::HashMap::new();
    let mut kept: Vec<(String, Option<Bytes>)> = Vec::new();
    for (key, value) in entries {
        match places.get(&key) {
            Some(&place) => {
                let (_, old): &mut (_, Option<Bytes>) = &mut kept[place];
                *old = value;
            }
            None => {
                places.insert(key.clone(), kept.len());
                kept.push((key, value));
            }
        }
    }
    kept
}

/// Milliseconds since 1970; 0 on a clock set before that.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis())
        .unwrap_or(MAX_TIME)
        .min(MAX_TIME)
}

/// The bits of a mode that say which type an entry is of.
const TYPE_BITS: u32 = 0xF000;

/// The bits of a mode below the type.
const PERMISSION_BITS: u32 = 0o7777;

/// The largest time that Node reads without rounding.
pub(crate) const MAX_TIME: u64 = (1 << 53) - 1;
