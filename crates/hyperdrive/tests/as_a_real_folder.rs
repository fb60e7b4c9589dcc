//! Whatever is done to a drive and to a folder on disk, they look the same, and errors are called the
//! same.
//!
//! `SEQUENCES=5000 cargo test -p hyperdrive --test as_a_real_folder` does more than CI has time for.
//! What failed once is done again every time, from the file beside this one.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::drive;
use futures_lite::future::block_on;
use hyperdrive::{Attributes, Drive, DriveError, File, OpenOptions};
use proptest::collection::vec;
use proptest::prelude::*;

/// One operation. Numbers choose among the paths, or among the open files.
#[derive(Clone, Debug)]
enum Op {
    WriteFile(u8, u16),
    Mkdir(u8),
    Rmdir(u8),
    Unlink(u8),
    RemoveAll(u8),
    Rename(u8, u8),
    Copy(u8, u8),
    /// A symlink to a name in its own folder.
    Symlink(u8, u8),
    Truncate(u8, u16),
    SetMode(u8, u16),
    Look(u8),
    Open(u8, OpenOptions),
    Read(u8, u16),
    ReadAt(u8, u16, u16),
    Write(u8, u16),
    WriteAt(u8, u16, u16),
    Seek(u8, i16, u8),
    SetLen(u8, u16),
    Flush(u8),
    Close(u8),
}

fn any_op() -> impl Strategy<Value = Op> {
    let size = || prop_oneof![Just(0_u16), 1..50_u16, Just(100), 300..1000_u16];
    let options = any::<[bool; 6]>().prop_map(|[read, write, append, truncate, create, new]| {
        let options = OpenOptions::new().read(read).write(write).append(append);
        options
            .truncate(truncate)
            .create(create)
            .create_new(new && create)
    });
    prop_oneof![
        4 => (any::<u8>(), size()).prop_map(|(a, n)| Op::WriteFile(a, n)),
        5 => any::<u8>().prop_map(Op::Mkdir),
        1 => any::<u8>().prop_map(Op::Rmdir),
        2 => any::<u8>().prop_map(Op::Unlink),
        1 => any::<u8>().prop_map(Op::RemoveAll),
        3 => any::<(u8, u8)>().prop_map(|(a, b)| Op::Rename(a, b)),
        2 => any::<(u8, u8)>().prop_map(|(a, b)| Op::Copy(a, b)),
        2 => any::<(u8, u8)>().prop_map(|(a, b)| Op::Symlink(a, b)),
        2 => (any::<u8>(), size()).prop_map(|(a, n)| Op::Truncate(a, n)),
        1 => any::<(u8, u16)>().prop_map(|(a, m)| Op::SetMode(a, m)),
        2 => any::<u8>().prop_map(Op::Look),
        6 => (any::<u8>(), options).prop_map(|(a, o)| Op::Open(a, o)),
        3 => (any::<u8>(), size()).prop_map(|(f, n)| Op::Read(f, n)),
        3 => (any::<u8>(), size(), size()).prop_map(|(f, p, n)| Op::ReadAt(f, p, n)),
        5 => (any::<u8>(), size()).prop_map(|(f, n)| Op::Write(f, n)),
        4 => (any::<u8>(), size(), size()).prop_map(|(f, p, n)| Op::WriteAt(f, p, n)),
        3 => any::<(u8, i16, u8)>().prop_map(|(f, to, from)| Op::Seek(f, to % 1000, from)),
        2 => (any::<u8>(), size()).prop_map(|(f, n)| Op::SetLen(f, n)),
        3 => any::<u8>().prop_map(Op::Flush),
        1 => any::<u8>().prop_map(Op::Close),
    ]
}

/// Some paths, three names deep at most.
fn path(number: u8) -> String {
    const NAMES: [&str; 3] = ["a", "b", "c"];
    let number = usize::from(number);
    let names = [
        NAMES[number % 3],
        NAMES[number / 3 % 3],
        NAMES[number / 9 % 3],
    ];
    names[..=(number / 27 % 3)].join("/")
}

/// Bytes that tell where they were written.
fn content(seed: usize, len: u16) -> Vec<u8> {
    (0..usize::from(len))
        .map(|at| u8::try_from((seed * 7 + at) % 251).unwrap())
        .collect()
}

