use std::collections::BTreeMap;

use hyperdrive_daemon::{CoreInfo, DriveStat, FileType};
use hyperdrive_url::Link;
use serde::Serialize;

/// One entry of a directory.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The path below the listed directory.
    pub(crate) name: String,
    pub(crate) stat: Stat,
}

/// What a drive knows of a path.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stat {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// Permission bits only.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) blocks: u64,
    /// The first content block.
    pub(crate) offset: u64,
    /// The first content byte.
    pub(crate) byte_offset: u64,
    /// Milliseconds since 1970; 0 when the entry does not say.
    pub(crate) mtime: u64,
    pub(crate) ctime: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) linkname: Option<String>,
    /// The key of the drive that is mounted here, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mount: Option<String>,
    /// The application's own, values in hex.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What kind of thing a path is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    Mount,
    /// A socket, a pipe, a device.
    Other,
}

/// What is known of a drive.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DriveInfo {
    pub(crate) link: String,
    pub(crate) key: String,
    pub(crate) discovery_key: String,
    pub(crate) version: u64,
    pub(crate) writable: bool,
    pub(crate) metadata: CoreStats,
    pub(crate) content: Option<CoreStats>,
}

/// What is known of one log.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CoreStats {
    pub(crate) key: String,
    pub(crate) discovery_key: String,
    pub(crate) length: u64,
    pub(crate) byte_length: u64,
    pub(crate) blocks_held: u64,
}

/// An entry that differs between two versions.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    #[serde(rename = "change")]
    pub(crate) kind: ChangeKind,
    pub(crate) path: String,
    /// The entry before and after, null if there was none.
    pub(crate) before: Option<Stat>,
    pub(crate) after: Option<Stat>,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ChangeKind {
    Added,
    Modified,
    Removed,
    Mounted,
    Unmounted,
}

impl Change {
    /// As git has it in the first column of `diff --name-status`, with `+` and `-` for mounts.
    pub(crate) fn letter(&self) -> char {
        match self.kind {
            ChangeKind::Added => 'A',
            ChangeKind::Modified => 'M',
            ChangeKind::Removed => 'D',
            ChangeKind::Mounted => '+',
            ChangeKind::Unmounted => '-',
        }
    }
}

impl From<hyperdrive_daemon::Change> for Change {
    fn from(change: hyperdrive_daemon::Change) -> Self {
        let kind = match change.kind() {
            hyperdrive_daemon::ChangeKind::Mounted => ChangeKind::Mounted,
            hyperdrive_daemon::ChangeKind::Unmounted => ChangeKind::Unmounted,
            _ if change.after.is_none() => ChangeKind::Removed,
            _ if change.before.is_none() => ChangeKind::Added,
            _ => ChangeKind::Modified,
        };
        Self {
            kind,
            path: change.path,
            before: change.before.map(Stat::from),
            after: change.after.map(Stat::from),
        }
    }
}

impl Kind {
    pub(crate) fn is_folder(self) -> bool {
        matches!(self, Self::Directory | Self::Mount)
    }

    /// As in the first column of `ls -l`.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::File => '-',
            Self::Directory => 'd',
            Self::Symlink => 'l',
            Self::Mount => 'm',
            Self::Other => '?',
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::Mount => "mounted drive",
            Self::Other => "neither file, folder nor link",
        }
    }
}

impl From<DriveStat> for Stat {
    fn from(stat: DriveStat) -> Self {
        let kind = match stat.file_type() {
            _ if stat.mount.is_some() => Kind::Mount,
            FileType::File => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Other,
        };
        let values = stat
            .metadata
            .iter()
            .filter_map(|(key, value)| Some((key, value.as_ref()?)));
        Self {
            kind,
            mode: stat.permissions(),
            uid: stat.uid,
            gid: stat.gid,
            size: stat.size,
            blocks: stat.blocks,
            offset: stat.offset,
            byte_offset: stat.byte_offset,
            mtime: stat.mtime,
            ctime: stat.ctime,
            metadata: values
                .map(|(key, value)| (key.clone(), hex(value)))
                .collect(),
            mount: stat.mount.as_ref().map(|mount| hex(mount.key.as_bytes())),
            linkname: stat.linkname,
        }
    }
}

impl From<hyperdrive_daemon::DriveInfo> for DriveInfo {
    fn from(info: hyperdrive_daemon::DriveInfo) -> Self {
        let metadata = CoreStats::from(info.metadata);
        Self {
            link: Link::new(*info.metadata.key.as_bytes()).to_string(),
            key: metadata.key.clone(),
            discovery_key: metadata.discovery_key.clone(),
            version: info.version,
            writable: info.writable,
            metadata,
            content: info.content.map(CoreStats::from),
        }
    }
}

impl From<CoreInfo> for CoreStats {
    fn from(info: CoreInfo) -> Self {
        Self {
            key: hex(info.key.as_bytes()),
            discovery_key: hex(info.discovery_key.as_bytes()),
            length: info.length,
            byte_length: info.byte_length,
            blocks_held: info.blocks_held,
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
