//! The only door to the node: owned values, byte streams and session handles.
//!
//! It runs a [`Node`] in this process. The commands know nothing of that, so that a later client can
//! speak to a running daemon instead.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use etcetera::BaseStrategy;
use hyperdrive_daemon::{
    Access, ContentDefined, DiscoveryOptions, DriveError, Freshness, ImportOptions,
    MAINLINE_BOOTSTRAP, Node, NodeError, Port, Root, Seeded, Warning,
};
use hyperdrive_url::Link;

use crate::args::{Global, Peers};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::meter::{Meter, Traffic};
use crate::output::printable;
use crate::progress::{Amounts, Progress};

mod editor;
mod error;
mod status;
pub(crate) mod task;
mod values;

pub(crate) use editor::Editor;
pub(crate) use status::{Nat, Network, Process, Status};
pub(crate) use values::{Change, CoreStats, DriveInfo, Entry, Stat};

/// A node to work with.
pub(crate) struct Client {
    node: Node,
    /// How peers are found, if they are to be looked for.
    discovery: Option<DiscoveryOptions>,
}

impl Client {
    /// A client that writes or serves, and so holds the storage alone.
    pub(crate) async fn holder(global: &Global) -> Result<Self, Failure> {
        let node = Node::open(root(global)?, Access::Hold).await?;
        Ok(Self {
            node,
            discovery: discovery(global),
        })
    }

    /// A client that reads, beside whoever else uses the storage. `long` says that it may take its
    /// time.
    pub(crate) async fn reader(
        global: &Global,
        peers: &Peers,
        long: bool,
    ) -> Result<Self, Failure> {
        let access = if long { Access::ReadLong } else { Access::Read };
        let client = Self {
            node: Node::open(root(global)?, access).await?,
            discovery: discovery(global),
        };
        client.dial(peers);
        if let Some(options) = &client.discovery {
            client.node.discover(options.clone());
        }
        Ok(client)
    }

    /// Keeps a connection to each of these peers from now on.
    pub(crate) fn dial(&self, peers: &Peers) {
        for peer in &peers.peers {
            self.node.dial(peer);
        }
    }

    /// Takes the port to listen on. Nobody is answered yet.
    pub(crate) async fn bind(&self, address: Option<SocketAddr>) -> Result<Port, Failure> {
        Ok(self.node.bind(address).await?)
    }

    /// Answers peers from now on, has them find us unless that is not wanted, and tells where.
    pub(crate) fn serve(&self, port: Port) -> SocketAddr {
        match &self.discovery {
            Some(options) => self.node.serve_and_discover(port, options.clone()),
            None => self.node.serve(port),
        }
    }

    /// Where to read who is connected, and what went over the connections.
    pub(crate) fn meter(&self) -> Meter {
        let node = self.node.clone();
        Meter::new(move || {
            let traffic = node.traffic();
            Traffic {
                peers: traffic.peers,
                received: traffic.received,
                sent: traffic.sent,
            }
        })
    }

    /// Brings a folder into its drive, cut into blocks of one size or where the content says.
    pub(crate) async fn import(
        &self,
        folder: &Path,
        content_defined: bool,
        progress: &Progress,
    ) -> Result<Imported, Failure> {
        let told = |moved| progress.update(amounts(moved));
        let mut options = ImportOptions::new();
        if content_defined {
            options = options.chunker(ContentDefined);
        }
        let (key, imported) = self.node.import(folder, options, told).await?;
        Ok(Imported {
            link: Link::new(*key.as_bytes()).to_string(),
            files: imported.files,
            bytes: imported.bytes,
            unchanged: imported.unchanged,
            removed: imported.removed,
            warnings: shown(&imported.warnings).collect(),
            foreign: imported.foreign,
        })
    }

    /// Watches a folder from now on.
    pub(crate) fn watch(&self, folder: &Path) -> Result<FolderWatch, Failure> {
        Ok(FolderWatch(self.node.watch(folder)?))
    }

