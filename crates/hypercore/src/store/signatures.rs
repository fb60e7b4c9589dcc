use std::io;
use std::sync::Arc;

use hypercore_crypto::Signature;
use hypercore_storage::Storage;

use crate::OpenError;
use crate::store::header::{self, ENTRIES};

/// The file `signatures`: the signature of length *n* + 1 at byte 32 + 64 *n*.
///
/// A batch writes only the signature of the length it ends at, so blank places are normal.
#[derive(Debug)]
pub(crate) struct SignatureFile {
    file: Arc<dyn Storage>,
    has_header: bool,
    bytes: u64,
}

impl SignatureFile {
    pub(crate) fn open(file: Arc<dyn Storage>) -> Result<Self, OpenError> {
        let bytes = file.len()?;
        let has_header = header::SIGNATURES.expect(&*file, bytes, ENTRY_SIZE)?;
        Ok(Self {
            file,
            has_header,
            bytes,
        })
    }

    pub(crate) fn write_header(&mut self) -> io::Result<()> {
        if !self.has_header {
            header::SIGNATURES.write(&*self.file, ENTRY_SIZE)?;
            self.has_header = true;
            self.bytes = self.bytes.max(ENTRIES);
        }
        Ok(())
    }

    /// The greatest length that there is room for a signature of.
    pub(crate) fn capacity(&self) -> u64 {
        self.bytes.saturating_sub(ENTRIES) / ENTRY_BYTES
    }

    /// The signature of a length, which is above 0; `None` if there is none.
    pub(crate) fn get(&self, length: u64) -> io::Result<Option<Signature>> {
        if length == 0 || length > self.capacity() {
            return Ok(None);
        }
        let mut bytes = [0; 64];
        self.file.read(place(length), &mut bytes)?;
        Ok((bytes != [0; 64]).then(|| Signature::from_bytes(bytes)))
    }

    pub(crate) fn put(&mut self, length: u64, signature: &Signature) -> io::Result<()> {
        self.file.write(place(length), signature.as_bytes())?;
        self.bytes = self.bytes.max(place(length) + ENTRY_BYTES);
        Ok(())
    }

    /// Forgets the signatures of all lengths above `length`, for good.
    pub(crate) fn truncate(&mut self, length: u64) -> io::Result<()> {
        let end = ENTRIES + ENTRY_BYTES * length;
        self.file.truncate(end)?;
        self.bytes = end;
        self.file.sync()
    }

    pub(crate) fn file(&self) -> Arc<dyn Storage> {
        self.file.clone()
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

fn place(length: u64) -> u64 {
    ENTRIES + ENTRY_BYTES * (length - 1)
}

const ENTRY_BYTES: u64 = 64;
/// The same, as the header states it.
const ENTRY_SIZE: u16 = 64;
