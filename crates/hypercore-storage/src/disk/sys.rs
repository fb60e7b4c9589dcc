//! What differs between systems.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use crate::Stamp;

/// Opens a file that is there.
pub(crate) fn open(path: &Path, writable: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(writable).open(path)
}

/// Makes the file private to its owner if it gets created.
pub(crate) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Creates folders private to their owner.
pub(crate) fn private_folder() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes the entries of a folder survive a crash.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Folders cannot be synced here; the system keeps their entries in order by itself.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads at an offset, without moving a cursor that others share.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

/// Reads at an offset. The cursor moves, but nobody here relies on it.
#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
    while !buf.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buf, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buf = &mut buf[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes at an offset, without moving a cursor that others share.
#[cfg(unix)]
pub(crate) fn write_all_at(file: &File, offset: u64, data: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

/// Writes at an offset. The cursor moves, but nobody here relies on it.
#[cfg(windows)]
pub(crate) fn write_all_at(file: &File, mut offset: u64, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, data, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                data = &data[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes the parts one after the other with as few calls as possible.
#[cfg(target_os = "linux")]
pub(crate) fn write_all_vectored_at(
    file: &File,
    mut offset: u64,
    parts: &[&[u8]],
) -> io::Result<()> {
    use std::io::IoSlice;

    for parts in parts.chunks(MAX_PARTS) {
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match rustix::io::pwritev(file, rest, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut rest, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Writes the parts one after the other.
#[cfg(not(target_os = "linux"))]
pub(crate) fn write_all_vectored_at(
    file: &File,
    mut offset: u64,
    parts: &[&[u8]],
) -> io::Result<()> {
    for part in parts {
        write_all_at(file, offset, part)?;
        offset += part.len() as u64;
    }
    Ok(())
}

/// Frees the space of a range. The file keeps its length and reads as zeros there.
#[cfg(target_os = "linux")]
pub(crate) fn punch_hole(file: &File, offset: u64, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(file, flags, offset, len) {
        // The filesystem knows no holes: nothing to give back.
        Err(error) if error == Errno::OPNOTSUPP || error == Errno::NOSYS => Ok(()),
        done => Ok(done?),
    }
}

/// Space is not given back on this system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn punch_hole(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
    Ok(())
}

/// What tells a file from another of the same name.
pub(crate) type Identity = (u64, u64);

/// Device and inode number.
#[cfg(unix)]
pub(crate) fn identity(metadata: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

/// Not to be had from `std` on this system.
#[cfg(not(unix))]
pub(crate) fn identity(_metadata: &Metadata) -> Option<Identity> {
    None
}

/// By the time of the last change of the inode, which programs cannot set.
#[cfg(unix)]
pub(crate) fn stamp(metadata: &Metadata) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let changed = metadata.ctime().checked_mul(1_000_000_000);
    let changed = changed?.checked_add(metadata.ctime_nsec())?;
    Some(Stamp::new(metadata.ino(), changed))
}

/// Not to be had from `std` on this system.
#[cfg(not(unix))]
pub(crate) fn stamp(_metadata: &Metadata) -> Option<Stamp> {
    None
}

/// Whether the process, or the system, has no file descriptors left.
#[cfg(unix)]
pub(crate) fn out_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

/// Handles are not short on this system.
#[cfg(not(unix))]
pub(crate) fn out_of_descriptors(_error: &io::Error) -> bool {
    false
}

/// The largest offset that systems can express.
pub(crate) const MAX_OFFSET: u64 = i64::MAX as u64;

/// How many parts Linux takes in one call (`IOV_MAX`).
#[cfg(target_os = "linux")]
const MAX_PARTS: usize = 1024;
