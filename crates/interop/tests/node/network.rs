//! Our side of a connection: a runtime, a role, and the logs that are replicated.

use std::sync::Arc;

use futures_lite::future::{block_on, or};
use hypercore_protocol::Role;
use hypercore_replication::{Config, FeedSource, replicate};
use hypercore_runtime::{AsyncStd, Runtime, Tokio};
use interop::{LIMIT, Peer};
use serde_json::{Value, json};

/// A runtime with connections to Node on it. They end with the value.
#[derive(Debug)]
pub(crate) struct Network {
    runtime: Arc<dyn Runtime>,
    /// Whatever the tasks of [`Tokio`] live on.
    _tokio: Option<tokio::runtime::Runtime>,
}

impl Network {
    pub(crate) fn tokio() -> Self {
        let mut tokio = tokio::runtime::Builder::new_multi_thread();
        let tokio = tokio
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("the runtime starts");
        Self {
            runtime: Arc::new(Tokio::new(tokio.handle().clone())),
            _tokio: Some(tokio),
        }
    }

    pub(crate) fn async_std() -> Self {
        Self {
            runtime: Arc::new(AsyncStd::new()),
            _tokio: None,
        }
    }

    /// The runtime itself.
    pub(crate) fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    /// Connects to Node, as this side of the connection, with what `on` names there.
    #[track_caller]
    pub(crate) fn connect(&self, role: Role, node: &mut Peer, on: &str, ours: Arc<dyn FeedSource>) {
        self.connect_with(role, node, &json!({ "on": on }), ours, Config::default());
    }

    /// The same, with settings of ours and arguments for Node's command (`node/lib/net.js`).
    #[track_caller]
    pub(crate) fn connect_with(
        &self,
        role: Role,
        node: &mut Peer,
        theirs: &Value,
        ours: Arc<dyn FeedSource>,
        config: Config,
    ) {
        let runtime = self.runtime.clone();
        let local = "127.0.0.1:0".parse().expect("an address");
        let stream = self.wait("a connection", async {
            match role {
                Role::Initiator => {
                    let port = &node.ask("listen", theirs.clone())["port"];
                    let address = format!("127.0.0.1:{port}").parse().expect("an address");
                    runtime.connect_tcp(address).await
                }
                Role::Responder => {
                    let listener = runtime.listen_tcp(local).await?;
                    let port = listener.local_addr().port();
                    let mut theirs = theirs.clone();
                    theirs["port"] = port.into();
                    node.ask("dial", theirs);
                    listener.accept().await
                }
            }
        });
        let stream = stream.expect("the socket connects");
        self.runtime.spawn(Box::pin(async move {
            // The other side goes away when the test is over, which is no failure of it.
            let _ended = replicate(stream, role, ours, runtime, config).await;
        }));
    }

    /// Runs a future beside the connections.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(Box::pin(task));
    }

    /// Runs a future to its end, within the limit.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let late = async {
            self.runtime.sleep(LIMIT).await;
            None
        };
        let done = block_on(or(async { Some(future.await) }, late));
        done.unwrap_or_else(|| panic!("{what}: not after {LIMIT:?}"))
    }
}
