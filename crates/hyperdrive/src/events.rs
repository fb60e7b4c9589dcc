//! What happens to a drive, and messages about it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use hypercore::{FeedEvent, Mailbox, MailboxError};

use crate::Drive;

/// Something that happened to a drive.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DriveEvent {
    /// There is a newer version, made here or learnt from a peer.
    Updated {
        /// The version.
        version: u64,
    },
    /// A peer has the drive open.
    PeerAdded,
    /// A peer that had the drive open is gone.
    PeerRemoved,
    /// Something else happened to the log of paths: a block came or went, or was refused.
    Metadata(FeedEvent),
    /// Something else happened to the log of contents.
    Content(FeedEvent),
    /// The drive was closed. Nothing follows.
    Closed,
}

/// The events of a drive from the moment of the call on; made by [`Drive::events`]. A stream that
/// ends when the drive is closed.
///
/// At most 1024 events of each log wait to be taken. What is too much is counted by a
/// [`FeedEvent::Missed`].
#[must_use = "streams do nothing unless polled"]
pub struct DriveEvents {
    /// `None` at the end.
    events: Option<BoxStream<'static, DriveEvent>>,
}

impl Drive {
    /// Tells of what happens to the drive, not to those that are mounted in it: of newer versions,
    /// of peers and of blocks that come and go.
    ///
    /// Events of the content are told of if it is known already which log that is; ask for
    /// [`content`](Self::content) first to be sure.
    pub fn events(&self) -> DriveEvents {
        let metadata = self.metadata().events().map(|event| match event {
            FeedEvent::Appended { length } => DriveEvent::Updated { version: length },
            FeedEvent::PeerAdded => DriveEvent::PeerAdded,
            FeedEvent::PeerRemoved => DriveEvent::PeerRemoved,
            FeedEvent::Closed => DriveEvent::Closed,
            event => DriveEvent::Metadata(event),
        });
        let events = match self.content_now() {
            None => metadata.boxed(),
            Some(content) => {
                let content = content.events().map(DriveEvent::Content);
                futures_util::stream::select(metadata, content).boxed()
            }
        };
        DriveEvents {
            events: Some(events),
        }
    }

    /// Registers a name under which messages about the drive are exchanged with peers that
    /// registered it too, whatever program they run: an extension, as the reference calls it. The
    /// mailbox sends to one peer or to all, and receives; dropping it takes the name back.
    pub fn extension(&self, name: &str) -> Result<Mailbox, MailboxError> {
        self.metadata().mailbox(name)
    }
}

impl DriveEvents {
    /// The next event; `None` at the end. Cancel-safe.
    pub async fn next(&mut self) -> Option<DriveEvent> {
        StreamExt::next(self).await
    }
}

impl Stream for DriveEvents {
    type Item = DriveEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<DriveEvent>> {
        let Some(events) = &mut self.events else {
            return Poll::Ready(None);
        };
        let event = std::task::ready!(events.as_mut().poll_next(cx));
        if matches!(event, None | Some(DriveEvent::Closed)) {
            self.events = None;
        }
        Poll::Ready(event)
    }
}

impl fmt::Debug for DriveEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DriveEvents")
    }
}