    /// Opens the drive and the version that a link names.
    pub(crate) async fn open(&self, link: &Link, patience: Duration) -> Result<Session, Failure> {
        let session = self
            .node
            .drive(link.key(), link.version(), patience)
            .await?;
        if session.freshness() == Freshness::Held {
            let version = session.version();
            eprintln!("no peer has the drive right now: this is version {version}, stored here");
        }
        Ok(Session { session })
    }

    /// Removes all that is stored of a drive, and tells how many bytes that was. One of ours only if
    /// `own` says so.
    pub(crate) async fn destroy(&self, link: &Link, own: bool) -> Result<u64, Failure> {
        match self.node.destroy(link.key(), own).await {
            Err(NodeError::Drive(error @ DriveError::OwnContent)) => {
                let failure = Failure::new(Exit::NotWritable, error.to_string());
                Err(failure.hint(
                    "--force removes it all the same, with its secret keys: nobody can change it then",
                ))
            }
            destroyed => Ok(destroyed?),
        }
    }

    /// Starts to keep a whole copy of a drive, and of those mounted in it.
    pub(crate) async fn seed(&self, link: &Link) -> Result<Seed, Failure> {
        Ok(Seed {
            seed: self.node.seed(link.key()).await?,
        })
    }

    /// Makes everything durable and lets go of the storage. Returns how the work went, or if it went
    /// well how this did.
    pub(crate) async fn end<T>(self, work: Result<T, Failure>) -> Result<T, Failure> {
        let closed = self.node.close().await;
        let done = work?;
        closed?;
        Ok(done)
    }
}

/// What an import did.
#[derive(Clone, Debug)]
pub(crate) struct Imported {
    pub(crate) link: String,
    /// Files that were new or had changed.
    pub(crate) files: u64,
    /// Bytes in them.
    pub(crate) bytes: u64,
    /// Files that were in the drive already.
    pub(crate) unchanged: u64,
    /// Entries that are not in the folder any more.
    pub(crate) removed: u64,
    /// What was left out, and why.
    pub(crate) warnings: Vec<String>,
    /// Entries that another writer added to the drive. They stay.
    pub(crate) foreign: Vec<String>,
}

/// What an export did.
#[derive(Clone, Debug)]
pub(crate) struct Exported {
    pub(crate) version: u64,
    /// Files written.
    pub(crate) files: u64,
    /// Bytes in them.
    pub(crate) bytes: u64,
    /// Files that were there already.
    pub(crate) unchanged: u64,
    /// Entries that the drive no longer has.
    pub(crate) removed: u64,
    /// What was left out, and why.
    pub(crate) warnings: Vec<String>,
}

/// An open drive at one version.
pub(crate) struct Session {
    session: hyperdrive_daemon::Session,
}

impl Session {
    /// The drive's key in hex.
    pub(crate) fn key(&self) -> String {
        values::hex(self.session.key().as_bytes())
    }

    /// What is at a path, following symlinks.
    pub(crate) async fn stat(&self, path: &str) -> Result<Stat, Failure> {
        Ok(self.session.stat(path).await?.into())
    }

    /// What is at a path itself.
    pub(crate) async fn lstat(&self, path: &str) -> Result<Stat, Failure> {
        Ok(self.session.lstat(path).await?.into())
    }

    /// The entries of a folder, or all below it, sorted by name, and what is wrong with others.
    pub(crate) async fn list(
        &self,
        path: &str,
        recursive: bool,
    ) -> Result<(Vec<Entry>, Vec<String>), Failure> {
        let mut listed = self.session.read_dir(path, recursive).await?;
        let (mut entries, mut warnings) = (Vec::new(), Vec::new());
        loop {
            match listed.next().await {
                Ok(Some(entry)) => {
                    entries.push(Entry {
                        name: entry.name,
                        stat: entry.stat.into(),
                    });
                }
                Ok(None) => break,
                Err(
                    error @ (NodeError::Unreached { .. }
                    | NodeError::Drive(
                        DriveError::BadEntry { .. } | DriveError::BadMount { .. },
                    )),
                ) => warnings.push(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((entries, warnings))
    }

    /// The bytes of a file.
    pub(crate) async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes<'_>, Failure> {
        Ok(Bytes(self.session.read(path, range).await?))
    }

    /// The version looked at.
    pub(crate) fn version(&self) -> u64 {
        self.session.version()
    }

    /// The names of versions.
    pub(crate) async fn tags(&self) -> Result<BTreeMap<String, u64>, Failure> {
        Ok(self.session.tags().await?)
    }

    /// What differs at and below a path between an older version and the one looked at.
    pub(crate) fn diff(&self, since: u64, path: &str) -> Differences<'_> {
        Differences(self.session.diff(since, path))
    }

    /// What happened at and below a path, the newest change first.
    pub(crate) fn history(&self, path: &str) -> History<'_> {
        History(self.session.history(path))
    }

