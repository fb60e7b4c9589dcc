//! Programs that some tests need, and the packages that bring them.

use std::process::{Command, Stdio};

use crate::run;

/// Whether a program can be run.
pub(crate) fn answers(program: &str) -> bool {
    knows(program, "--version")
}

fn knows(program: &str, flag: &str) -> bool {
    Command::new(program)
        .arg(flag)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// In CI, where nothing may be left out, installs Debian packages. What fails here shows in the
/// question that the caller asks next.
pub(crate) fn install(packages: &[&str]) {
    if !run::in_ci() || !answers("apt-get") {
        return;
    }
    run::announce(&format!("apt-get install {}", packages.join(" ")));
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()
    };
    if apt(&["update", "-q"]).is_ok() {
        let _shown_by_the_next_question = apt(&[&["install", "-y", "-q"], packages].concat());
    }
}

/// What makes networks with NATs on one machine; the test that needs it tells when it is missing.
pub(crate) fn prepare_networks() {
    if cfg!(target_os = "linux") && !(answers("nft") && knows("ip", "-V")) {
        install(&["nftables", "iproute2"]);
    }
}
