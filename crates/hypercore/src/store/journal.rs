//! The file `journal`, which is ours alone: appends that were made durable by one sync of one file,
//! before the reference's files were synced.
//!
//! It begins with a header that names the length at which those files were last made durable, the
//! hash of the roots there and the signature over it, and goes on with records, one an append. Each
//! record's check continues that of the one before, so that what an older journal left behind it is
//! never taken for a part of it.

use std::io;
use std::sync::Arc;

use hypercore_crypto::{Hash, Signature, leaf_hash};
use hypercore_storage::{OpenMode, Storage, StorageDir};

use crate::options::MAX_STORED_BLOCK_BYTES;

/// The open journal of one log, if it has one.
#[derive(Debug)]
pub(crate) struct Journal {
    dir: Arc<dyn StorageDir>,
    file: Option<Arc<dyn Storage>>,
    /// Whether the name may not survive a crash.
    unlisted: bool,
    generation: u64,
    /// The length that the header names.
    marked: u64,
    /// Where the next record goes; 0 when the next one begins a new journal.
    end: u64,
    /// How far what was left behind was read.
    left_behind: u64,
    /// The check of the record before.
    check: Check,
    /// Whether it is unknown what is on disk.
    uncertain: bool,
}

/// The state of the other files when the journal was begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    pub(crate) length: u64,
    pub(crate) tree: Hash,
    /// `None` at length 0.
    pub(crate) signature: Option<Signature>,
}

/// One append.
#[derive(Debug)]
pub(crate) struct Record {
    /// The length after it.
    pub(crate) length: u64,
    pub(crate) signature: Signature,
    pub(crate) blocks: Vec<Vec<u8>>,
}

type Check = [u8; CHECK_BYTES];

impl Journal {
    /// Opens the journal if there is one. Nothing is created.
    pub(crate) fn open(dir: Arc<dyn StorageDir>, read_only: bool) -> io::Result<Self> {
        let mode = if read_only {
            OpenMode::ReadOnly
        } else {
            OpenMode::Existing
        };
        let file = match dir.open(NAME, mode) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened?),
        };
        Ok(Self {
            dir,
            file,
            unlisted: false,
            generation: 0,
            marked: 0,
            end: 0,
            left_behind: 0,
            check: [0; CHECK_BYTES],
            uncertain: false,
        })
    }

    /// Reads the header of what was left behind, if it is whole. Its records come next.
    pub(crate) fn rewind(&mut self) -> io::Result<Option<Base>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        if file.len()? < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let mut header = [0; HEADER_BYTES];
        file.read(0, &mut header)?;
        let Some((generation, base)) = decode_header(&header) else {
            return Ok(None);
        };
        self.generation = generation;
        self.marked = base.length;
        self.left_behind = HEADER_BYTES as u64;
        self.check
            .copy_from_slice(&header[HEADER_BYTES - CHECK_BYTES..]);
        Ok(Some(base))
    }

    /// The next record of what was left behind, if there is one and it is whole.
    pub(crate) fn next_record(&mut self) -> io::Result<Option<Record>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let len = file.len()?;
        let found = read_record(&**file, self.left_behind, len, self.check)?;
        Ok(found.map(|(record, check, end)| {
            (self.check, self.left_behind) = (check, end);
            record
        }))
    }

    /// Whether the next record begins a new journal, for which the other files must be durable.
    pub(crate) fn is_idle(&self) -> bool {
        self.end == 0
    }

    /// Whether an append failed in a way that leaves open whether it is on disk.
    pub(crate) fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// How many bytes the journal would have with another record of these blocks.
    pub(crate) fn len_with(&self, blocks: &[&[u8]]) -> u64 {
        let bytes: u64 = blocks.iter().map(|block| 4 + block.len() as u64).sum();
        self.end.max(HEADER_BYTES as u64) + RECORD_BYTES as u64 + bytes
    }

    /// Makes an append durable. `base` is what the other files hold durably, and is given if the journal
    /// is idle.
    pub(crate) fn append(
        &mut self,
        base: Option<&Base>,
        length: u64,
        signature: &Signature,
        blocks: &[&[u8]],
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut check = self.check;
        let at = self.end;
        if let Some(base) = base {
            self.generation += 1;
            self.marked = base.length;
            bytes = encode_header(self.generation, base);
            check.copy_from_slice(&bytes[HEADER_BYTES - CHECK_BYTES..]);
        }
        let start = bytes.len();
        bytes.extend(length.to_be_bytes());
        bytes.extend(signature.as_bytes());
        let count = u32::try_from(blocks.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        bytes.extend(count.to_be_bytes());
        for block in blocks {
            let size = u32::try_from(block.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
            bytes.extend(size.to_be_bytes());
        }
        let check = check_of(&[&check, &bytes[start..]]);
        bytes.extend(check);
        let file = self.file()?;
        let parts: Vec<&[u8]> = [&bytes[..]]
            .into_iter()
            .chain(blocks.iter().copied())
            .collect();
        if let Err(error) = file.write_vectored(at, &parts) {
            // Nothing of an append that failed may come back.
            self.uncertain = file.truncate(at).is_err();
            return Err(error);
        }
        self.uncertain = true;
        file.sync()?;
        if self.unlisted {
            self.dir.sync()?;
            self.unlisted = false;
        }
        self.uncertain = false;
        let data: u64 = blocks.iter().map(|block| block.len() as u64).sum();
        self.end = at + bytes.len() as u64 + data;
        self.check = check;
        Ok(())
    }

    /// The other files are durable: the next record begins a new journal. What is on disk may stay,
    /// since all of it is known to them.
    pub(crate) fn reset(&mut self) {
        self.end = 0;
    }

    /// The length that the header names, 0 if there is none.
    pub(crate) fn marked(&self) -> u64 {
        self.marked
    }

    /// Creates the file if there is none; to be followed by a sync of the directory.
    pub(crate) fn create(&mut self) -> io::Result<()> {
        self.file().map(drop)
    }

    /// Notes in a header what the other files hold durably. It is not synced: lost, it warns of less.
    pub(crate) fn mark(&mut self, base: &Base) -> io::Result<()> {
        let generation = self.generation + 1;
        self.file()?.write(0, &encode_header(generation, base))?;
        self.generation = generation;
        self.marked = base.length;
        self.end = 0;
        Ok(())
    }

    /// Gives the space of the records back, once the other files are durable.
    pub(crate) fn discard(&mut self) -> io::Result<()> {
        self.end = 0;
        match &self.file {
            Some(file) if file.len()? > HEADER_BYTES as u64 => file.truncate(HEADER_BYTES as u64),
            _ => Ok(()),
        }
    }

    fn file(&mut self) -> io::Result<Arc<dyn Storage>> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        self.unlisted = true;
        let file = self.dir.open(NAME, OpenMode::Create)?;
        self.file = Some(file.clone());
        Ok(file)
    }
}

