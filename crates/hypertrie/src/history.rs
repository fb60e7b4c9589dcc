use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::StreamExt;

use crate::loader::Loader;
use crate::{HistoryOptions, Node, Trie, TrieError};

/// The nodes of a trie in the order they were written, made by [`Trie::history`]; a stream as well.
///
/// Hidden keys are among them. Deletions leave no entry of their own: they write some other node
/// again, which is shown, or, when nothing remains, a mark that is passed over. Cancel-safe. After an
/// error that passes, it can be asked again.
#[derive(Debug)]
pub struct History {
    loader: Loader,
    /// What is left: seqs from `next` to before `end`.
    next: u64,
    end: u64,
    options: HistoryOptions,
}

impl History {
    pub(crate) fn open(trie: &Trie, options: HistoryOptions) -> Self {
        let loader = Loader::new(Arc::clone(trie.shared()));
        let next = options.from.max(1);
        Self {
            loader,
            next,
            end: options.to.min(trie.version()),
            options,
        }
    }

    /// The next node; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Node>, TrieError> {
        StreamExt::next(self).await.transpose()
    }

    fn poll_node(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Node>, TrieError>> {
        while self.next < self.end {
            let seq = if self.options.reverse {
                self.end - 1
            } else {
                self.next
            };
            let Some(node) = self.loader.get(seq)? else {
                self.look_ahead();
                ready!(self.loader.poll(cx))?;
                continue;
            };
            match self.options.reverse {
                true => self.end -= 1,
                false => self.next += 1,
            }
            if !node.is_reset() {
                return Poll::Ready(Ok(Some(node.to_node())));
            }
        }
        Poll::Ready(Ok(None))
    }

    fn look_ahead(&mut self) {
        let ahead = (self.end - self.next).min(self.options.prefetch as u64);
        for offset in 0..ahead {
            let seq = match self.options.reverse {
                true => self.end - 1 - offset,
                false => self.next + offset,
            };
            self.loader.prepare(seq);
        }
    }
}

impl Stream for History {
    type Item = Result<Node, TrieError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_node(cx).map(Result::transpose)
    }
}
