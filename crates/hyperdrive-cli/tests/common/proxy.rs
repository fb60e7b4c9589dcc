//! A TCP proxy that counts what a server sends, and can break down.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A proxy before one address.
pub(crate) struct Proxy {
    pub(crate) address: String,
    sent: Arc<AtomicU64>,
}

impl Proxy {
    /// Passes everything on. After `limit` bytes from the server it closes the connection, and
    /// answers nobody any more.
    pub(crate) fn new(server: &str, limit: u64) -> Self {
        Self::start(server, limit, u64::MAX)
    }

    /// Passes on no more bytes from the server in a second.
    pub(crate) fn throttled(server: &str, bandwidth: u64) -> Self {
        Self::start(server, u64::MAX, bandwidth)
    }

    fn start(server: &str, limit: u64, bandwidth: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let sent = Arc::new(AtomicU64::new(0));
        let (counter, server) = (sent.clone(), server.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(upstream) = TcpStream::connect(&server) else {
                    return;
                };
                let requests = (client.try_clone(), upstream.try_clone());
                if let (Ok(from), Ok(to)) = requests {
                    thread::spawn(move || {
                        pass(from, to, &AtomicU64::new(0), u64::MAX, u64::MAX);
                    });
                }
                pass(upstream, client, &counter, limit, bandwidth);
                if counter.load(Ordering::SeqCst) >= limit {
                    return;
                }
            }
        });
        Self { address, sent }
    }

    /// How many bytes the server has sent through it.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, sent: &AtomicU64, limit: u64, bandwidth: u64) {
    let mut buffer = [0; 16 << 10];
    // When the bytes passed on so far are through, at that bandwidth.
    let mut through = Instant::now();
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let nanos = (count as u64).saturating_mul(1_000_000_000) / bandwidth;
        through = through.max(Instant::now()) + Duration::from_nanos(nanos);
        thread::sleep(through.saturating_duration_since(Instant::now()));
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
        if sent.fetch_add(count as u64, Ordering::SeqCst) + count as u64 >= limit {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
