//! Networks of a test's own, apart from the machine's.

use std::process::Command;

/// A command in network and mount namespaces of its own, which end with it. Linux only.
pub fn in_namespaces() -> Command {
    let mut command = Command::new("unshare");
    // Ended with the first process, so that none of those that it started remains.
    command.args(["--user", "--map-root-user", "--net", "--mount"]);
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "--"]);
    command
}

/// Whether the kernel makes them here, with bridges and the rules of NATs.
pub fn namespaces_work() -> bool {
    let mut trial = in_namespaces();
    trial.args(["sh", "-c", "nft list ruleset && ip link add x type bridge"]);
    trial.output().is_ok_and(|output| output.status.success())
}
