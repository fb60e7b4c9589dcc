//! One of our DHT nodes on a loopback socket, in a thread of its own.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyperswarm_dht::{Config, Dht, Event, Id, QueryId, Timestamp};
use interop::LIMIT;

type Order = Box<dyn FnOnce(&mut Dht, Timestamp) + Send>;

pub(crate) struct DhtNode {
    pub(crate) address: SocketAddrV4,
    pub(crate) id: Id,
    orders: Option<Sender<Order>>,
    events: Receiver<Event>,
    thread: Option<JoinHandle<()>>,
}

impl DhtNode {
    /// A node that knows the given ones, and has done its first walk.
    #[track_caller]
    pub(crate) fn start(seed: u8, bootstrap: &[SocketAddrV4], ephemeral: bool) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let mut config = Config::default();
        config.ephemeral = ephemeral;
        config.bootstrap = bootstrap.to_vec();
        let dht = Dht::new(config, [seed; 32], Timestamp::default());
        let id = dht.id();
        let (orders, inbox) = channel();
        let (outbox, events) = channel();
        let thread = std::thread::spawn(move || run(&socket, dht, &inbox, &outbox));
        let node = Self {
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port),
            id,
            orders: Some(orders),
            events,
            thread: Some(thread),
        };
        node.finish(|dht, now| dht.bootstrap(now));
        node
    }

    /// Lets the node do something, and returns what came of it.
    #[track_caller]
    pub(crate) fn act<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Dht, Timestamp) -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = channel();
        let order: Order = Box::new(move |dht, now| {
            let _asker_is_gone = sender.send(what(dht, now));
        });
        self.orders.as_ref().unwrap().send(order).unwrap();
        receiver.recv_timeout(LIMIT).unwrap()
    }

    /// Starts an operation, waits for its end and returns its events.
    #[track_caller]
    pub(crate) fn finish(
        &self,
        what: impl FnOnce(&mut Dht, Timestamp) -> QueryId + Send + 'static,
    ) -> Vec<Event> {
        let query = self.act(what);
        let mut seen = Vec::new();
        loop {
            let event = self.events.recv_timeout(LIMIT).unwrap();
            let is_end = matches!(&event, Event::Done { query: it, .. } if *it == query);
            seen.push(event);
            if is_end {
                return seen;
            }
        }
    }
}

impl Drop for DhtNode {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Drives the node until nobody gives orders any more.
fn run(socket: &UdpSocket, mut dht: Dht, orders: &Receiver<Order>, events: &Sender<Event>) {
    use std::sync::mpsc::TryRecvError;
    let start = Instant::now();
    let mut buffer = [0; 4096];
    loop {
        let now = Timestamp::from(start.elapsed());
        match orders.try_recv() {
            Ok(order) => order(&mut dht, now),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return,
        }
        dht.handle_timeout(now);
        while let Some(transmit) = dht.poll_transmit() {
            socket.send_to(&transmit.bytes, transmit.to).unwrap();
        }
        while let Some(event) = dht.poll_event() {
            let _test_is_over = events.send(event);
        }
        socket
            .set_read_timeout(Some(Duration::from_millis(2)))
            .unwrap();
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let now = Timestamp::from(start.elapsed());
            dht.handle_datagram(now, from, &buffer[..length]);
        }
    }
}
