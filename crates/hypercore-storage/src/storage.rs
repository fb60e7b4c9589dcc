use std::fmt::Debug;
use std::io;

/// One random-access file.
///
/// All methods take `&self`: a storage is shared between readers. Calls are not ordered against
/// each other except by the caller. No call panics, whatever the numbers.
pub trait Storage: Debug + Send + Sync {
    /// Fills `buf` with the bytes at `offset`.
    ///
    /// Fails with [`io::ErrorKind::UnexpectedEof`] when the file ends before `buf` is full; what
    /// `buf` then holds is not specified. Holes read as zeros. An empty `buf` can be read anywhere.
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Writes `data` at `offset`, extending the file with zeros if it was shorter. Writing nothing
    /// changes nothing.
    ///
    /// Fails with [`io::ErrorKind::FileTooLarge`] beyond 2^63 - 1 bytes. After an error any part of
    /// `data` may have been written.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Writes the parts one after the other, as one write.
    fn write_vectored(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.write(offset, &parts.concat())
    }

    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file holds no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file to `len` bytes, or extends it with zeros.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes every earlier `write` and `truncate` survive a crash. Until then any subset of them
    /// may be lost, in any order.
    ///
    /// After an error nothing is known about them, and calling again proves nothing: read back
    /// after opening anew. A new file also needs [`StorageDir::sync`](crate::StorageDir::sync).
    fn sync(&self) -> io::Result<()>;

    /// Gives the space of a range back; it reads as zeros or as before afterwards. The file's
    /// length stays, also when the range reaches beyond it. A storage that cannot do it does
    /// nothing.
    fn discard(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }
}
