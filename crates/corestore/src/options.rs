use zeroize::Zeroizing;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    pub(crate) master_key: Option<Zeroizing<[u8; 32]>>,
    pub(crate) open_cores: usize,
    pub(crate) cached_nodes: usize,
}

impl Options {
    /// The defaults: the master key from the directory, made if there is none.
    pub fn new() -> Self {
        Self {
            master_key: None,
            open_cores: OPEN_CORES,
            cached_nodes: CACHED_NODES,
        }
    }

    /// Uses this master key. The one in the directory is then neither read nor written.
    pub fn master_key(mut self, key: [u8; 32]) -> Self {
        self.master_key = Some(Zeroizing::new(key));
        self
    }

    /// How many cores are kept open (default 256). When more are, those that nobody holds are
    /// closed, the least recently asked for first; cores that are held stay open whatever their
    /// number. Each open core costs some KiB of memory and its bitfield; descriptors only while it is
    /// used, or has something that is not flushed.
    pub fn open_cores(mut self, count: usize) -> Self {
        self.open_cores = count;
        self
    }

    /// How many tree nodes each open core keeps in memory at most (default 4096, about 64 bytes
    /// each). More save reads while proving and verifying blocks of long logs.
    pub fn cached_nodes(mut self, count: usize) -> Self {
        self.cached_nodes = count;
        self
    }
}

const OPEN_CORES: usize = 256;
const CACHED_NODES: usize = 4096;

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("master_key", &self.master_key.as_ref().map(|_| "…"))
            .field("open_cores", &self.open_cores)
            .field("cached_nodes", &self.cached_nodes)
            .finish()
    }
}
