use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::{Blocks, Feed, ReadRange};
use crate::{AppendError, ReadError};

/// How values of one type are written as blocks.
///
/// The log itself knows bytes only. With serde a codec is a few lines: see `examples/json_values.rs`.
pub trait Codec {
    /// What a block holds.
    type Value;

    /// The block of a value. It happens before anything is appended, so that an error leaves the log
    /// as it was.
    fn encode(&self, value: &Self::Value) -> Result<Vec<u8>, CodecError>;

    /// The value of a block. Whoever wrote the log chose the bytes: they can be anything.
    fn decode(&self, block: &[u8]) -> Result<Self::Value, CodecError>;
}

/// What a codec may fail with.
pub type CodecError = Box<dyn Error + Send + Sync>;

/// Why a value could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The codec failed.
    #[error("the value does not fit its encoding")]
    Codec(#[source] CodecError),
    /// The block could not be read.
    #[error("the block could not be read")]
    Read(#[from] ReadError),
    /// The block was not appended.
    #[error("the block was not appended")]
    Append(#[from] AppendError),
}

/// A feed whose blocks are values.
#[derive(Clone, Debug)]
pub struct Typed<C> {
    feed: Feed,
    codec: C,
}

impl Feed {
    /// The same log, seen as values.
    pub fn typed<C: Codec>(&self, codec: C) -> Typed<C> {
        Typed {
            feed: self.clone(),
            codec,
        }
    }
}

impl<C: Codec> Typed<C> {
    /// The log underneath.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Appends a value; returns its index.
    pub fn append(&self, value: &C::Value) -> Result<u64, ValueError> {
        let block = self.codec.encode(value).map_err(ValueError::Codec)?;
        Ok(self.feed.append(block)?)
    }

    /// Appends values as one batch; returns the index of the first.
    pub fn append_batch(&self, values: &[C::Value]) -> Result<u64, ValueError> {
        let blocks: Result<Vec<Vec<u8>>, CodecError> = values
            .iter()
            .map(|value| self.codec.encode(value))
            .collect();
        Ok(self
            .feed
            .append_batch(&blocks.map_err(ValueError::Codec)?)?)
    }

    /// The value of a block, waiting for it; see [`Feed::get`]. Cancel-safe.
    pub async fn get(&self, index: u64) -> Result<C::Value, ValueError> {
        self.decode(&self.feed.get(index).await?)
    }

    /// The value of a block that is stored here; `None` if it is not.
    pub fn get_local(&self, index: u64) -> Result<Option<C::Value>, ValueError> {
        let block = self.feed.get_local(index)?;
        block.map(|block| self.decode(&block)).transpose()
    }

    /// The values of a range of blocks, as they arrive; see [`Feed::read`]. A block that is no value is
    /// an error, after which the stream goes on.
    pub fn read(&self, range: ReadRange) -> Values<'_, C> {
        Values {
            blocks: self.feed.read(range),
            typed: self,
        }
    }

    fn decode(&self, block: &[u8]) -> Result<C::Value, ValueError> {
        self.codec.decode(block).map_err(ValueError::Codec)
    }
}

/// The values of a range of blocks, as a [`Stream`]. Made by [`Typed::read`].
#[derive(Debug)]
pub struct Values<'a, C> {
    blocks: Blocks,
    typed: &'a Typed<C>,
}

impl<C: Codec> Stream for Values<'_, C> {
    type Item = Result<C::Value, ValueError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let block = ready!(Pin::new(&mut self.blocks).poll_next(cx));
        Poll::Ready(block.map(|block| self.typed.decode(&block?)))
    }
}

/// Text. Blocks that are not UTF-8 are errors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8;

impl Codec for Utf8 {
    type Value = String;

    fn encode(&self, value: &String) -> Result<Vec<u8>, CodecError> {
        Ok(value.clone().into_bytes())
    }

    fn decode(&self, block: &[u8]) -> Result<String, CodecError> {
        Ok(String::from_utf8(block.to_vec())?)
    }
}
