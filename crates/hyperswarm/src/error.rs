use hyperswarm_dht::{QueryError, ValueError};

/// Why an operation on a [`Node`](crate::Node) or [`Swarm`](crate::Swarm) brought nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The network did not do what was asked for.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The value cannot be stored by anyone. Nothing was sent.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The node has been closed.
    #[error("the node is closed")]
    Closed,
}
