use crate::args::{DhtNode, Global};
use crate::client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;

pub(crate) async fn run(
    args: DhtNode,
    global: Global,
    mut signals: Signals,
) -> Result<Exit, Failure> {
    let node = client::DhtNode::start(&global, args.listen).await?;
    eprintln!("listening on {}", node.address());
    let ended = signals.unless_asked(std::future::pending()).await;
    node.end().await;
    ended
}
