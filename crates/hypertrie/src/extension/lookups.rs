use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use futures_core::future::BoxFuture;
use futures_util::future::{AbortHandle, Abortable};
use hypercore::{Download, Feed, Mailbox};

use super::{MAX_HINTS, Message, NAME, answer};
use crate::trie::Shared;
use crate::{Trie, TrieError};

/// Lookups over the network for one trie, made by [`Trie::lookups`]: a future to be run beside
/// whatever replicates the log.
///
/// While it runs, peers that look keys up or list are told which blocks they will come by, and our
/// own lookups are helped in the same way, so that they take a few round trips instead of one for
/// each block. It ends when the log is closed or the last handle on the trie is gone; dropping it
/// does no harm but to speed.
#[must_use = "nothing is exchanged unless it is polled"]
pub struct Lookups {
    task: Abortable<BoxFuture<'static, ()>>,
}

impl Trie {
    /// Exchanges lookups with the peers of the log for as long as the future runs. There can be one
    /// for each log: others are [`TrieError::Mailbox`].
    pub fn lookups(&self) -> Result<Lookups, TrieError> {
        let shared = self.shared();
        let mailbox = Arc::new(shared.feed.mailbox(NAME)?);
        let (abort, registration) = AbortHandle::new_pair();
        shared.questions.begin(&mailbox, abort);
        let task: BoxFuture<'static, ()> = Box::pin(run(mailbox, Arc::downgrade(shared)));
        Ok(Lookups {
            task: Abortable::new(task, registration),
        })
    }
}

impl Future for Lookups {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.task).poll(cx).map(drop)
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}

/// What a trie asks its peers.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    mailbox: Weak<Mailbox>,
    /// Ends the future that exchanges lookups.
    abort: Option<AbortHandle>,
    /// How many hints may still be taken for what was asked.
    credit: usize,
}

impl Questions {
    fn begin(&self, mailbox: &Arc<Mailbox>, abort: AbortHandle) {
        *self.state() = State {
            mailbox: Arc::downgrade(mailbox),
            abort: Some(abort),
            credit: 0,
        };
    }

    /// Asks everybody who may know. False if nobody does.
    pub(crate) fn ask(&self, question: &Message) -> bool {
        let mut state = self.state();
        let Some(mailbox) = state.mailbox.upgrade() else {
            return false;
        };
        let asked = mailbox.broadcast(question.encode());
        let asked = asked.is_ok_and(|peers| peers > 0);
        if asked {
            state.credit = MAX_HINTS;
        }
        asked
    }

    /// How many of `wanted` hints may be taken.
    fn spend(&self, wanted: usize) -> usize {
        let mut state = self.state();
        let spent = state.credit.min(wanted);
        state.credit -= spent;
        spent
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        if let Some(abort) = &self.state().abort {
            abort.abort();
        }
    }
}

async fn run(mailbox: Arc<Mailbox>, trie: Weak<Shared>) {
    let mut hinted = Hinted::default();
    loop {
        let mail = {
            let mut receive = pin!(mailbox.receive());
            poll_fn(|cx| {
                hinted.poll(cx);
                receive.as_mut().poll(cx)
            })
            .await
        };
        let (Some((peer, message)), Some(trie)) = (mail, trie.upgrade()) else {
            return;
        };
        match Message::decode(&message) {
            Some(Message::Hints(hints)) => hinted.take(&trie, hints),
            Some(question) => {
                for message in Message::hints(&answer(&trie, &question)) {
                    // Who does not take its answers gets none.
                    if mailbox.send(peer, message).is_err() {
                        break;
                    }
                }
            }
            None => {}
        }
        drop(trie);
        others_first().await;
    }
}

/// Blocks that peers hinted at and that are on their way.
#[derive(Debug, Default)]
struct Hinted {
    downloads: VecDeque<(Download, usize)>,
    blocks: usize,
}

impl Hinted {
    /// Fetches what peers hint at, as far as it was asked for. Hints prove nothing: what they lead to
    /// is only ever fetched ahead.
    fn take(&mut self, trie: &Shared, hints: Vec<u64>) {
        let feed: &Feed = &trie.feed;
        let length = feed.length();
        let wanted = |seq: &u64| (1..length).contains(seq) && !feed.has(*seq);
        let mut blocks: Vec<_> = hints.into_iter().filter(wanted).collect();
        blocks.truncate(trie.questions.spend(blocks.len()));
        if blocks.is_empty() {
            return;
        }
        let count = blocks.len();
        self.downloads
            .push_back((feed.download_blocks(blocks), count));
        self.blocks += count;
        // What was hinted at long ago and did not come is given up for what is wanted now.
        while self.blocks > MAX_HINTS || self.downloads.len() > MAX_DOWNLOADS {
            let Some((_, count)) = self.downloads.pop_front() else {
                break;
            };
            self.blocks -= count;
        }
    }

    /// Forgets what has arrived.
    fn poll(&mut self, cx: &mut Context<'_>) {
        let blocks = &mut self.blocks;
        self.downloads.retain_mut(|(download, count)| {
            let arrived = Pin::new(download).poll(cx).is_ready();
            if arrived {
                *blocks -= *count;
            }
            !arrived
        });
    }
}

/// Lets other tasks of the executor run: whoever asks without end shall not hold them up.
async fn others_first() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// How many messages full of hints are worked on at once.
const MAX_DOWNLOADS: usize = 64;
