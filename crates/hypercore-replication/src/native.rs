use std::sync::Arc;

use hypercore_protocol::Role;
use hypercore_runtime::{BoxFuture, NativeStream};

use crate::{Config, FeedSource, ReplicationError, Summary, replicate};

/// What can be replicated over a stream of tokio or async-std in one line: a log, a set of logs, a
/// store, and every other [`FeedSource`] that is cloned cheaply.
///
/// ```
/// use hypercore::Feed;
/// use hypercore_replication::{Replicate, Role};
///
/// # async fn _fetch(feed: &Feed) -> Result<(), Box<dyn std::error::Error>> {
/// let stream = tokio::net::TcpStream::connect("[::1]:7000").await?;
/// feed.replicate(stream, Role::Initiator).await?;
/// # Ok(())
/// # }
/// ```
pub trait Replicate {
    /// Replicates every log that there is over a stream, in both directions, until the stream ends: see
    /// [`replicate`](crate::replicate()). Dropping the future ends the connection; what was stored until
    /// then stays.
    fn replicate(
        &self,
        stream: impl NativeStream + 'static,
        role: Role,
    ) -> BoxFuture<'static, Result<Summary, ReplicationError>> {
        self.replicate_with(stream, role, Config::default())
    }

    /// The same, in another way than the default one.
    fn replicate_with(
        &self,
        stream: impl NativeStream + 'static,
        role: Role,
        config: Config,
    ) -> BoxFuture<'static, Result<Summary, ReplicationError>>;
}

impl<S: FeedSource + Clone + 'static> Replicate for S {
    fn replicate_with(
        &self,
        stream: impl NativeStream + 'static,
        role: Role,
        config: Config,
    ) -> BoxFuture<'static, Result<Summary, ReplicationError>> {
        let source = Arc::new(self.clone());
        Box::pin(async move {
            let (stream, runtime) = stream.adopt()?;
            replicate(stream, role, source, runtime, config).await
        })
    }
}