    /// What is known of the drive.
    pub(crate) async fn info(&self) -> Result<DriveInfo, Failure> {
        Ok(self.session.info().await?.into())
    }

    /// Brings the drive into a folder.
    pub(crate) async fn export(
        &self,
        folder: &Path,
        force: bool,
        progress: &Progress,
    ) -> Result<Exported, Failure> {
        let moved = |moved| progress.update(amounts(moved));
        let exported = self.session.export(folder, force, moved).await?;
        Ok(Exported {
            version: self.session.version(),
            files: exported.files,
            bytes: exported.bytes,
            unchanged: exported.unchanged,
            removed: exported.removed,
            warnings: shown(&exported.warnings).collect(),
        })
    }

    /// Waits for a newer version, for as long as it takes, and looks at that from then on.
    pub(crate) async fn newer(&mut self) -> Result<u64, Failure> {
        Ok(self.session.follow().await?)
    }
}

/// The bytes of a file, a piece at a time.
pub(crate) struct Bytes<'s>(hyperdrive_daemon::Bytestream<'s>);

impl Bytes<'_> {
    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
        Ok(self.0.next().await?)
    }
}

/// What differs between two versions.
pub(crate) struct Differences<'s>(hyperdrive_daemon::Differences<'s>);

impl Differences<'_> {
    /// The next change, or what is wrong with an entry; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Result<Change, String>>, Failure> {
        told(self.0.next().await, Change::from)
    }
}

/// What happened at a path.
pub(crate) struct History<'s>(hyperdrive_daemon::Log<'s>);

impl History<'_> {
    /// The next change and the version that it made, or what is wrong with an entry; `None` at the
    /// end.
    pub(crate) async fn next(&mut self) -> Result<Option<Result<(u64, Change), String>>, Failure> {
        told(self.0.next().await, |(version, change)| {
            (version, Change::from(change))
        })
    }
}

