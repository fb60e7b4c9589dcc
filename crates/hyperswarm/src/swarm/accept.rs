use std::sync::Arc;
use std::time::Duration;

use hypercore_runtime::TcpListener;

use super::Inner;
use super::connection::plain;
use crate::{Carrier, Side};

/// Lets in who dials over TCP, as far as there is room.
pub(super) async fn tcp(inner: Arc<Inner>, listener: TcpListener) {
    loop {
        let Ok(stream) = listener.accept().await else {
            // The peer left already, or descriptors ran out; the latter takes a while to pass.
            inner.runtime.sleep(PAUSE).await;
            continue;
        };
        let remote = plain(stream.peer_addr());
        let is_let_in = inner.state().peers.accept(remote.ip());
        if is_let_in {
            let leg = (Carrier::Tcp, Side::Accepted);
            inner.connected(Box::new(stream), leg, remote, None);
        }
    }
}

/// Pause after an error of the listener.
const PAUSE: Duration = Duration::from_millis(100);
