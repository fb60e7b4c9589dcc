//! What the commands take that change a drive, or look at its versions.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use hyperdrive_url::Link;

use super::{LinkArg, Reach};

/// Make a new, empty drive and print its link
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive create\n  \
    echo hello | hyperdrive put $(hyperdrive create)hello.txt")]
pub(crate) struct Create {
    #[command(flatten)]
    pub(crate) json: Json,
}

/// Write a file into a drive of yours
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive put hyper://KEY/notes.txt notes.txt\n  \
    date | hyperdrive put hyper://KEY/now")]
pub(crate) struct Put {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// What to write; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Remove a file or link from a drive of yours
///
/// Older versions of the drive keep it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive rm hyper://KEY/notes.txt\n  \
    hyperdrive rm -r hyper://KEY/drafts")]
pub(crate) struct Rm {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// Remove folders too, with all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Make a folder in a drive of yours
///
/// Folders need not be made to write files into them; this is for empty ones.
#[derive(Args, Debug)]
pub(crate) struct Mkdir {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Give a file or folder in a drive of yours another path
///
/// Nobody sees a state in between, and no content is stored anew.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive mv hyper://KEY/draft.txt /final.txt\n  \
    hyperdrive mv hyper://KEY/2021 /archive/2021")]
pub(crate) struct Mv {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// The new path in the same drive
    #[arg(value_name = "PATH")]
    pub(crate) to: String,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Make a symbolic link in a drive of yours
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive ln -s 2021/index.html hyper://KEY/latest.html\n  \
    hyperdrive ln -s /2021 hyper://KEY/deep/in/the/drive    # from the drive's root")]
pub(crate) struct Ln {
    /// Make a symbolic link: drives know no others
    #[arg(short, long, required = true)]
    pub(crate) symbolic: bool,

    /// What it points to, from its own folder, or from the drive's root if it starts with a slash
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,

    #[command(flatten)]
    pub(crate) link: LinkArg,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Mount a drive in a drive of yours
///
/// What is in the other drive can then be read below LINK/path, by everybody who reads yours. Nothing is
/// copied: it stays its author's, and follows what the author does, unless the link names a version.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive mount hyper://KEY/friends/ann hyper://OTHERKEY/\n  \
    hyperdrive mount hyper://KEY/lib hyper://OTHERKEY+42/")]
pub(crate) struct Mount {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// The drive to be mounted
    #[arg(value_name = "OTHER LINK", value_parser = super::link)]
    pub(crate) other: Link,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Take a mounted drive away from a drive of yours
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  hyperdrive unmount hyper://KEY/friends/ann")]
pub(crate) struct Unmount {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Fetch the content of a file or folder, and hold it here
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive keep hyper://KEY/talks\n  \
    hyperdrive keep hyper://KEY+42/ --json --peer 192.168.1.7:49737")]
pub(crate) struct Keep {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    #[command(flatten)]
    pub(crate) json: Json,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Free the space of a file's or folder's content
///
/// The files stay in the drive, and reading one fetches its content anew. What other files, tagged
/// versions or, for an older version, the newest one have too stays here.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive clear hyper://KEY/talks\n  \
    hyperdrive clear hyper://KEY/ --json")]
pub(crate) struct Clear {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// Also clear what is written in this storage and may be nowhere else, and what tagged versions have
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Remove all that is stored of a drive here
///
/// Drives that are mounted in it stay. Of a drive of yours the secret keys go too: whoever has a copy can
/// read and share it, and nobody can ever change it again. A folder that was shared as this drive gets a
/// new one the next time.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive destroy hyper://KEY/\n  \
    hyperdrive destroy hyper://KEY/ --force --json")]
pub(crate) struct Destroy {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// Also a drive that is written here
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) json: Json,
}

/// Show what differs between two versions of a drive
///
/// A version is a number or the name of a tag. Each line has a letter and a path: A for added, M
/// for modified, D for removed.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive diff hyper://KEY/ 12\n  \
    hyperdrive diff hyper://KEY/docs v1 v2 --json")]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// The older version
    #[arg(value_name = "FROM")]
    pub(crate) from: String,

    /// The newer version [default: the one that the link names, or the newest]
    #[arg(value_name = "TO")]
    pub(crate) to: Option<String>,

    #[command(flatten)]
    pub(crate) json: Json,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Show what happened to a drive, or to a path in it, the newest change first
///
/// Each line has the version that the change made, a letter as in `hyperdrive diff`, and a path.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive log hyper://KEY/ | head\n  \
    hyperdrive log hyper://KEY/notes.txt --json")]
pub(crate) struct Log {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    #[command(flatten)]
    pub(crate) json: Json,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Give names to versions of a drive
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive tag add hyper://KEY/ v1\n  \
    hyperdrive tag add hyper://KEY+12/ before-the-move\n  \
    hyperdrive tag list hyper://KEY/")]
pub(crate) struct Tag {
    #[command(subcommand)]
    pub(crate) action: TagAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TagAction {
    /// Name the newest version of a drive of yours, or the one in the link
    Add {
        #[command(flatten)]
        link: LinkArg,
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        json: Json,
    },
    /// List the names, and the versions that they name
    List {
        #[command(flatten)]
        link: LinkArg,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take a name away from a version of a drive of yours
    Rm {
        #[command(flatten)]
        link: LinkArg,
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        json: Json,
    },
}

/// Make a drive of yours look as it did at an older version
///
/// That is a new version: nothing is lost, and tags stay. Drives that are mounted now and were not
/// then are named.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  hyperdrive revert hyper://KEY+12/")]
pub(crate) struct Revert {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
