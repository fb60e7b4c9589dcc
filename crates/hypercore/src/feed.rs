use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use event_listener::Event;
use hypercore_crypto::{DiscoveryKey, KeyPair, PublicKey};

use crate::{AppendError, ReadError};

/// A cloneable handle on a log, whose `get` waits for blocks that have not arrived.
#[derive(Clone, Debug)]
pub struct Feed {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    key: PublicKey,
    blocks: Mutex<Vec<Bytes>>,
    changed: Event,
}

impl Feed {
    /// PLACEHOLDER until `Feed::new(Hypercore)` lands: a log in memory.
    pub fn placeholder(pair: &KeyPair) -> Self {
        Self {
            inner: Arc::new(Inner {
                key: pair.public,
                blocks: Mutex::default(),
                changed: Event::new(),
            }),
        }
    }

    fn blocks(&self) -> std::sync::MutexGuard<'_, Vec<Bytes>> {
        self.inner
            .blocks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Who signs the log.
    pub fn public_key(&self) -> PublicKey {
        self.inner.key
    }

    /// What may be said aloud to find the log.
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.inner.key.discovery_key()
    }

    /// Whether blocks can be appended here.
    pub fn is_writable(&self) -> bool {
        true
    }

    /// The number of blocks known to be in the log.
    pub fn length(&self) -> u64 {
        self.blocks().len() as u64
    }

    /// The number of bytes in these blocks.
    pub fn byte_length(&self) -> u64 {
        self.blocks().iter().map(|block| block.len() as u64).sum()
    }

    /// Whether a block is stored here.
    pub fn has(&self, index: u64) -> bool {
        index < self.length()
    }

    /// How many blocks of a range are stored here.
    pub fn downloaded(&self, range: Range<u64>) -> u64 {
        range.end.min(self.length()).saturating_sub(range.start)
    }

    /// Appends one block; returns its index.
    pub fn append(&self, block: impl AsRef<[u8]>) -> Result<u64, AppendError> {
        self.append_batch(&[block])
    }

    /// Appends blocks as one batch under one signature; returns the index of the first.
    pub fn append_batch<B: AsRef<[u8]>>(&self, blocks: &[B]) -> Result<u64, AppendError> {
        let mut stored = self.blocks();
        let first = stored.len() as u64;
        stored.extend(
            blocks
                .iter()
                .map(|block| Bytes::copy_from_slice(block.as_ref())),
        );
        self.inner.changed.notify(usize::MAX);
        Ok(first)
    }

    /// Makes everything appended or stored before survive a power cut.
    pub fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// The block if it is stored here, `None` if not. Never waits for the network.
    pub fn get_local(&self, index: u64) -> Result<Option<Bytes>, ReadError> {
        Ok(usize::try_from(index)
            .ok()
            .and_then(|index| self.blocks().get(index).cloned()))
    }

    /// The block, waiting for as long as it takes to arrive from a peer. Cancel-safe: dropping the
    /// future withdraws the request.
    pub async fn get(&self, index: u64) -> Result<Bytes, ReadError> {
        loop {
            let listener = self.inner.changed.listen();
            if let Some(block) = self.get_local(index)? {
                return Ok(block);
            }
            listener.await;
        }
    }

    /// Asks the connected peers for a newer length. True if the log grew; false as soon as every
    /// peer has answered that it has none, or there is no peer. Cancel-safe.
    pub async fn update(&self) -> Result<bool, ReadError> {
        Ok(false)
    }

    /// Waits until the log is longer than `length` blocks, and returns its length. Keeps asking
    /// peers for it. Cancel-safe.
    pub async fn wait_longer_than(&self, length: u64) -> Result<u64, ReadError> {
        loop {
            let listener = self.inner.changed.listen();
            if self.length() > length {
                return Ok(self.length());
            }
            listener.await;
        }
    }

    /// Fetches every block of a range that is missing. The handle is a future that resolves when
    /// all are here; dropping it cancels.
    pub fn download(&self, range: Range<u64>) -> Download {
        let feed = self.clone();
        Download(Box::pin(async move {
            for index in range {
                feed.get(index).await?;
            }
            Ok(())
        }))
    }
}

/// Blocks being fetched. A future that resolves when all are here; dropping it cancels.
pub struct Download(Pin<Box<dyn Future<Output = Result<(), ReadError>> + Send>>);

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Download")
    }
}

impl Future for Download {
    type Output = Result<(), ReadError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}
