//! How a command asks the process that holds the storage.
//!
//! That process listens on loopback and writes where, and a secret, into the file that tells of it
//! (`storage/node.json`), which only the same user can read. A request is one line of JSON with the
//! secret. Whoever knows that is greeted with an empty line at once, since some requests take long, and
//! answered with another line of JSON.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::{Runtime, TcpListener, TcpStream, Tokio};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::node::Inner;
use crate::running::Running;
use crate::{Done, ErrorKind, Node, Root, Status, Task};

/// Where a process is asked, and what proves that one may.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Door {
    address: SocketAddr,
    secret: Secret,
}

/// 32 random bytes in hex.
#[derive(Clone, Deserialize, Serialize)]
struct Secret(String);

impl PartialEq for Secret {
    /// Takes as long for any other secret of the same length, whatever that has in common with it.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What may be asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Request {
    /// How is it doing?
    Status,
    /// Something that only the holder can do.
    Perform(Task),
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Reply {
    Status(Box<Status>),
    Done(Done),
    Failed { kind: ErrorKind, message: String },
}

#[derive(Debug, Deserialize, Serialize)]
struct Envelope {
    secret: Secret,
    request: Request,
}

/// Listens for requests.
pub(crate) struct Porter {
    listener: TcpListener,
    door: Door,
}

impl Porter {
    /// Takes a port on loopback.
    pub(crate) async fn bind(runtime: &dyn Runtime) -> io::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = runtime.listen_tcp(loopback).await?;
        let door = Door {
            address: listener.local_addr(),
            secret: Secret(hex::encode(secret)),
        };
        Ok(Self { listener, door })
    }

    /// What others need to know.
    pub(crate) fn door(&self) -> Door {
        self.door.clone()
    }

    /// Answers requests for as long as the node is there.
    pub(crate) async fn answer(self, node: Weak<Inner>) {
        let places = Arc::new(Semaphore::new(MAX_REQUESTS));
        let tasks = Arc::new(Semaphore::new(MAX_TASKS));
        // Held here, so that the conversations end with the porter.
        let mut conversations = JoinSet::new();
        loop {
            // Above the limit others wait in the system's queue.
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let Ok(stream) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            while conversations.try_join_next().is_some() {}
            let Some(inner) = node.upgrade() else {
                return;
            };
            let (secret, tasks) = (self.door.secret.clone(), tasks.clone());
            conversations.spawn(async move {
                let node = Node { inner };
                // Whoever does not know how to ask gets no answer.
                let _ = converse(&node, stream, &secret, place, &tasks).await;
            });
        }
    }
}

