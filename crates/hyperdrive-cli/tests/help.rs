//! `--help` works everywhere, and the exit statuses are told.

mod common;

use common::run;

const COMMANDS: [&str; 8] = [
    "share", "clone", "ls", "cat", "stat", "seed", "info", "destroy",
];

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in COMMANDS {
        let help = run([command, "--help"]).expect(0).text();
        assert!(help.contains("Usage: hyperdrive"), "{command}:\n{help}");
        assert!(help.contains("Examples:"), "{command}:\n{help}");
        assert!(help.contains("--storage"), "{command}:\n{help}");
        for option in ["--no-swarm", "--no-lan", "--bootstrap", "--mainline"] {
            assert!(help.contains(option), "{command}:\n{help}");
        }
        run([command, "-h"]).expect(0);
    }
}

#[test]
fn the_readers_take_peers_and_a_timeout() {
    for command in ["clone", "ls", "cat", "stat", "info"] {
        let help = run([command, "--help"]).expect(0).text();
        assert!(help.contains("--peer <HOST:PORT>"), "{command}:\n{help}");
        assert!(help.contains("[default: 20]"), "{command}:\n{help}");
    }
}

#[test]
fn the_first_help_lists_the_commands_and_the_long_one_the_statuses() {
    let short = run(["-h"]).expect(0).text();
    for command in COMMANDS {
        assert!(
            short.contains(&format!("\n  {command} ")),
            "{command}:\n{short}"
        );
    }
    let long = run(["--help"]).expect(0).text();
    assert!(long.contains("Exit status:\n    0  done\n"), "{long}");
    assert!(long.contains("\n  130  ended by SIGINT\n"), "{long}");
}
