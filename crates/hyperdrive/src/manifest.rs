//! `index.json`: what a drive says of itself.

use serde_json::{Map, Value};

use crate::{Attributes, Drive, DriveError};

/// What a drive says of itself in its file `/index.json`.
///
/// Of the fields that are known, those of another type than they should have count as absent. Fields
/// that are not known stay when the manifest is written again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    fields: Map<String, Value>,
}

impl Manifest {
    /// The largest manifest that is read, in bytes.
    pub const MAX_BYTES: usize = 1 << 20;

    /// An empty manifest.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the text of an `index.json`, which has to be one JSON object.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ManifestError::TooLarge { bytes: text.len() });
        }
        let value: Value =
            serde_json::from_slice(text).map_err(|error| ManifestError::Json(error.to_string()))?;
        match value {
            Value::Object(fields) => Ok(Self { fields }),
            _ => Err(ManifestError::NoObject),
        }
    }

    /// The text of an `index.json`, two spaces a level.
    pub fn to_text(&self) -> String {
        format!("{:#}", Value::Object(self.fields.clone()))
    }

    /// A field that is text: `title`, `description`, `url`, `memberOf`, `forkOf`, `web_root`,
    /// `fallback_page`, `csp`. Of `type`, if it is a list, the first element; of `author`, if it is
    /// an object, its `url`.
    pub fn text(&self, field: &str) -> Option<&str> {
        let value = self.fields.get(field)?;
        let value = match field {
            "type" => value.as_array().map_or(Some(value), |list| list.first())?,
            "author" if value.is_object() => value.get("url")?,
            _ => value,
        };
        value.as_str()
    }

    /// What the drive is called.
    pub fn title(&self) -> Option<&str> {
        self.text("title")
    }

    /// What the drive is about.
    pub fn description(&self) -> Option<&str> {
        self.text("description")
    }

    /// The link to the drive that this one was made from.
    pub fn fork_of(&self) -> Option<&str> {
        self.text("forkOf")
    }

    /// What links of one kind lead to: the `href` of each.
    pub fn links(&self, kind: &str) -> Vec<&str> {
        let Some(links) = self.fields.get("links").and_then(|links| links.get(kind)) else {
            return Vec::new();
        };
        let list = match links {
            Value::Array(list) => &list[..],
            one => std::slice::from_ref(one),
        };
        let links = list.iter();
        let links = links.filter_map(|link| match link {
            Value::String(href) => Some(&href[..]),
            link => link.get("href")?.as_str(),
        });
        links.collect()
    }

    /// Sets a field to a text, or takes it away for `None`.
    pub fn set(&mut self, field: &str, text: Option<&str>) {
        match text {
            Some(text) => drop(self.fields.insert(field.to_owned(), text.into())),
            None => drop(self.fields.remove(field)),
        }
    }

    /// All fields, known or not.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// All fields, to be changed.
    pub fn fields_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.fields
    }
}

/// Why a file is no manifest. The fault of who wrote it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is larger than [`Manifest::MAX_BYTES`].
    #[error("it has {bytes} bytes, more than {}", Manifest::MAX_BYTES)]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    Json(String),
    /// It is JSON, but no object.
    #[error("it is no JSON object")]
    NoObject,
}

impl Drive {
    /// What the drive says of itself; `None` if it has no `/index.json`. One that is no manifest is
    /// [`DriveError::BadManifest`].
    pub async fn manifest(&self) -> Result<Option<Manifest>, DriveError> {
        let limit = Manifest::MAX_BYTES as u64;
        let text = match self.read(PATH, ..=limit).await {
            Ok(text) => text.gather().await?,
            Err(DriveError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Manifest::parse(&text)?))
    }

    /// Writes what the drive says of itself. Metadata of the file and when it was made are kept.
    pub async fn set_manifest(&self, manifest: &Manifest) -> Result<(), DriveError> {
        let mut attributes = Attributes::new();
        if let Ok(old) = self.stat(PATH).await {
            attributes = Attributes::of(&old).mtime(crate::stat::now());
        }
        self.write_file(PATH, manifest.to_text(), &attributes)
            .await?;
        Ok(())
    }
}

/// Where a drive's manifest is.
pub(crate) const PATH: &str = "/index.json";
