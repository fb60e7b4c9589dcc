//! Names for versions.

use std::collections::BTreeMap;

use bytes::Bytes;
use hypertrie::{GetOptions, IterOptions, Node, PutOptions};

use crate::{Drive, DriveError, path};

impl Drive {
    /// The most tags that [`tags`](Self::tags) gathers.
    pub const MAX_TAGS: usize = 10_000;

    /// Gives a version a name, in place of the version that has it. `None` is the version looked at,
    /// before the tag is written. Gives the version.
    ///
    /// Tags lie beside the paths, as hidden entries: they cost a version of their own, replicate
    /// with the drive, and are in no listing or difference.
    pub async fn create_tag(&self, name: &str, version: Option<u64>) -> Result<u64, DriveError> {
        let key = tag_key(name)?;
        let mut batch = self.begin().await?;
        let version = version.unwrap_or_else(|| self.version());
        put_tag(&mut batch, &key, version).await?;
        batch.commit()?;
        Ok(version)
    }

    /// The version of a name.
    pub async fn tag(&self, name: &str) -> Result<Option<u64>, DriveError> {
        let node = self
            .trie
            .get_with(&tag_key(name)?, GetOptions::new().hidden(true))
            .await?;
        Ok(node.as_ref().and_then(decode))
    }

    /// Takes a name away from its version. False if there is no such name.
    pub async fn delete_tag(&self, name: &str) -> Result<bool, DriveError> {
        let key = tag_key(name)?;
        let mut batch = self.begin().await?;
        let found = batch.del_with(&key, PutOptions::new().hidden(true)).await?;
        batch.commit()?;
        Ok(found)
    }

    /// All names, with their versions. What is no version is passed over.
    ///
    /// More than [`MAX_TAGS`](Self::MAX_TAGS) are an error.
    pub async fn tags(&self) -> Result<BTreeMap<String, u64>, DriveError> {
        let mut tags = BTreeMap::new();
        let mut nodes = self.trie.iter(TAGS, IterOptions::new().hidden(true));
        while let Some(node) = nodes.next().await? {
            let name = node.key.strip_prefix(TAGS).unwrap_or_default();
            let Some(name) = name.strip_prefix('/') else {
                continue;
            };
            if let Some(version) = decode(&node) {
                if tags.len() == Self::MAX_TAGS {
                    let limit = Self::MAX_TAGS;
                    return Err(DriveError::TooManyTags { limit });
                }
                tags.insert(name.to_owned(), version);
            }
        }
        Ok(tags)
    }
}

/// The name and the version of the tag that a node holds.
pub(crate) fn of_node(node: &Node) -> Option<(&str, u64)> {
    let name = node.key.strip_prefix(TAGS)?.strip_prefix('/')?;
    Some((name, decode(node).filter(|_| node.hidden)?))
}

/// Puts a tag under its key.
pub(crate) async fn put_tag(
    batch: &mut hypertrie::Batch,
    key: &str,
    version: u64,
) -> Result<(), DriveError> {
    let mut value = Vec::new();
    prost::encoding::encode_varint(version, &mut value);
    batch
        .put_with(key, Bytes::from(value), PutOptions::new().hidden(true))
        .await?;
    Ok(())
}

/// The hidden key of a tag.
pub(crate) fn tag_key(name: &str) -> Result<String, DriveError> {
    let clean = path::clean(name);
    if clean.is_empty() {
        return Err(DriveError::InvalidPath {
            path: name.to_owned(),
            reason: "a tag needs a name",
        });
    }
    let key = format!("{TAGS}/{clean}");
    path::check_writable(&key)?;
    Ok(key)
}

fn decode(node: &Node) -> Option<u64> {
    prost::encoding::decode_varint(&mut node.value.as_deref()?).ok()
}

/// The hidden directory of tags.
const TAGS: &str = "hyperdrive-tags";
