//! Lines that another process writes, as they come.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use crate::LIMIT;

/// The lines of one stream, read by a thread so that waiting for them can end.
#[derive(Debug)]
pub(crate) struct Lines {
    receiver: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Lines {
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream
                .read_until(b'\n', &mut line)
                .is_ok_and(|bytes| bytes > 0)
            {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    break;
                }
            }
        });
        Self {
            receiver,
            seen: Vec::new(),
        }
    }

    /// The next line, without its end; `None` when the stream has ended.
    ///
    /// # Panics
    ///
    /// When neither happens before `deadline`.
    #[track_caller]
    pub(crate) fn next(&mut self, deadline: Instant) -> Option<String> {
        let next = self.next_before(deadline);
        next.unwrap_or_else(|| panic!("nothing came in {LIMIT:?}; before it:\n{}", self.seen()))
    }

    /// As [`next`](Self::next), where neither need happen: `None` if the deadline passed.
    #[allow(clippy::option_option, reason = "too late, the end, or a line")]
    pub(crate) fn next_before(&mut self, deadline: Instant) -> Option<Option<String>> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.receiver.recv_timeout(left) {
            Ok(line) => {
                self.seen.extend_from_slice(&line);
                let text = String::from_utf8_lossy(&line);
                Some(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
            Err(RecvTimeoutError::Disconnected) => Some(None),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    /// Everything until the stream ends, with what has been seen before.
    #[track_caller]
    pub(crate) fn rest(mut self, deadline: Instant) -> Vec<u8> {
        while self.next(deadline).is_some() {}
        self.seen
    }

    /// What has been seen so far.
    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}
