use std::sync::Arc;

use bytes::Bytes;

use crate::{Iter, IterOptions, Node, PutOptions, Trie, TrieError};

/// How values of one type are stored. What is stored is only ever bytes: a codec is an agreement
/// among those who use a trie, and the trie does not say which one it is.
pub trait Codec: Send + Sync {
    /// What is stored.
    type Value;

    /// The bytes of a value; `None` for an entry without any.
    fn encode(&self, value: &Self::Value) -> Result<Option<Bytes>, CodecError>;

    /// The value of bytes, which anybody may have written.
    fn decode(&self, stored: Option<&Bytes>) -> Result<Self::Value, CodecError>;
}

/// Why a value could not be encoded or decoded.
pub type CodecError = Box<dyn std::error::Error + Send + Sync>;

/// Text as UTF-8. An entry without a value is no text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Utf8;

impl Codec for Utf8 {
    type Value = String;

    fn encode(&self, value: &String) -> Result<Option<Bytes>, CodecError> {
        Ok(Some(Bytes::copy_from_slice(value.as_bytes())))
    }

    fn decode(&self, stored: Option<&Bytes>) -> Result<String, CodecError> {
        let stored = stored.ok_or("there is no value")?;
        Ok(std::str::from_utf8(stored)?.to_owned())
    }
}

/// A trie whose values all have one type.
#[derive(Debug)]
pub struct TypedTrie<C> {
    trie: Trie,
    codec: Arc<C>,
}

/// An entry and its value.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Typed<V> {
    /// The entry as it is stored.
    pub node: Node,
    /// Its value.
    pub value: V,
}

impl<C: Codec> TypedTrie<C> {
    /// A view of a trie, in the version that it looks at.
    pub fn new(trie: Trie, codec: C) -> Self {
        Self {
            trie,
            codec: Arc::new(codec),
        }
    }

    /// Stores a value under a visible key.
    pub async fn put(&self, key: &str, value: &C::Value) -> Result<Node, TrieError> {
        self.put_with(key, value, PutOptions::new()).await
    }

    /// Stores a value under a key.
    pub async fn put_with(
        &self,
        key: &str,
        value: &C::Value,
        options: PutOptions,
    ) -> Result<Node, TrieError> {
        let value = self.codec.encode(value);
        let value = value.map_err(|source| TrieError::Encode { source })?;
        self.trie.put_with(key, value, options).await
    }

    /// The trie itself, for all that needs no values.
    pub fn trie(&self) -> &Trie {
        &self.trie
    }

    /// What is stored under a visible key.
    pub async fn get(&self, key: &str) -> Result<Option<Typed<C::Value>>, TrieError> {
        let node = self.trie.get(key).await?;
        node.map(|node| self.codec.typed(node)).transpose()
    }

    /// Lists what is at and under a prefix.
    pub fn iter(&self, prefix: &str, options: IterOptions) -> TypedIter<C> {
        TypedIter {
            iter: self.trie.iter(prefix, options),
            codec: Arc::clone(&self.codec),
        }
    }
}

impl<C> Clone for TypedTrie<C> {
    fn clone(&self) -> Self {
        Self {
            trie: self.trie.clone(),
            codec: Arc::clone(&self.codec),
        }
    }
}

/// Entries and their values, made by [`TypedTrie::iter`]. Cancel-safe.
#[derive(Debug)]
pub struct TypedIter<C> {
    iter: Iter,
    codec: Arc<C>,
}

impl<C: Codec> TypedIter<C> {
    /// The next entry; `None` at the end. After [`TrieError::Decode`] the iteration goes on with the
    /// entry behind the one that has no value of this type.
    pub async fn next(&mut self) -> Result<Option<Typed<C::Value>>, TrieError> {
        let node = self.iter.next().await?;
        node.map(|node| self.codec.typed(node)).transpose()
    }
}

trait Decode: Codec {
    fn typed(&self, node: Node) -> Result<Typed<Self::Value>, TrieError> {
        match self.decode(node.value.as_ref()) {
            Ok(value) => Ok(Typed { node, value }),
            Err(source) => Err(TrieError::Decode {
                seq: node.seq,
                source,
            }),
        }
    }
}

impl<C: Codec> Decode for C {}
