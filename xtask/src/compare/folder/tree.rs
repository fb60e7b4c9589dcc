//! Folders to share: found, or made the same every time.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::run;

/// A folder to import.
#[derive(Debug)]
pub(super) enum Source {
    /// One that lies there already.
    Found(PathBuf),
    /// So many small files.
    Made(u32),
}

/// A folder has at least so many files to count as a real tree.
const ENOUGH: u32 = 10_000;

/// What to import, with a name for it.
pub(super) fn choose(files: Option<u32>) -> Result<(String, Source)> {
    if let Some(files) = files {
        return Ok((format!("{files} files"), Source::Made(files)));
    }
    let mut rustc = Command::new("rustc");
    let sysroot = run::read(rustc.args(["--print", "sysroot"]))?;
    let docs = Path::new(sysroot.trim()).join("share/doc");
    if docs.is_dir() && count(&docs)? >= u64::from(ENOUGH) {
        return Ok((
            format!("the toolchain's {} files", count(&docs)?),
            Source::Found(docs),
        ));
    }
    Ok((format!("{ENOUGH} files"), Source::Made(ENOUGH)))
}

impl Source {
    /// The folder, made below `scratch` if it has to be.
    pub(super) fn folder(self, scratch: &Path) -> Result<PathBuf> {
        match self {
            Self::Found(folder) => Ok(folder),
            Self::Made(files) => {
                for i in 0..files {
                    let folder = scratch.join(format!("d{:03}", i / 100));
                    if i % 100 == 0 {
                        fs::create_dir_all(&folder)?;
                    }
                    fs::write(folder.join(format!("f{:03}", i % 100)), small_file(i))?;
                }
                Ok(scratch.to_path_buf())
            }
        }
    }
}

/// 1 to 8 KiB that no other file shares.
fn small_file(i: u32) -> Vec<u8> {
    let size = 1024 + i.wrapping_mul(2_654_435_761) as usize % 7169;
    noise(i).take(size).collect()
}

/// A folder with one file of so many MiB.
pub(super) fn one_file(folder: &Path, mib: u32) -> Result<PathBuf> {
    let mut file = File::create(folder.join("large.bin"))?;
    for i in 0..mib {
        file.write_all(&noise(i).take(1 << 20).collect::<Vec<_>>())?;
    }
    Ok(folder.to_path_buf())
}

/// Bytes that do not compress, different for every seed (xorshift32).
fn noise(seed: u32) -> impl Iterator<Item = u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9) | 1;
    std::iter::repeat_with(move || {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        x.to_le_bytes()
    })
    .flatten()
}

/// Files in a folder and below.
fn count(folder: &Path) -> Result<u64> {
    sum(folder, &|_| 1)
}

/// Bytes in the files of a folder and below.
pub(super) fn bytes(folder: &Path) -> Result<u64> {
    sum(folder, &fs::Metadata::len)
}

/// What the files of a folder take on disk, where the system tells it; their bytes elsewhere.
pub(super) fn bytes_on_disk(folder: &Path) -> Result<u64> {
    sum(folder, &allocated)
}

#[cfg(unix)]
fn allocated(metadata: &fs::Metadata) -> u64 {
    // `st_blocks` counts in units of 512 bytes, whatever the filesystem's blocks are.
    std::os::unix::fs::MetadataExt::blocks(metadata) * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.len()
}

/// Adds up what `measure` says of every file, without following links.
fn sum(folder: &Path, measure: &dyn Fn(&fs::Metadata) -> u64) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            total += sum(&entry.path(), measure)?;
        } else if metadata.is_file() {
            total += measure(&metadata);
        }
    }
    Ok(total)
}
