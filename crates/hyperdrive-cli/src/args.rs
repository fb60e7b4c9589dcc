use std::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueHint};
use hyperdrive_url::Link;

use crate::exit::Exit;
use crate::range::ByteRange;

mod change;

pub(crate) use change::{
    Clear, Create, Destroy, Diff, Json, Keep, Ln, Log, Mkdir, Mount, Mv, Put, Revert, Rm, Tag,
    TagAction, Unmount,
};

/// Share a folder with one key, and read it from anywhere.
///
/// A drive is a folder that its author signs and that anyone who knows its link can read, verify
/// and pass on.
#[derive(Debug, Parser)]
#[command(
    name = "hyperdrive",
    version,
    after_help = "Try it:\n  \
        hyperdrive share ~/photos\n  \
        hyperdrive ls hyper://KEY/ --peer 192.168.1.7:49737\n\n\
        `hyperdrive COMMAND --help` tells more about each command.",
    after_long_help = after_long_help(),
    arg_required_else_help = true,
    subcommand_required = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Keep keys, drives and settings in DIR
    ///
    /// The default is the platform's data directory for this user. Two commands may use one
    /// directory at the same time: whoever comes second reads through the first.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "HYPERDRIVE_STORAGE",
        value_hint = ValueHint::DirPath,
        help_heading = "Everywhere"
    )]
    pub(crate) storage: Option<PathBuf>,

    /// Stay off the discovery network: reach those given with --peer alone
    #[arg(
        long,
        global = true,
        env = "HYPERDRIVE_NO_SWARM",
        value_parser = FalseyValueParser::new(),
        help_heading = "Everywhere"
    )]
    pub(crate) no_swarm: bool,

    /// Do not look for peers on the local network
    ///
    /// Whoever is on it can otherwise see which drives are looked for and shared, though not what
    /// is in them.
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) no_lan: bool,

    /// Find peers through these nodes of the DHT instead of the public ones
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT,...",
        env = "HYPERDRIVE_BOOTSTRAP",
        value_delimiter = ',',
        value_parser = host_port,
        help_heading = "Everywhere"
    )]
    pub(crate) bootstrap: Option<Vec<String>>,

    /// Find peers in BitTorrent's DHT too
    ///
    /// It is the largest that there is; its nodes see the first 20 bytes of the discovery key, and who
    /// looks for it. Other nodes to begin with than the public ones go behind an equals sign.
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT,...",
        num_args = 0..,
        require_equals = true,
        value_delimiter = ',',
        value_parser = host_port,
        help_heading = "Everywhere"
    )]
    pub(crate) mainline: Option<Vec<String>>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Share(Share),
    Clone(Clone),
    Ls(Ls),
    Cat(Cat),
    Stat(Stat),
    Seed(Seed),
    Info(Info),
    Create(Create),
    Put(Put),
    Rm(Rm),
    Mkdir(Mkdir),
    Mv(Mv),
    Ln(Ln),
    Mount(Mount),
    Unmount(Unmount),
    Keep(Keep),
    Clear(Clear),
    Destroy(Destroy),
    Diff(Diff),
    Log(Log),
    Tag(Tag),
    Revert(Revert),
    Status(Status),
    DhtNode(DhtNode),
}

/// Share a folder, and keep serving it
///
/// Imports FOLDER into a drive, prints the drive's link as the only line on standard output, and
/// serves it until it is interrupted. Sharing the same folder again continues the same drive and
/// stores only what changed. Nothing is ever written into the folder.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive share ~/photos\n  \
    hyperdrive share ~/photos --watch --listen 0.0.0.0:4000\n  \
    hyperdrive share . > link.txt    # everything but the link goes to standard error")]
pub(crate) struct Share {
    /// The folder to share
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,

    #[command(flatten)]
    pub(crate) listen: Listen,

    /// Go on following changes in the folder
    #[arg(long)]
    pub(crate) watch: bool,

    /// Cut files into blocks where their content says, about 16 KiB each, and not every 64 KiB
    ///
    /// What is read at random in small pieces is then fetched in smaller ones. Files that did not change
    /// stay as they were cut.
    #[arg(long)]
    pub(crate) content_defined: bool,
}

/// Download a drive into a folder
///
/// Fetches the drive's newest version (or the one that the link names) and writes it into FOLDER.
/// An interrupted clone goes on where it stopped. Nothing outside FOLDER is touched, whatever the
/// drive contains; what cannot be written is named, and the exit status is 3.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive clone hyper://KEY/ --peer 192.168.1.7:49737\n  \
    hyperdrive clone hyper://KEY+42/ photos-as-of-42 --peer example.org:49737\n  \
    hyperdrive clone hyper://KEY/ photos --live    # and keep following")]
pub(crate) struct Clone {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// Where to write it [default: the first 8 characters of the key]
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) folder: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) reach: Reach,

    /// Keep following the drive until interrupted
    #[arg(long)]
    pub(crate) live: bool,

    /// Replace files that stand in the way and were not written by an earlier clone
    #[arg(long)]
    pub(crate) force: bool,
}

