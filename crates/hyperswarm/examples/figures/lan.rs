//! From an announcement to its discovery on a local network, which here is the loopback interface.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

use hypercore_runtime::Runtime;
use hyperswarm::{JoinOptions, Swarm, SwarmConfig, SwarmEvent};

use crate::{Done, median, quantile};

/// Both ways: who looks is there first and hears the announcement; and who announces is there first
/// and answers the question.
pub(crate) async fn measure(runtime: Arc<dyn Runtime>) -> Done {
    println!("| found on the local network, {TIMES} times | median | most |");
    println!("| --- | --- | --- |");
    for (name, looks_first) in [
        ("who looks is there first", true),
        ("who announces is", false),
    ] {
        let mut times = Vec::new();
        for round in 0..TIMES {
            let topic = [round; 32];
            let looker = swarm(&runtime).await?;
            let announcer = swarm(&runtime).await?;
            let events = looker.events();
            let look = JoinOptions {
                announce: false,
                lookup: true,
            };
            let announce = JoinOptions {
                announce: true,
                lookup: false,
            };
            let start;
            if looks_first {
                looker.join(topic, look);
                start = Instant::now();
                announcer.join(topic, announce);
            } else {
                announcer.join(topic, announce);
                start = Instant::now();
                looker.join(topic, look);
            }
            while !matches!(events.recv().await?, SwarmEvent::Found { .. }) {}
            times.push(1e3 * start.elapsed().as_secs_f64());
            looker.close().await;
            announcer.close().await;
        }
        let [median, most] = [median(&times), quantile(&times, 1.0)];
        println!("| {name} | {median:.1} ms | {most:.1} ms |");
    }
    println!();
    Ok(())
}

async fn swarm(runtime: &Arc<dyn Runtime>) -> std::io::Result<Swarm> {
    let mut config = SwarmConfig::default();
    config.listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    config.use_dht = false;
    Swarm::bind(runtime.clone(), config).await
}

const TIMES: u8 = 20;