/// An error's name, `Ok` or `Other`.
fn errno<T>(result: &std::io::Result<T>) -> &'static str {
    let Err(error) = result else { return "Ok" };
    match error.raw_os_error() {
        Some(2) => "ENOENT",
        Some(9) => "EBADF",
        Some(17) => "EEXIST",
        Some(20) => "ENOTDIR",
        Some(21) => "EISDIR",
        Some(22) => "EINVAL",
        Some(39) => "ENOTEMPTY",
        Some(40) => "ELOOP",
        Some(other) => panic!("errno {other}: {error}"),
        None if error.kind() == std::io::ErrorKind::InvalidInput => "EINVAL",
        None => "Other",
    }
}

fn name<T>(result: &Result<T, DriveError>) -> &'static str {
    match result {
        Ok(_) => "Ok",
        Err(error) => error.errno_name().unwrap_or("Other"),
    }
}

/// A folder, the drive, and the files that are open in both.
struct Both {
    drive: Drive,
    dir: tempfile::TempDir,
    open: Vec<(File, fs::File)>,
    steps: usize,
}

impl Both {
    fn real(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Whether the folder that a path is in is there. In a drive it need not be.
    fn has_parent(&self, path: &str) -> bool {
        let real = self.real(path);
        real.parent().unwrap().is_dir()
    }

    /// Whether a path leads to a file that somebody has open: it would be written in place there.
    fn is_open(&self, path: &str) -> bool {
        let Ok(found) = fs::metadata(self.real(path)) else {
            return false;
        };
        let inode = |file: &fs::File| file.metadata().unwrap().ino();
        self.open.iter().any(|(_, real)| inode(real) == found.ino())
    }

    async fn step(&mut self, op: &Op) {
        self.steps += 1;
        let plain = Attributes::new();
        let drive = self.drive.clone();
        let files = self.open.len();
        let chosen = |number: u8| (files > 0).then(|| usize::from(number) % files);
        match *op {
            Op::WriteFile(a, len) => {
                let path = path(a);
                if self.is_open(&path) || !self.has_parent(&path) {
                    return;
                }
                let bytes = content(self.steps, len);
                let real = fs::write(self.real(&path), &bytes);
                let ours = drive.write_file(&path, bytes, &plain).await;
                assert_eq!(name(&ours), errno(&real), "{path}");
            }
            Op::Mkdir(a) => {
                let path = path(a);
                if self.has_parent(&path) {
                    let real = fs::create_dir(self.real(&path));
                    let ours = drive.mkdir(&path, &plain).await;
                    assert_eq!(name(&ours), errno(&real), "{path}");
                }
            }
            Op::Rmdir(a) => {
                let path = path(a);
                let real = fs::remove_dir(self.real(&path));
                assert_eq!(name(&drive.rmdir(&path).await), errno(&real), "{path}");
            }
            Op::Unlink(a) => {
                let path = path(a);
                let real = fs::remove_file(self.real(&path));
                assert_eq!(name(&drive.unlink(&path).await), errno(&real), "{path}");
            }
            Op::RemoveAll(a) => {
                let path = path(a);
                let real = self.real(&path);
                let real = match fs::symlink_metadata(&real) {
                    Ok(found) if found.is_dir() => fs::remove_dir_all(&real),
                    _ => fs::remove_file(&real),
                };
                assert_eq!(name(&drive.remove_all(&path).await), errno(&real), "{path}");
            }
            Op::Rename(a, b) => {
                let (from, to) = (path(a), path(b));
                if self.has_parent(&to) && (a == b || !self.is_open(&to)) {
                    let real = fs::rename(self.real(&from), self.real(&to));
                    let ours = drive.rename(&from, &to).await;
                    assert_eq!(name(&ours), errno(&real), "{from} {to}");
                }
            }
            Op::Copy(a, b) => {
                let (from, to) = (path(a), path(b));
                let is_dir = self.real(&from).is_dir();
                // Of an open file the drive copies what is in it, not what is to be.
                if !is_dir
                    && self.has_parent(&to)
                    && !self.is_open(&to)
                    && !self.is_open(&from)
                    && fs::canonicalize(self.real(&from)).ok()
                        != fs::canonicalize(self.real(&to)).ok()
                {
                    let real = fs::copy(self.real(&from), self.real(&to));
                    let ours = drive.copy(&from, &to).await;
                    assert_eq!(name(&ours), errno(&real), "{from} {to}");
                }
            }
            Op::Symlink(a, b) => {
                let (link, target) = (path(a), path(b));
                let target = target.rsplit('/').next().unwrap();
                if self.has_parent(&link) {
                    let real = std::os::unix::fs::symlink(target, self.real(&link));
                    let ours = drive.symlink(target, &link, &plain).await;
                    assert_eq!(name(&ours), errno(&real), "{link} {target}");
                }
            }
            Op::Truncate(a, len) => {
                let path = path(a);
                let real = fs::OpenOptions::new().write(true).open(self.real(&path));
                let real = real.and_then(|file| file.set_len(len.into()));
                let ours = drive.truncate(&path, len.into()).await;
                assert_eq!(name(&ours), errno(&real), "{path}");
            }
            Op::SetMode(a, mode) => {
                let path = path(a);
                let mode = u32::from(mode) & 0o777 | 0o700;
                let real = fs::set_permissions(self.real(&path), PermissionsExt::from_mode(mode));
                let ours = drive.set_mode(&path, mode).await;
                assert_eq!(name(&ours), errno(&real), "{path}");
                if real.is_ok() {
                    let found = fs::metadata(self.real(&path)).unwrap().mode() & 0o777;
                    assert_eq!(drive.stat(&path).await.unwrap().permissions(), found);
                }
            }
            Op::Look(a) => {
                let path = path(a);
                let real = self.real(&path);
                let ours = drive.stat(&path).await;
                assert_eq!(name(&ours), errno(&fs::metadata(&real)), "{path}");
                let ours = drive.read_link(&path).await;
                let target = fs::read_link(&real);
                assert_eq!(name(&ours), errno(&target), "{path}");
                if let (Ok(ours), Ok(target)) = (ours, target) {
                    assert_eq!(Path::new(&ours), target);
                }
                let ours = drive.read_dir(&path, false).await;
                assert_eq!(name(&ours), errno(&fs::read_dir(&real)), "{path}");
                let ours = drive.exists(&path).await;
                assert_eq!(ours.unwrap_or(false), real.exists(), "{path}");
            }
            Op::Open(a, options) => {
                if files >= 4 {
                    return;
                }
                let path = path(a);
                if self.has_parent(&path) || !fs_creates(options) {
                    self.open(&path, options).await;
                }
            }
            Op::Read(f, len) => {
                let Some(f) = chosen(f) else { return };
                let (ours, real) = &mut self.open[f];
                let mut expected = Vec::new();
                let real = real.take(len.into()).read_to_end(&mut expected);
                let ours = ours.read(len.into()).await;
                if len > 0 {
                    assert_eq!(name(&ours), errno(&real));
                }
                if let Ok(ours) = ours {
                    assert_eq!(ours, expected);
                }
            }
            Op::ReadAt(f, at, len) => {
                let Some(f) = chosen(f) else { return };
                let (ours, real) = &mut self.open[f];
                let mut expected = vec![0; len.into()];
                let real = real.read_at(&mut expected, at.into());
                let ours = ours.read_at(at.into(), len.into()).await;
                assert_eq!(name(&ours), errno(&real));
                if let (Ok(ours), Ok(count)) = (ours, real) {
                    assert_eq!(ours, expected[..count]);
                }
            }
            Op::Write(f, len) => {
                let Some(f) = chosen(f) else { return };
                let bytes = content(self.steps, len.max(1));
                let (ours, real) = &mut self.open[f];
                let real = real.write_all(&bytes);
                assert_eq!(name(&ours.write(&bytes).await), errno(&real));
            }
            Op::WriteAt(f, at, len) => {
                let Some(f) = chosen(f) else { return };
                let bytes = content(self.steps, len.max(1));
                let (ours, real) = &mut self.open[f];
                let real = real.write_all_at(&bytes, at.into());
                let ours = ours.write_at(at.into(), &bytes).await;
                assert_eq!(name(&ours), errno(&real));
            }
            Op::Seek(f, to, from) => {
                let Some(f) = chosen(f) else { return };
                let to = match from % 3 {
                    0 => SeekFrom::Start(to.unsigned_abs().into()),
                    1 => SeekFrom::Current(to.into()),
                    _ => SeekFrom::End(to.into()),
                };
                let (ours, real) = &mut self.open[f];
                let (ours, real) = (ours.seek(to).await, real.seek(to));
                assert_eq!(name(&ours), errno(&real));
                assert_eq!(ours.ok(), real.ok());
            }
            Op::SetLen(f, len) => {
                let Some(f) = chosen(f) else { return };
                let (ours, real) = &mut self.open[f];
                let real = real.set_len(len.into());
                // Linux has EINVAL for it.
                let ours = match name(&ours.set_len(len.into()).await) {
                    "EBADF" => "EINVAL",
                    name => name,
                };
                assert_eq!(ours, errno(&real));
            }
            Op::Flush(f) => {
                let Some(f) = chosen(f) else { return };
                self.open[f].0.flush().await.unwrap();
            }
            Op::Close(f) => {
                let Some(f) = chosen(f) else { return };
                self.open.swap_remove(f).0.close().await.unwrap();
            }
        }
    }

    async fn open(&mut self, path: &str, options: OpenOptions) {
        let mut real = fs::OpenOptions::new();
        let debug = format!("{options:?}");
        let has = |word: &str| debug.contains(&format!("{word}: true"));
        real.read(has("read"))
            .write(has("write"))
            .append(has("append"))
            .truncate(has("truncate"))
            .create(has(" create"))
            .create_new(has("create_new"));
        let mut real = real.open(self.real(path));
        // A folder can be opened on Linux, and not be read.
        if real
            .as_ref()
            .is_ok_and(|file| file.metadata().unwrap().is_dir())
        {
            real = Err(std::io::Error::from_raw_os_error(21));
        }
        let ours = self.drive.open_file(path, options).await;
        assert_eq!(name(&ours), errno(&real), "{path} {options:?}");
        if let (Ok(ours), Ok(real)) = (ours, real) {
            self.open.push((ours, real));
        }
    }

    /// Compares everything, and what is in open files.
    async fn compare(&mut self) {
        for (ours, real) in &mut self.open {
            assert_eq!(ours.len().await, real.metadata().unwrap().len());
        }
        let mut found = BTreeMap::new();
        let listed = self.drive.read_dir("/", true).await.unwrap();
        for entry in listed.sorted().await.unwrap() {
            let what = if entry.stat.is_dir() {
                b"/".to_vec()
            } else if let Some(target) = &entry.stat.linkname {
                format!("-> {target}").into_bytes()
            } else {
                let read = OpenOptions::new().read(true);
                let mut file = self.drive.open_file(&entry.path, read).await.unwrap();
                file.read(1 << 16).await.unwrap().to_vec()
            };
            found.insert(entry.name, what);
        }
        let mut expected = BTreeMap::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let place = entry.unwrap().path();
                let kind = fs::symlink_metadata(&place).unwrap().file_type();
                let below = place.strip_prefix(self.dir.path()).unwrap();
                let below = below.to_str().unwrap().to_owned();
                let what = if kind.is_dir() {
                    folders.push(place);
                    b"/".to_vec()
                } else if kind.is_symlink() {
                    let target = fs::read_link(&place).unwrap();
                    format!("-> {}", target.display()).into_bytes()
                } else {
                    fs::read(&place).unwrap()
                };
                expected.insert(below, what);
            }
        }
        assert_eq!(found, expected);
    }
}

fn fs_creates(options: OpenOptions) -> bool {
    let debug = format!("{options:?}");
    debug.contains("create: true") || debug.contains("create_new: true")
}

fn sequences() -> u32 {
    match std::env::var("SEQUENCES") {
        Ok(text) => text.parse().expect("SEQUENCES is a number"),
        Err(_) => 200,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(sequences()))]
    #[test]
    fn a_drive_and_a_folder_stay_the_same(ops in vec(any_op(), 1..60)) {
        block_on(async {
            let mut both = Both {
                drive: drive().await,
                dir: tempfile::tempdir().unwrap(),
                open: Vec::new(),
                steps: 0,
            };
            for op in &ops {
                both.step(op).await;
                both.compare().await;
            }
            // Closed, everything is in the drive, for those who open nothing.
            for (file, _) in std::mem::take(&mut both.open) {
                file.close().await.unwrap();
            }
            both.compare().await;
        });
    }
}
