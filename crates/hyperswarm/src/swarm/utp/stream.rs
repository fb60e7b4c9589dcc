use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::future::{or, zip};
use hypercore_runtime::Runtime;
use librqbit_utp::{UtpStream, UtpStreamReadHalf, UtpStreamWriteHalf};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

/// A stream under the traits of `futures-io`.
///
/// What is written is on its way at once. Closing waits until all of it has arrived, so that a
/// program may end after that; then the other end is told. Dropping does the same in the background.
pub(super) struct Stream {
    /// `None` once it is dropped.
    reader: Option<UtpStreamReadHalf>,
    /// `None` once it is closed.
    writer: Option<UtpStreamWriteHalf>,
    runtime: Arc<dyn Runtime>,
}

impl Stream {
    pub(super) fn new(stream: UtpStream, runtime: Arc<dyn Runtime>) -> Self {
        let (reader, writer) = stream.split();
        Self {
            reader: Some(reader),
            writer: Some(writer),
            runtime,
        }
    }

    fn writer(&mut self) -> io::Result<Pin<&mut UtpStreamWriteHalf>> {
        self.writer.as_mut().map(Pin::new).ok_or_else(closed)
    }
}

impl Drop for Stream {
    /// Hears the other end out for a while, which otherwise learns that there is no room for what it
    /// says: not even for its end, which the reference then keeps back for a second.
    fn drop(&mut self) {
        let Some(mut reader) = self.reader.take() else {
            return;
        };
        let mut writer = self.writer.take();
        let said = poll_fn(move |cx| poll_close(&mut writer, cx));
        let heard = poll_fn(move |cx| {
            let mut bytes = [0; 4096];
            while ready!(poll_read(&mut reader, cx, &mut bytes)).is_ok_and(|read| read > 0) {}
            Poll::Ready(())
        });
        let ended = async {
            let _ = zip(said, heard).await;
        };
        self.runtime
            .spawn(Box::pin(or(ended, self.runtime.sleep(LINGER))));
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let reader = self.reader.as_mut().ok_or_else(closed)?;
        poll_read(reader, cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut writer = self.writer()?;
        let mut written = 0;
        // The crate would wait for room for nothing.
        for buf in bufs.iter().filter(|buf| !buf.is_empty()) {
            match writer.as_mut().poll_write(cx, buf) {
                Poll::Ready(Ok(bytes)) => {
                    written += bytes;
                    if bytes < buf.len() {
                        break;
                    }
                }
                // An error comes again with the next write.
                _ if written > 0 => break,
                result => return result,
            }
        }
        Poll::Ready(Ok(written))
    }

    /// The crate's own waits until everything has arrived, which costs a round trip.
    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer()?;
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_close(&mut self.writer, cx)
    }
}

fn poll_read(
    reader: &mut UtpStreamReadHalf,
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buf = ReadBuf::new(buf);
    ready!(Pin::new(reader).poll_read(cx, &mut buf))?;
    Poll::Ready(Ok(buf.filled().len()))
}

fn poll_close(
    writer: &mut Option<UtpStreamWriteHalf>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    if let Some(open) = writer {
        ready!(Pin::new(&mut *open).poll_flush(cx))?;
        // It notes that this half has ended and then waits for the other half to. The note is read
        // when the writer is dropped.
        let _ = Pin::new(open).poll_shutdown(cx);
        *writer = None;
    }
    Poll::Ready(Ok(()))
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the stream is closed")
}

/// How long a stream that was dropped hears the other end out.
const LINGER: Duration = Duration::from_secs(10);
