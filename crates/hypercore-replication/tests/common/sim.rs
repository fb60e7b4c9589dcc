//! Connections of the driver itself, on the simulated network.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::future::or;
use hypercore::Feed;
use hypercore_protocol::{Role, Timestamp};
use hypercore_replication::{Config, FeedSet, replicate};
use hypercore_runtime::{BoxFuture, Runtime, TcpStream};
use testkit::SimRuntime;

use super::End;

/// The port of every host.
const PORT: u16 = 1000;

/// Serves logs to whoever connects.
pub fn serve(host: &Arc<SimRuntime>, feeds: &[&Feed]) {
    let source = Arc::new(FeedSet::from_iter(feeds.iter().map(|feed| (*feed).clone())));
    let runtime = host.clone();
    accept(host, move |stream| {
        let (source, runtime) = (source.clone(), runtime.clone());
        Box::pin(async move {
            let config = Config::default();
            let _ended = replicate(stream, Role::Responder, source, runtime, config).await;
        })
    });
}

/// Lets whoever connects talk to an end of a test.
pub fn serve_end<E: End + Send + 'static>(
    host: &Arc<SimRuntime>,
    end: impl Fn(Timestamp) -> E + Send + Sync + 'static,
) {
    let runtime = host.clone();
    accept(host, move |stream| {
        let end = end(Timestamp::from_start(runtime.now()));
        Box::pin(drive(runtime.clone(), stream, end))
    });
}

fn accept(
    host: &Arc<SimRuntime>,
    handle: impl Fn(TcpStream) -> BoxFuture<'static, ()> + Send + 'static,
) {
    let runtime = host.clone();
    host.spawn(Box::pin(async move {
        let listener = runtime
            .listen_tcp(([0, 0, 0, 0], PORT).into())
            .await
            .unwrap();
        while let Ok(stream) = listener.accept().await {
            runtime.spawn(handle(stream));
        }
    }));
}

/// Keeps connecting to another host, to replicate logs with it, until it was at fault.
pub fn keep_dialling(host: &Arc<SimRuntime>, to: &Arc<SimRuntime>, feeds: &[&Feed]) {
    let source = Arc::new(FeedSet::from_iter(feeds.iter().map(|feed| (*feed).clone())));
    let (runtime, to) = (host.clone(), (to.ip(), PORT).into());
    host.spawn(Box::pin(async move {
        loop {
            if let Ok(stream) = runtime.connect_tcp(to).await {
                let (source, clock) = (source.clone(), runtime.clone());
                let config = Config::default();
                let ended = replicate(stream, Role::Initiator, source, clock, config).await;
                if let Err(hypercore_replication::ReplicationError::Faults { .. }) = ended {
                    return;
                }
            }
            runtime.sleep(Duration::from_millis(200)).await;
        }
    }));
}

/// Carries one end of a test over a stream until that ends.
async fn drive(runtime: Arc<SimRuntime>, mut stream: TcpStream, mut end: impl End) {
    let mut output = bytes::Bytes::new();
    let mut input = vec![0; 16 << 10];
    loop {
        let now = || Timestamp::from_start(runtime.now());
        end.tick(now());
        let wait = end.timeout().map(|at| at.saturating_since(now()));
        let step = poll_fn(|cx| {
            loop {
                if output.is_empty() {
                    output = end.transmit().unwrap_or_default();
                }
                if output.is_empty() {
                    break;
                }
                match Pin::new(&mut stream).poll_write(cx, &output) {
                    Poll::Ready(Ok(written)) => drop(output.split_to(written)),
                    Poll::Ready(Err(_)) => return Poll::Ready(Some(0)),
                    Poll::Pending => break,
                }
            }
            let read = Pin::new(&mut stream).poll_read(cx, &mut input);
            read.map(|read| Some(read.unwrap_or(0)))
        });
        let late = async {
            match wait {
                Some(wait) => runtime.sleep(wait).await,
                None => std::future::pending().await,
            }
            None
        };
        match or(step, late).await {
            Some(0) => return,
            Some(read) => end.input(now(), &input[..read]),
            None => {}
        }
    }
}
