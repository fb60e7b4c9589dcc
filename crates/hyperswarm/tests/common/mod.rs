//! What the tests on sockets share. They stay on loopback.
#![allow(dead_code, clippy::unwrap_used)]

use std::env;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{block_on, or};
use hypercore_runtime::{AsyncStd, Runtime, Tokio};
use hyperswarm::{Node, NodeConfig, Swarm, SwarmConfig};

pub(crate) mod lossy;
pub(crate) mod utp;

/// How long anything may take before the test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs a test on tokio.
pub(crate) fn on_tokio<F: Future<Output = ()>>(test: impl FnOnce(Arc<dyn Runtime>) -> F) {
    on_tokio_within(LIMIT, test);
}

/// Runs a test on tokio that has much to do, and may take longer on a machine that does much else.
pub(crate) fn on_tokio_within<F: Future<Output = ()>>(
    limit: Duration,
    test: impl FnOnce(Arc<dyn Runtime>) -> F,
) {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let runtime: Arc<dyn Runtime> = Arc::new(Tokio::new(tokio.handle().clone()));
    tokio.block_on(within(limit, runtime.clone(), test(runtime)));
}

/// Runs a test on async-std.
pub(crate) fn on_async_std<F: Future<Output = ()>>(test: impl FnOnce(Arc<dyn Runtime>) -> F) {
    let runtime: Arc<dyn Runtime> = Arc::new(AsyncStd::new());
    block_on(within(LIMIT, runtime.clone(), test(runtime)));
}

async fn within(limit: Duration, runtime: Arc<dyn Runtime>, test: impl Future<Output = ()>) {
    let late = async {
        runtime.sleep(limit).await;
        panic!("the test took longer than {limit:?}");
    };
    or(test, late).await;
}

/// A node that others can count on.
pub(crate) fn persistent(runtime: &Arc<dyn Runtime>, bootstrap: &[SocketAddrV4]) -> Node {
    node(runtime, bootstrap, false)
}

/// A node that keeps its id to itself.
pub(crate) fn ephemeral(runtime: &Arc<dyn Runtime>, bootstrap: &[SocketAddrV4]) -> Node {
    node(runtime, bootstrap, true)
}

fn node(runtime: &Arc<dyn Runtime>, bootstrap: &[SocketAddrV4], ephemeral: bool) -> Node {
    let mut config = NodeConfig::default();
    config.listen = loopback();
    config.dht.bootstrap = bootstrap.to_vec();
    config.dht.ephemeral = ephemeral;
    Node::bind(runtime.clone(), config).unwrap()
}

/// A swarm that finds peers through the DHT alone.
pub(crate) async fn swarm(runtime: &Arc<dyn Runtime>, bootstrap: &[SocketAddrV4]) -> Swarm {
    Swarm::bind(runtime.clone(), dht_only(bootstrap))
        .await
        .unwrap()
}

pub(crate) fn dht_only(bootstrap: &[SocketAddrV4]) -> SwarmConfig {
    let mut config = SwarmConfig::default();
    config.listen = loopback();
    config.dht.bootstrap = bootstrap.to_vec();
    config.use_lan = false;
    config
}

/// The program of an example.
pub(crate) fn example(name: &str) -> PathBuf {
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked", "--package", "hyperswarm"])
        .args(["--features", "utp", "--example", name])
        .status();
    assert!(built.unwrap().success(), "the example does not build");
    // This program lies in `target/debug/deps`, the other one beside that.
    let tests = env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples");
    program.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

pub(crate) fn loopback() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)
}
