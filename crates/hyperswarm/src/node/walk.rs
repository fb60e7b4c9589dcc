use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_channel::Receiver;
use futures_core::Stream;
use hyperswarm_dht::{Event, FoundPeers, QueryId, Summary};

use super::Inner;
use crate::NodeError;

/// A walk through the DHT under way: a stream of the peers that nodes tell of, one item for each
/// node that knows some.
///
/// Dropping it ends the walk.
pub struct Walk {
    inner: Arc<Inner>,
    /// What is going on; `None` once it is over.
    running: Option<(QueryId, Pin<Box<Receiver<Event>>>)>,
    result: Result<Summary, NodeError>,
}

impl Walk {
    pub(super) fn begun(inner: Arc<Inner>, query: QueryId, events: Receiver<Event>) -> Self {
        Self {
            inner,
            running: Some((query, Box::pin(events))),
            // Holds if the events end before the operation does.
            result: Err(NodeError::Closed),
        }
    }

    pub(super) fn ended(inner: Arc<Inner>, error: NodeError) -> Self {
        Self {
            inner,
            running: None,
            result: Err(error),
        }
    }

    /// What the next node tells; `None` when the walk is over. Cancel-safe.
    pub async fn next(&mut self) -> Option<FoundPeers> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Waits for the end and says how it went. What nodes tell until then is skipped.
    pub async fn finish(mut self) -> Result<Summary, NodeError> {
        while self.event().await.is_some() {}
        std::mem::replace(&mut self.result, Err(NodeError::Closed))
    }

    /// The next event before the last one; `None` when the walk is over.
    pub(super) async fn event(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Some((_, events)) = &mut self.running else {
            return Poll::Ready(None);
        };
        match ready!(events.as_mut().poll_next(cx)) {
            Some(Event::Done { result, .. }) => {
                self.running = None;
                self.result = result.map_err(NodeError::Query);
                Poll::Ready(None)
            }
            None => {
                self.running = None;
                Poll::Ready(None)
            }
            event => Poll::Ready(event),
        }
    }
}

impl Stream for Walk {
    type Item = FoundPeers;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<FoundPeers>> {
        loop {
            match ready!(self.poll_event(cx)) {
                Some(Event::Peers { peers, .. }) => return Poll::Ready(Some(peers)),
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        if let Some((query, _)) = &self.running {
            let mut state = self.inner.state();
            if state.walks.remove(query).is_some() {
                state.dht.cancel(*query);
            }
        }
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk")
            .field("is_over", &self.running.is_none())
            .finish_non_exhaustive()
    }
}
