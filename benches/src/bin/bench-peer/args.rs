//! The command line: a workload, then `key=value`. Unknown keys are ignored.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use benches::data::Layout;
use hypercore_crypto::PublicKey;
use hypercore_storage::{DiskDir, MemoryDir, StorageDir};

#[derive(Debug)]
pub(crate) struct Args {
    workload: String,
    values: HashMap<String, String>,
}

impl Args {
    pub(crate) fn parse(words: &[String]) -> Self {
        let values = words.iter().skip(1).filter_map(|word| word.split_once('='));
        Self {
            workload: words.first().cloned().unwrap_or_default(),
            values: values
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    pub(crate) fn workload(&self) -> &str {
        &self.workload
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str> {
        self.given(key)
            .with_context(|| format!("{} needs {key}=…", self.workload))
    }

    /// A value that may be left out.
    pub(crate) fn given(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    pub(crate) fn number<T>(&self, key: &str) -> Result<T>
    where
        T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
    {
        let text = self.text(key)?;
        text.parse()
            .with_context(|| format!("{key}={text} is no number"))
    }

    /// Whether a switch is on: any number but 0.
    pub(crate) fn is_on(&self, key: &str, default: bool) -> bool {
        self.given(key).map_or(default, |value| value != "0")
    }

    pub(crate) fn dir(&self) -> Result<PathBuf> {
        self.text("dir").map(PathBuf::from)
    }

    /// What lies under `dir`, to be opened.
    pub(crate) fn storage(&self) -> Result<Arc<dyn StorageDir>> {
        Ok(Arc::new(DiskDir::new(self.dir()?)))
    }

    /// An empty directory under `dir`, or memory if `storage=ram` asks for that.
    pub(crate) fn fresh_storage(&self) -> Result<Arc<dyn StorageDir>> {
        if self.given("storage") == Some("ram") {
            return Ok(Arc::new(MemoryDir::new()));
        }
        fresh(&self.dir()?)?;
        self.storage()
    }

    pub(crate) fn key(&self) -> Result<PublicKey> {
        let bytes = hex::decode(self.text("key")?)?;
        let bytes = bytes.try_into().ok().context("a key has 32 bytes")?;
        Ok(PublicKey::from_bytes(bytes))
    }

    pub(crate) fn layout(&self) -> Result<Layout> {
        match self.text("layout")? {
            "flat" => Ok(Layout::Flat),
            "nested" | "deep" => Ok(Layout::Nested),
            other => bail!("layout={other} is none"),
        }
    }
}

/// Empties a directory, or makes it.
fn fresh(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}