/// Reads a request, which takes the `place` until whoever asks is greeted, and answers it. One of the
/// `tasks` may take long.
async fn converse(
    node: &Node,
    mut stream: TcpStream,
    secret: &Secret,
    place: OwnedSemaphorePermit,
    tasks: &Semaphore,
) -> io::Result<()> {
    let asked = read(&mut stream, MAX_REQUEST_BYTES);
    let asked: Envelope = timeout(PATIENCE, asked).await??;
    if asked.secret != *secret {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // Before the greeting, so that whoever was greeted is being served.
    let working = tasks.try_acquire();
    stream.write_all(GREETING).await?;
    stream.flush().await?;
    drop(place);
    let reply = match asked.request {
        Request::Status => Reply::Status(Box::new(node.status())),
        Request::Perform(_) if working.is_err() => Reply::Failed {
            kind: ErrorKind::TryAgain,
            message: format!("the process that holds the storage does {MAX_TASKS} tasks already"),
        },
        Request::Perform(task) => tokio::select! {
            done = node.perform(&task, |_| ()) => match done {
                Ok(done) => Reply::Done(done),
                Err(error) => Reply::Failed {
                    kind: error.kind(),
                    message: error.to_string(),
                },
            },
            // Whoever asked does not want it any more.
            () = hung_up(&mut stream) => return Ok(()),
        },
    };
    write(&mut stream, &reply).await
}

async fn hung_up(stream: &mut TcpStream) {
    let mut byte = [0];
    while let Ok(1..) = stream.read(&mut byte).await {}
}

/// Asks the process that holds a storage. `None` if there is none any more, or none that answers.
pub(crate) async fn ask(root: &Root, request: &Request) -> io::Result<Option<Reply>> {
    let Some(door) = Running::load(&root.running()).and_then(|running| running.door) else {
        return Ok(None);
    };
    // After a crash the file stays, and somebody else may have the port by now, who says anything or
    // nothing at all.
    let greeted = timeout(GREETING_PATIENCE, knock(door, request)).await;
    let Ok(Ok(mut stream)) = greeted else {
        return Ok(None);
    };
    Ok(Some(read(&mut stream, MAX_REPLY_BYTES).await?))
}

/// Connects and asks, up to the greeting.
async fn knock(door: Door, request: &Request) -> io::Result<TcpStream> {
    let mut stream = Tokio::current().connect_tcp(door.address).await?;
    let envelope = Envelope {
        secret: door.secret,
        request: request.clone(),
    };
    write(&mut stream, &envelope).await?;
    let mut greeting = [0; GREETING.len()];
    stream.read_exact(&mut greeting).await?;
    if greeting != *GREETING {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(stream)
}

async fn write(stream: &mut TcpStream, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

/// Reads a line of at most so many bytes.
async fn read<T: DeserializeOwned>(stream: &mut TcpStream, max_bytes: usize) -> io::Result<T> {
    let mut line = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let piece = &piece[..count];
        let end = piece.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&piece[..end.unwrap_or(count)]);
        if line.len() > max_bytes {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if end.is_some() {
            return Ok(serde_json::from_slice(&line)?);
        }
    }
}

/// Requests that are read at the same time.
const MAX_REQUESTS: usize = 16;

/// Requests that are answered at the same time. What only looks is answered beyond that too.
const MAX_TASKS: usize = 64;

/// The longest request: paths are the only long part of it.
const MAX_REQUEST_BYTES: usize = 64 << 10;

/// The longest reply.
const MAX_REPLY_BYTES: usize = 1 << 20;

/// What whoever knows the secret is greeted with.
const GREETING: &[u8; 1] = b"\n";

/// How long the holder is waited for. It may have to wait itself for those who asked before and say
/// nothing.
const GREETING_PATIENCE: Duration = Duration::from_secs(5);

/// How long a process on this machine may take to come to the point.
const PATIENCE: Duration = Duration::from_secs(2);

/// Pause after an error of the listener.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Access;

    async fn node() -> (tempfile::TempDir, Root, Node, Door) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        let node = Node::open(root.clone(), Access::Hold).await.unwrap();
        let door = Running::load(&root.running()).unwrap().door.unwrap();
        (dir, root, node, door)
    }

    async fn say(door: &Door, line: &[u8]) -> io::Result<Reply> {
        let mut stream = Tokio::current().connect_tcp(door.address).await.unwrap();
        // The other end may hang up in the middle of it.
        let _ = stream.write_all(line).await;
        stream.read_exact(&mut [0; GREETING.len()]).await?;
        read(&mut stream, MAX_REPLY_BYTES).await
    }

    fn request(secret: &Secret, padding: usize) -> Vec<u8> {
        let envelope = Envelope {
            secret: secret.clone(),
            request: Request::Status,
        };
        let mut line = serde_json::to_vec(&envelope).unwrap();
        line.resize(line.len().max(padding), b' ');
        line.push(b'\n');
        line
    }

    #[tokio::test]
    async fn the_holder_is_asked_and_gone_when_it_is_closed() {
        let (_dir, root, node, _) = node().await;
        let status = Status::of_holder(&root).await.unwrap();
        assert_eq!(status, node.status());
        node.close().await.unwrap();
        assert_eq!(Status::of_holder(&root).await, None);
    }

    #[tokio::test]
    async fn who_does_not_know_the_secret_gets_no_answer() {
        let (_dir, root, _node, door) = node().await;
        let wrong = Secret("0".repeat(64));
        say(&door, &request(&wrong, 0)).await.unwrap_err();
        say(&door, b"what?\n").await.unwrap_err();
        say(&door, &request(&door.secret, 0)).await.unwrap();
        assert!(Status::of_holder(&root).await.is_some());
    }

    #[tokio::test]
    async fn requests_have_a_longest_length() {
        let (_dir, _root, _node, door) = node().await;
        say(&door, &request(&door.secret, MAX_REQUEST_BYTES))
            .await
            .unwrap();
        let longer = request(&door.secret, MAX_REQUEST_BYTES + 1);
        say(&door, &longer).await.unwrap_err();
    }

    #[tokio::test]
    async fn who_says_nothing_does_not_keep_others_from_asking() {
        let (_dir, root, _node, door) = node().await;
        let runtime = Tokio::current();
        let mut silent = Vec::new();
        for _ in 0..MAX_REQUESTS {
            silent.push(runtime.connect_tcp(door.address).await.unwrap());
        }
        assert!(Status::of_holder(&root).await.is_some());
        drop(silent);
    }

    /// A task that lasts until its asker leaves once held the place of a request, so that a command
    /// beside 16 of them took the holder for gone.
    #[tokio::test]
    async fn tasks_that_take_long_keep_nobody_from_asking_up_to_their_limit() {
        let (_dir, root, _node, door) = node().await;
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let silent = Tokio::current().listen_tcp(anywhere).await.unwrap();
        let request = |patience| {
            Request::Perform(Task::Keep {
                at: crate::Place::new([7; 32], None, "/"),
                peers: vec![silent.local_addr().to_string()],
                patience,
            })
        };
        let long = request(Duration::from_secs(600));
        let mut asking = Vec::new();
        for _ in 0..MAX_TASKS {
            asking.push(knock(door.clone(), &long).await.unwrap());
        }
        assert!(Status::of_holder(&root).await.is_some());
        let short = request(Duration::ZERO);
        let refused = async || match ask(&root, &short).await.unwrap() {
            Some(Reply::Failed { kind, message }) => {
                assert_eq!(kind, ErrorKind::TryAgain);
                message.contains("64 tasks")
            }
            other => panic!("{other:?}"),
        };
        assert!(refused().await);
        // Whoever leaves makes room, as soon as that is seen.
        asking.pop();
        while refused().await {
            tokio::task::yield_now().await;
        }
    }

    /// Closing used to end the listener some time later, so that the port was still taken.
    #[tokio::test]
    async fn ports_are_free_when_the_node_is_closed() {
        let (_dir, _root, node, door) = node().await;
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let peers = node.serve(node.bind(Some(anywhere)).await.unwrap());
        node.close().await.unwrap();
        for address in [door.address, peers] {
            Tokio::current().listen_tcp(address).await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_file_of_a_process_that_crashed_leads_nowhere() {
        let (dir, root, node, _) = node().await;
        let left_behind = std::fs::read(root.running()).unwrap();
        node.close().await.unwrap();
        std::fs::write(root.running(), left_behind).unwrap();
        assert_eq!(Status::of_holder(&root).await, None);
        drop(dir);
    }

    #[tokio::test]
    async fn somebody_else_at_the_port_of_a_process_that_crashed_is_not_waited_for() {
        let (_dir, root, node, door) = node().await;
        let mut left_behind = Running::load(&root.running()).unwrap();
        node.close().await.unwrap();
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let somebody = Tokio::current().listen_tcp(anywhere).await.unwrap();
        let address = somebody.local_addr();
        left_behind.door = Some(Door { address, ..door });
        crate::record::save(&root.running(), &left_behind).unwrap();
        let silent = async { (Status::of_holder(&root).await, somebody.accept().await) };
        assert_eq!(silent.await.0, None);
        let (status, ()) = tokio::join!(Status::of_holder(&root), async {
            let mut stream = somebody.accept().await.unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
            stream.flush().await.unwrap();
        });
        assert_eq!(status, None);
    }
}