/// What a list of changes gave: damaged entries are told, and the list goes on.
fn told<T, U>(
    next: Result<Option<T>, NodeError>,
    convert: impl FnOnce(T) -> U,
) -> Result<Option<Result<U, String>>, Failure> {
    match next {
        Ok(next) => Ok(next.map(|next| Ok(convert(next)))),
        Err(error @ NodeError::Drive(DriveError::BadEntry { .. })) => {
            Ok(Some(Err(error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

/// A drive of which a whole copy is kept.
pub(crate) struct Seed {
    seed: hyperdrive_daemon::Seed,
}

impl Seed {
    /// The drive's link.
    pub(crate) fn link(&self) -> String {
        Link::new(*self.seed.key().as_bytes()).to_string()
    }

    /// Whether anything of the drive has been seen.
    pub(crate) fn is_known(&self) -> bool {
        self.seed.held().blocks_total > 0
    }

    /// How each peer that was asked for answers.
    pub(crate) fn tried(&self) -> Vec<String> {
        self.seed.tried()
    }

    /// Waits until a newer version of the drive, or of one that is mounted in it, is complete, and says
    /// so, or what is wrong with a mount. `told` hears how far it is.
    pub(crate) async fn next(&mut self, told: impl Fn(Amounts)) -> Result<String, Failure> {
        let held = |held: hyperdrive_daemon::Held| {
            told(Amounts {
                items: held.blocks,
                items_total: held.blocks_total,
                bytes: held.bytes,
                bytes_total: held.bytes_total,
            });
        };
        let link = self.link();
        Ok(match self.seed.next(held).await? {
            Seeded::Complete { path, version } if path == "/" => {
                format!("{link} complete at version {version}")
            }
            Seeded::Complete { path, version } => {
                let path = printable(&path);
                format!("{link} {path} (mounted) complete at version {version}")
            }
            Seeded::Unreadable { path, error } => {
                let (path, error) = (printable(&path), error.to_string());
                format!("warning: {link} {path} (mounted): {}", printable(&error))
            }
            Seeded::TooManyMounts { limit } => {
                format!("warning: {link} has more mounted drives than the {limit} that are kept")
            }
            other => format!("{link}: {other:?}"),
        })
    }
}

/// A node of the DHT.
pub(crate) struct DhtNode(hyperdrive_daemon::DhtNode);

impl DhtNode {
    /// Starts one that begins with the nodes that were given, or else with the public ones.
    pub(crate) async fn start(
        global: &Global,
        listen: Option<SocketAddrV4>,
    ) -> Result<Self, Failure> {
        let address = listen.unwrap_or(hyperdrive_daemon::DhtNode::DEFAULT_LISTEN);
        let options = options(global);
        match hyperdrive_daemon::DhtNode::bind(address, &options.bootstrap).await {
            Ok(node) => Ok(Self(node)),
            Err(source) => Err(NodeError::Listen {
                address: address.into(),
                source,
            }
            .into()),
        }
    }

    pub(crate) fn address(&self) -> SocketAddrV4 {
        self.0.local_addr()
    }

    pub(crate) async fn end(self) {
        self.0.close().await;
    }
}

/// Tells when something in a folder changed.
pub(crate) struct FolderWatch(hyperdrive_daemon::Watch);

impl FolderWatch {
    pub(crate) async fn changed(&mut self) {
        self.0.changed().await;
    }
}

/// Checks that a folder can be shared, before anything is opened for it.
pub(crate) fn shareable(global: &Global, folder: &Path) -> Result<(), Failure> {
    hyperdrive_daemon::shareable(&root(global)?, folder)?;
    Ok(())
}

fn shown(warnings: &[Warning]) -> impl Iterator<Item = String> {
    warnings.iter().map(Warning::to_string)
}

fn amounts(moved: hyperdrive_daemon::Progress) -> Amounts {
    Amounts {
        items: moved.files,
        items_total: moved.files_total,
        bytes: moved.bytes,
        bytes_total: moved.bytes_total,
    }
}

/// How peers are to be found; `None` if only those that were named are to be reached.
fn discovery(global: &Global) -> Option<DiscoveryOptions> {
    (!global.no_swarm).then(|| options(global))
}

fn options(global: &Global) -> DiscoveryOptions {
    let mut options = DiscoveryOptions::default();
    options.lan = !global.no_lan;
    if let Some(bootstrap) = &global.bootstrap {
        options.bootstrap.clone_from(bootstrap);
    }
    if let Some(mainline) = &global.mainline {
        options.mainline.clone_from(mainline);
        if mainline.is_empty() {
            options.mainline = MAINLINE_BOOTSTRAP.map(str::to_owned).to_vec();
        }
    }
    options
}

/// The storage root that was asked for, or the platform's place for this user's data.
fn root(global: &Global) -> Result<Root, Failure> {
    // An empty variable is as good as none.
    if let Some(path) = global
        .storage
        .as_ref()
        .filter(|path| !path.as_os_str().is_empty())
    {
        return Ok(Root::new(path));
    }
    match etcetera::choose_base_strategy() {
        Ok(places) => Ok(Root::new(places.data_dir().join("hyperdrive"))),
        Err(_) => {
            let failure = Failure::new(
                Exit::NoStorage,
                "there is no home directory to keep data in",
            );
            Err(failure.hint("give a place with --storage DIR"))
        }
    }
}
