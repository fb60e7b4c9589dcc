//! Two peers on async-std: one says which blocks it has, the other listens.
//!
//! `cargo run -p hypercore-protocol --example on_async_std`
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // an example has a clock and sockets

use std::error::Error;
use std::future::pending;
use std::net::Shutdown;
use std::time::Instant;

use async_std::io::{ReadExt, WriteExt};
use async_std::net::{TcpListener, TcpStream};
use async_std::task::sleep;
use futures_lite::future::{or, try_zip};
use hypercore_crypto::KeyPair;
use hypercore_protocol::{
    Config, Connection, Event, Have, Message, Role, Secrets, Timestamp, Want,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Carries one connection until `on_event` says that it is done, or the remote ends it.
async fn drive(
    mut stream: TcpStream,
    mut connection: Connection,
    start: Instant,
    mut on_event: impl FnMut(&mut Connection, Event) -> Result<bool>,
) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut done = false;
    loop {
        while let Some(event) = connection.poll_event() {
            done |= on_event(&mut connection, event)?;
        }
        while let Some(bytes) = connection.poll_transmit() {
            stream.write_all(&bytes).await?;
        }
        if done {
            return Ok(stream.shutdown(Shutdown::Write)?);
        }
        let timeout = connection.poll_timeout();
        let timer = async {
            match timeout {
                Some(at) => sleep(at.since_start().saturating_sub(start.elapsed())).await,
                None => pending().await,
            }
            Ok(None)
        };
        let read = async { stream.read(&mut buffer).await.map(Some) };
        let received = or(read, timer).await?;
        let now = Timestamp::from_start(start.elapsed());
        match received {
            Some(0) => return Ok(()),
            Some(length) => connection.handle_input(now, &buffer[..length])?,
            None => connection.handle_timeout(now)?,
        }
    }
}

/// Runs both peers on a loopback connection.
pub(crate) fn main() -> Result<()> {
    async_std::task::block_on(run())
}

async fn run() -> Result<()> {
    let start = Instant::now();
    let key = KeyPair::from_seed(&[7; 32]).public;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let dialled = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;
    let connection = |role| -> Result<Connection> {
        let mut connection =
            Connection::new(role, secrets()?, Config::default(), Timestamp::default());
        connection.open(&key)?;
        Ok(connection)
    };

    let writer = drive(
        accepted,
        connection(Role::Responder)?,
        start,
        |connection, event| {
            if let Event::Message(channel, Message::Want(_)) = event {
                connection.send(channel, Message::Have(Have::range(0, 5)))?;
            }
            Ok(false)
        },
    );
    let reader = drive(
        dialled,
        connection(Role::Initiator)?,
        start,
        |connection, event| {
            match event {
                Event::Opened(channel) => {
                    connection.send(
                        channel,
                        Message::Want(Want {
                            start: 0,
                            length: 1 << 20,
                        }),
                    )?;
                }
                Event::Message(_, Message::Have(have)) => {
                    println!("the peer has {} blocks from {}", have.length, have.start);
                    return Ok(true);
                }
                _ => {}
            }
            Ok(false)
        },
    );
    try_zip(writer, reader).await?;
    Ok(())
}

fn secrets() -> Result<Secrets> {
    let mut secrets = Secrets {
        static_key: [0; 32],
        ephemeral_key: [0; 32],
        nonce: [0; 24],
    };
    getrandom::fill(&mut secrets.static_key)?;
    getrandom::fill(&mut secrets.ephemeral_key)?;
    getrandom::fill(&mut secrets.nonce)?;
    Ok(secrets)
}
