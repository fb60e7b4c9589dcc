use super::change::tell;
use crate::args::{Global, Mount, Unmount};
use crate::client::task;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;

pub(crate) async fn mount(
    args: Mount,
    global: Global,
    mut signals: Signals,
) -> Result<Exit, Failure> {
    let (link, other) = (&args.link.link, &args.other);
    if other.path() != "/" {
        let failure = Failure::new(Exit::Usage, "a drive is mounted as a whole");
        return Err(failure.hint("leave out the path behind the other link's key"));
    }
    let mounted = task::mount(&global, link, other);
    tell(signals.unless_asked(mounted).await?, args.json)
}

pub(crate) async fn unmount(
    args: Unmount,
    global: Global,
    mut signals: Signals,
) -> Result<Exit, Failure> {
    let link = &args.link.link;
    let unmounted = task::unmount(&global, link);
    tell(signals.unless_asked(unmounted).await?, args.json)
}
