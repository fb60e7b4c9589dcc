use crate::args::{Clear, Global, Keep};
use crate::client::task;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, count, size};
use crate::signals::Signals;

pub(crate) async fn keep(
    args: Keep,
    global: Global,
    mut signals: Signals,
) -> Result<Exit, Failure> {
    let kept = task::keep(&global, &args.link.link, &args.reach);
    let kept = signals.unless_asked(kept).await?;
    let mut out = Output::stdout();
    if args.json.json {
        out.json(&kept)?;
    } else {
        let (files, bytes) = (count(kept.files, "file"), kept.bytes);
        out.line(&format!(
            "{bytes} bytes ({}) in {files} are held",
            size(bytes)
        ))?;
    }
    out.finish()?;
    Ok(Exit::Ok)
}

pub(crate) async fn clear(
    args: Clear,
    global: Global,
    mut signals: Signals,
) -> Result<Exit, Failure> {
    let cleared = task::clear(&global, &args.link.link, args.force);
    let cleared = signals.unless_asked(cleared).await?;
    let mut out = Output::stdout();
    if args.json.json {
        out.json(&cleared)?;
    } else {
        let bytes = cleared.bytes;
        out.line(&format!("{bytes} bytes ({}) are free", size(bytes)))?;
        if cleared.kept_blocks > 0 {
            let bytes = cleared.kept_bytes;
            let stay = format!("{bytes} bytes ({}) stay", size(bytes));
            out.line(&format!("{stay}: other files or versions have them too"))?;
        }
    }
    out.finish()?;
    Ok(Exit::Ok)
}