fn encode_header(generation: u64, base: &Base) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend(MAGIC);
    bytes.extend(generation.to_be_bytes());
    bytes.extend(base.length.to_be_bytes());
    bytes.extend(base.tree.as_bytes());
    bytes.extend(base.signature.map_or([0; 64], |found| *found.as_bytes()));
    let check = check_of(&[&bytes]);
    bytes.extend(check);
    bytes
}

fn decode_header(bytes: &[u8; HEADER_BYTES]) -> Option<(u64, Base)> {
    let (text, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
    let mut fields = Fields(text);
    if *check != check_of(&[text]) || fields.take::<8>()? != MAGIC {
        return None;
    }
    let generation = u64::from_be_bytes(fields.take()?);
    let length = u64::from_be_bytes(fields.take()?);
    let tree = Hash::from_bytes(fields.take()?);
    let signature = fields.take::<64>()?;
    let base = Base {
        length,
        tree,
        signature: (signature != [0; 64]).then(|| Signature::from_bytes(signature)),
    };
    Some((generation, base))
}

/// Reads the record at `at` of a file of `len` bytes, if it is whole. Returns its check and its end.
fn read_record(
    file: &dyn Storage,
    at: u64,
    len: u64,
    check: Check,
) -> io::Result<Option<(Record, Check, u64)>> {
    let room = len.saturating_sub(at);
    let mut head = [0; HEAD_BYTES];
    if room < RECORD_BYTES as u64 {
        return Ok(None);
    }
    file.read(at, &mut head)?;
    let mut fields = Fields(&head);
    let (Some(length), Some(signature), Some(count)) =
        (fields.take(), fields.take(), fields.take())
    else {
        return Ok(None);
    };
    let count = u64::from(u32::from_be_bytes(count));
    let text_bytes = HEAD_BYTES as u64 + 4 * count;
    let meta_bytes = text_bytes + CHECK_BYTES as u64;
    if meta_bytes > room {
        return Ok(None);
    }
    let in_memory = |bytes| usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory);
    let mut meta = vec![0; in_memory(meta_bytes)?];
    file.read(at, &mut meta)?;
    let (text, found) = meta.split_at(in_memory(text_bytes)?);
    let next = check_of(&[&check, text]);
    if found != next {
        return Ok(None);
    }
    let sizes = text[HEAD_BYTES..].chunks_exact(4);
    let sizes = sizes.map(|size| size.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    let mut place = at + meta_bytes;
    let mut blocks = Vec::new();
    for size in sizes {
        if size > (len - place).min(MAX_STORED_BLOCK_BYTES as u64) {
            return Ok(None);
        }
        let mut block = vec![0; in_memory(size)?];
        file.read(place, &mut block)?;
        blocks.push(block);
        place += size;
    }
    let record = Record {
        length: u64::from_be_bytes(length),
        signature: Signature::from_bytes(signature),
        blocks,
    };
    Ok(Some((record, next, place)))
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

/// The first half of a leaf hash: of a record, over the check before it and all but its blocks,
/// which the signature covers.
fn check_of(parts: &[&[u8]]) -> Check {
    let hash = leaf_hash(&parts.concat());
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash.as_bytes()[..CHECK_BYTES]);
    check
}

const NAME: &str = "journal";
const MAGIC: [u8; 8] = *b"hcjrnl\0\x01";
const CHECK_BYTES: usize = 16;
const HEADER_BYTES: usize = 8 + 8 + 8 + 32 + 64 + CHECK_BYTES;
/// A record's length, signature and number of blocks.
const HEAD_BYTES: usize = 8 + 64 + 4;
/// A record without blocks.
const RECORD_BYTES: usize = HEAD_BYTES + CHECK_BYTES;