/// List a folder of a drive
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive ls hyper://KEY/ --peer 192.168.1.7:49737\n  \
    hyperdrive ls hyper://KEY/2021 -l\n  \
    hyperdrive ls hyper://KEY+42/ -R --json")]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// Show type, permissions, size in bytes and time (UTC)
    #[arg(short, long)]
    pub(crate) long: bool,

    /// List everything below the folder
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,

    /// Print a JSON array of entries
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Write a file of a drive to standard output
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive cat hyper://KEY/notes.txt --peer 192.168.1.7:49737\n  \
    hyperdrive cat hyper://KEY/film.mkv --range 0-1023 | file -\n  \
    hyperdrive cat hyper://KEY/app.log --range=-4096    # the last 4096 bytes")]
pub(crate) struct Cat {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// Only these bytes: START-END, both counted from 0 and both included
    ///
    /// START- means up to the end of the file, -N the last N bytes (write `--range=-N`). As in
    /// HTTP, an END beyond the file is cut to it; a START beyond it is an error (exit status 4).
    #[arg(long, value_name = "START-END", allow_hyphen_values = true)]
    pub(crate) range: Option<ByteRange>,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Show what a drive knows of a file or folder
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive stat hyper://KEY/notes.txt --peer 192.168.1.7:49737\n  \
    hyperdrive stat hyper://KEY/notes.txt --json")]
pub(crate) struct Stat {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Co-host drives: fetch all of them, follow new versions, and serve them
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive seed hyper://KEY/ --peer 192.168.1.7:49737\n  \
    hyperdrive seed KEY OTHERKEY --listen 0.0.0.0:4000 --peer example.org:49737")]
pub(crate) struct Seed {
    /// The drives, your own or somebody else's
    #[arg(value_name = "LINK", required = true, value_parser = link)]
    pub(crate) links: Vec<Link>,

    #[command(flatten)]
    pub(crate) listen: Listen,

    #[command(flatten)]
    pub(crate) peers: Peers,
}

/// Show a drive's keys, version, sizes, and how much of it is here
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive info hyper://KEY/\n  \
    hyperdrive info hyper://KEY/ --json --peer 192.168.1.7:49737")]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) link: LinkArg,

    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Tell whether others can reach this machine, and how they see it
///
/// Asks the process that shares or seeds from this storage, or else other nodes of the DHT, for up to
/// 10 seconds. The exit status is 5 if nobody answers.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive status\n  \
    hyperdrive status --json --bootstrap 192.168.1.7:49737")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) json: Json,
}

/// Run a node of the DHT that others can begin with
///
/// Needs no storage. Give its address to others with --bootstrap; a network of one's own is a node
/// or two of these.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    hyperdrive dht-node --listen 0.0.0.0:49737 --bootstrap example.org:49737\n  \
    hyperdrive share ~/photos --bootstrap 192.168.1.7:49737")]
pub(crate) struct DhtNode {
    /// Answer other nodes here; port 0 takes a free one [default: 0.0.0.0:49737]
    ///
    /// The address is printed on standard error.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddrV4>,
}

#[derive(Args, Debug)]
pub(crate) struct LinkArg {
    /// hyper://KEY[+VERSION]/path, or a bare key of 64 hex digits
    #[arg(value_name = "LINK", value_parser = link)]
    pub(crate) link: Link,
}

/// How to reach whoever has the drive.
#[derive(Args, Debug)]
pub(crate) struct Reach {
    #[command(flatten)]
    pub(crate) peers: Peers,

    /// Give up after S seconds without any progress
    #[arg(long, value_name = "S", default_value = "20", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct Peers {
    /// Connect to this address; may be given several times
    #[arg(long = "peer", value_name = "HOST:PORT", value_parser = host_port)]
    pub(crate) peers: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Listen {
    /// Accept connections here; port 0 takes a free one [default: 0.0.0.0:49737]
    ///
    /// The address is printed on standard error. If no address is given and port 49737 is taken, a
    /// free port is used.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
}

fn after_long_help() -> String {
    format!(
        "{}\nA LINK is hyper://KEY[+VERSION]/path or a bare key; KEY is 64 hex digits. Quote links \
         whose path\nholds spaces or other characters that your shell reads.\n",
        Exit::help()
    )
}

fn link(text: &str) -> Result<Link, String> {
    let link = Link::parse(text).map_err(|error| error.to_string())?;
    // Taken for the start of a query, a question mark in a file's name would lead to another file.
    if link.query().is_some() || link.fragment().is_some() {
        return Err("in a path, `?` is written %3F and `#` is written %23".to_owned());
    }
    Ok(link)
}

fn host_port(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').ok_or("expected HOST:PORT")?;
    if host.is_empty() {
        return Err("the host is missing: expected HOST:PORT".into());
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address goes in brackets: [::1]:49737".into());
    }
    match port.parse::<u16>() {
        Ok(0) | Err(_) => Err(format!("`{port}` is no port: expected 1 to 65535")),
        Ok(_) => Ok(text.to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|timeout| *timeout <= MAX_TIMEOUT)
        .ok_or_else(|| format!("expected 0 to {} seconds", MAX_TIMEOUT.as_secs()))
}

/// A month; beyond that `--live` or `seed` is what was meant.
const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn peers_have_a_host_and_a_port() {
        for good in ["example.org:49737", "10.0.0.1:1", "[::1]:65535"] {
            assert_eq!(host_port(good).as_deref(), Ok(good));
        }
        for bad in [
            "example.org",
            ":1",
            "a:0",
            "a:65536",
            "a:",
            "::1:80",
            "a:-1",
        ] {
            assert!(host_port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn timeouts_are_finite() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for bad in ["-1", "inf", "NaN", "1e300", "", "2592001"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
