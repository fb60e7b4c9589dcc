use bytes::Bytes;

/// How to open a trie.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) metadata: Option<Bytes>,
    pub(crate) subtype: Option<String>,
    pub(crate) cache_nodes: usize,
    pub(crate) cache_bytes: usize,
    pub(crate) hash: crate::path::ComponentHash,
}

impl Options {
    /// The defaults: no metadata, no subtype, a cache of 131,072 nodes and 32 MiB.
    pub fn new() -> Self {
        Self {
            metadata: None,
            subtype: None,
            cache_nodes: 131_072,
            cache_bytes: 32 << 20,
            hash: crate::path::siphash,
        }
    }

    /// Bytes of the application for the header. They are written when the log is empty and
    /// ignored otherwise. Default: none.
    pub fn metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// What kind of trie this is, for the header, like `hyperdrive`. It is written when the log is
    /// empty and ignored otherwise. Default: none.
    pub fn subtype(mut self, subtype: impl Into<String>) -> Self {
        self.subtype = Some(subtype.into());
        self
    }

    /// How many decoded nodes to keep, and how many bytes of them. Default: 131,072 nodes, 32 MiB.
    /// Large writes and listings profit from more.
    pub fn cache(mut self, nodes: usize, bytes: usize) -> Self {
        self.cache_nodes = nodes;
        self.cache_bytes = bytes;
        self
    }

    /// Replaces the hash of a key's components. Such a trie can be read by nobody else; it lets
    /// tests make collisions.
    #[doc(hidden)]
    pub fn component_hash(mut self, hash: fn(&[u8]) -> [u8; 8]) -> Self {
        self.hash = hash;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// How to look a key up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GetOptions {
    pub(crate) hidden: bool,
    pub(crate) prefix: bool,
    pub(crate) closest: bool,
}

impl GetOptions {
    /// A visible key, all of it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to look among the hidden keys. Default: false.
    pub fn hidden(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }

    /// Whether any node at or under the key will do; which one is found depends on the order of
    /// writes. Default: false.
    pub fn prefix(mut self, prefix: bool) -> Self {
        self.prefix = prefix;
        self
    }

    /// Whether to give the node where the search ended when the key is absent. It is no neighbour
    /// in any order, and it may be of the other half: one that the key shares a path with.
    /// Default: false.
    pub fn closest(mut self, closest: bool) -> Self {
        self.closest = closest;
        self
    }
}

/// How to store or delete a key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PutOptions {
    pub(crate) flags: u64,
    pub(crate) hidden: bool,
}

impl PutOptions {
    /// A visible key without flags.
    pub fn new() -> Self {
        Self::default()
    }

    /// Flags of the application, 23 bits. 1 marks a mount. Default: 0.
    pub fn flags(mut self, flags: u64) -> Self {
        self.flags = flags;
        self
    }

    /// Whether the key is one of the hidden ones. Default: false.
    pub fn hidden(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }
}

/// What to list, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IterOptions {
    pub(crate) recursive: bool,
    pub(crate) gt: bool,
    pub(crate) reverse: bool,
    pub(crate) hidden: bool,
    pub(crate) mounts: bool,
    pub(crate) prefetch: usize,
}

impl IterOptions {
    /// Everything visible under the prefix, forwards.
    pub fn new() -> Self {
        Self {
            recursive: true,
            gt: false,
            reverse: false,
            hidden: false,
            mounts: true,
            prefetch: 64,
        }
    }

    /// Whether a recursive listing of a [`MountableTrie`](crate::MountableTrie) goes into the mounts
    /// below the prefix. Default: true. The reference does if its `recursive` is given.
    pub fn mounts(mut self, mounts: bool) -> Self {
        self.mounts = mounts;
        self
    }

    /// Whether to list all that is under the prefix. Otherwise there is one node for each
    /// component below the prefix: often some node deeper down, which stands for its directory.
    /// Default: true.
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = recursive;
        self
    }

    /// Whether to leave out the node at the prefix itself. Default: false.
    pub fn gt(mut self, gt: bool) -> Self {
        self.gt = gt;
        self
    }

    /// Whether to go backwards. Default: false.
    pub fn reverse(mut self, reverse: bool) -> Self {
        self.reverse = reverse;
        self
    }

    /// Whether to list the hidden keys instead. Default: false.
    pub fn hidden(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }

    /// How many blocks to ask peers for at once when they are not stored here; at least 1.
    /// Default: 64. More hides more latency and fetches more that may not be wanted. The first items
    /// are fetched with less.
    pub fn prefetch(mut self, blocks: usize) -> Self {
        self.prefetch = blocks.max(1);
        self
    }
}

impl Default for IterOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// How to compare two versions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DiffOptions {
    pub(crate) hidden: bool,
    pub(crate) skip_left_null: bool,
    pub(crate) skip_right_null: bool,
    pub(crate) stored_right: bool,
    pub(crate) prefetch: usize,
}

impl DiffOptions {
    /// All changes of visible keys.
    pub fn new() -> Self {
        Self {
            hidden: false,
            skip_left_null: false,
            skip_right_null: false,
            stored_right: false,
            prefetch: 64,
        }
    }

    /// Whether to compare the hidden keys instead. Default: false.
    pub fn hidden(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }

    /// Whether to leave out keys that are absent on the left, and not to read them. Default: false.
    pub fn skip_left_null(mut self, skip: bool) -> Self {
        self.skip_left_null = skip;
        self
    }

    /// Whether to leave out keys that are absent on the right, and not to read them. Default: false.
    pub fn skip_right_null(mut self, skip: bool) -> Self {
        self.skip_right_null = skip;
        self
    }

    /// Whether to pass over what is not stored here of the right side, nodes on the way to the prefix
    /// aside. Default: false. See [`Trie::refresh`](crate::Trie::refresh).
    pub fn stored_right(mut self, stored: bool) -> Self {
        self.stored_right = stored;
        self
    }

    /// How many blocks to ask peers for at once when they are not stored here; at least 1.
    /// Default: 64.
    pub fn prefetch(mut self, blocks: usize) -> Self {
        self.prefetch = blocks.max(1);
        self
    }
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Which nodes to show, and in which order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HistoryOptions {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) reverse: bool,
    pub(crate) prefetch: usize,
}

impl HistoryOptions {
    /// All nodes, the oldest first.
    pub fn new() -> Self {
        Self {
            from: 0,
            to: u64::MAX,
            reverse: false,
            prefetch: 64,
        }
    }

    /// Only nodes with these seqs.
    pub fn range(mut self, seqs: std::ops::Range<u64>) -> Self {
        (self.from, self.to) = (seqs.start, seqs.end);
        self
    }

    /// Whether to begin with the newest node. Default: false.
    pub fn reverse(mut self, reverse: bool) -> Self {
        self.reverse = reverse;
        self
    }

    /// How many blocks to ask peers for at once when they are not stored here; at least 1.
    /// Default: 64.
    pub fn prefetch(mut self, blocks: usize) -> Self {
        self.prefetch = blocks.max(1);
        self
    }
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self::new()
    }
}
