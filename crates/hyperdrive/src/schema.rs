//! The protobuf messages of a drive, as the reference writes them.
//!
//! They stay inside the crate. Fields that the reference's schema calls required are optional here
//! and checked by whoever decodes; the reference always writes fields 1 to 9 of a Stat, zeros
//! included, so presence is explicit.

/// A file's metadata, the value of a trie node (format page, "Stat").
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Stat {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) mode: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) uid: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) gid: Option<u32>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) size: Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub(crate) blocks: Option<u64>,
    #[prost(uint64, optional, tag = "6")]
    pub(crate) offset: Option<u64>,
    #[prost(uint64, optional, tag = "7")]
    pub(crate) byte_offset: Option<u64>,
    #[prost(uint64, optional, tag = "8")]
    pub(crate) mtime: Option<u64>,
    #[prost(uint64, optional, tag = "9")]
    pub(crate) ctime: Option<u64>,
    #[prost(string, optional, tag = "10")]
    pub(crate) linkname: Option<String>,
    #[prost(message, optional, tag = "11")]
    pub(crate) mount: Option<Mount>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) metadata: Vec<MetadataEntry>,
}

/// Which core or drive is to be found at a path.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Mount {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) key: Option<bytes::Bytes>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) version: Option<u64>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) hash: Option<bytes::Bytes>,
    #[prost(bool, optional, tag = "4")]
    pub(crate) hypercore: Option<bool>,
}

/// One pair of the map `metadata`; without a value it says that the key was removed.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MetadataEntry {
    #[prost(string, optional, tag = "1")]
    pub(crate) key: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) value: Option<bytes::Bytes>,
}
