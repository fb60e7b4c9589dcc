//! What each workload is to reach, beside Node in the same run.

/// Which way a metric is good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Good {
    High,
    Low,
}

/// A metric that stands in the table.
pub(super) struct Metric {
    pub(super) workload: &'static str,
    pub(super) name: &'static str,
    pub(super) good: Good,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// So many times better than Node.
    Times(f64),
    /// Not more than this, whatever Node does.
    AtMost(f64),
    /// What Node has, to the last digit.
    Same,
}

/// A target, and the case that it is for.
pub(super) struct Goal {
    pub(super) workload: &'static str,
    pub(super) params: &'static [&'static str],
    pub(super) metric: &'static str,
    pub(super) target: Target,
}

/// The data that blocks are cut from lies in the memory of who appends them; it is not the log's.
const POOL_MIB: f64 = 16.0;

use Good::{High, Low};
use Target::{AtMost, Same, Times};

/// What is shown of each workload, in this order.
pub(super) const METRICS: &[Metric] = &[
    shown("w1", "blocks_per_s", High),
    shown("w1", "cpu_us_per_block", Low),
    shown("w1", "seen_rss_mib", Low),
    shown("w2", "gets_per_s", High),
    shown("w2", "cpu_us_per_get", Low),
    shown("w3-fetch", "mib_per_s", High),
    shown("w3-fetch", "both_cpu_s", Low),
    shown("w3-fetch", "proxy_overhead_pct", Low),
    shown("w3-fetch", "seen_rss_mib", Low),
    shown("w3-fetch", "server_seen_rss_mib", Low),
    shown("w3-range", "proxy_bytes_down", Low),
    shown("w4-build", "puts_per_s", High),
    shown("w4-build", "bytes_per_entry", Low),
    shown("w4-read", "gets_per_s", High),
    shown("w4-read", "iterate_per_s", High),
    shown("w4-read", "readdir_per_s", High),
    shown("w4-read", "blocks_per_get", Low),
    shown("w4-build", "seen_rss_mib", Low),
    shown("w4-read", "seen_rss_mib", Low),
    shown("w4-fetch", "get_ms", Low),
    shown("w4-fetch", "get_rtts", Low),
    shown("w4-fetch", "diff_ms", Low),
    shown("w4-fetch", "diff_rtts", Low),
    shown("w4-fetch", "proxy_bytes_down", Low),
    shown("w5-import-small", "files_per_s", High),
    shown("w5-import-bulk", "files_per_s", High),
    shown("w5-read-small", "files_per_s", High),
    shown("w5-import-large", "mib_per_s", High),
    shown("w5-read-large", "mib_per_s", High),
    shown("w5-read-large", "ranges_per_s", High),
    shown("w6-fetch", "ttfb_ms", Low),
    shown("w6-fetch", "ttfb_rtts", Low),
    shown("w6-fetch", "proxy_bytes_down", Low),
    shown("w6-fetch", "list_ms", Low),
    shown("w6-fetch", "sync_s", Low),
    shown("w6-fetch", "seen_rss_mib", Low),
    shown("w7-open-store", "open_all_ms", Low),
    shown("w7-open-store", "kib_per_core", Low),
    shown("w7-open-store", "seen_fds", Low),
    shown("w7-list-store", "list_ms", Low),
    shown("w7-list-store", "rss_mib", Low),
    shown("w7-open-big", "open_to_first_get_ms", Low),
    shown("w7-open-big", "rss_delta_mib", Low),
];

/// The targets of the log and the wire, and those of the trie and the drive that come with figures.
pub(super) const GOALS: &[Goal] = &[
    goal(
        "w1",
        &["storage=disk", "batch=1", "block=64"],
        "blocks_per_s",
        Times(8.0),
    ),
    goal(
        "w1",
        &["storage=disk", "batch=1", "block=1024"],
        "blocks_per_s",
        Times(8.0),
    ),
    goal(
        "w1",
        &["storage=disk", "batch=1", "block=65536"],
        "blocks_per_s",
        Times(3.0),
    ),
    goal(
        "w1",
        &["storage=disk", "batch=1000", "block=64"],
        "blocks_per_s",
        Times(6.0),
    ),
    goal(
        "w1",
        &["storage=disk", "batch=1000", "block=1024"],
        "blocks_per_s",
        Times(4.0),
    ),
    goal(
        "w1",
        &["storage=disk", "batch=1000", "block=65536"],
        "blocks_per_s",
        Times(1.5),
    ),
    goal(
        "w1",
        &["storage=ram", "batch=1", "block=1024"],
        "blocks_per_s",
        Times(1.7),
    ),
    goal(
        "w1",
        &["storage=ram", "batch=1000", "block=64"],
        "blocks_per_s",
        Times(8.0),
    ),
    goal(
        "w1",
        &["storage=ram", "batch=1000", "block=1024"],
        "blocks_per_s",
        Times(6.0),
    ),
    goal(
        "w1",
        &["storage=ram", "batch=1000", "block=65536"],
        "blocks_per_s",
        Times(4.0),
    ),
    goal(
        "w1",
        &["storage=disk", "batch=1"],
        "seen_rss_mib",
        AtMost(POOL_MIB + 16.1),
    ),
    goal(
        "w1",
        &["storage=disk", "batch=1000", "block=64"],
        "seen_rss_mib",
        AtMost(POOL_MIB + 16.1),
    ),
    goal(
        "w1",
        &["storage=disk", "batch=1000", "block=1024"],
        "seen_rss_mib",
        AtMost(POOL_MIB + 17.0),
    ),
    goal(
        "w1",
        &["storage=disk", "batch=1000", "block=65536"],
        "seen_rss_mib",
        AtMost(POOL_MIB + 78.5),
    ),
    goal("w2", &["concurrency=1"], "gets_per_s", Times(60.0)),
    goal("w2", &["concurrency=64"], "gets_per_s", Times(40.0)),
    goal(
        "w3-fetch",
        &["storage=disk", "block=1024"],
        "mib_per_s",
        Times(40.0),
    ),
    goal(
        "w3-fetch",
        &["storage=ram", "block=1024"],
        "mib_per_s",
        Times(12.0),
    ),
    goal(
        "w3-fetch",
        &["storage=disk", "block=65536"],
        "mib_per_s",
        Times(4.0),
    ),
    goal(
        "w3-fetch",
        &["storage=ram", "block=65536"],
        "mib_per_s",
        Times(3.0),
    ),
    goal("w3-fetch", &["block=1024"], "both_cpu_s", Times(25.0)),
    goal("w3-fetch", &["block=65536"], "both_cpu_s", Times(3.0)),
    goal(
        "w3-fetch",
        &["block=1024"],
        "proxy_overhead_pct",
        AtMost(6.35),
    ),
    goal(
        "w3-fetch",
        &["block=65536"],
        "proxy_overhead_pct",
        AtMost(0.11),
    ),
    goal("w3-fetch", &["storage=disk"], "seen_rss_mib", AtMost(24.0)),
    goal(
        "w3-fetch",
        &["storage=disk"],
        "server_seen_rss_mib",
        AtMost(24.0),
    ),
    goal(
        "w3-range",
        &["aligned=1"],
        "proxy_bytes_down",
        AtMost(1.1 * 65_536.0),
    ),
    goal(
        "w3-range",
        &["aligned=0"],
        "proxy_bytes_down",
        AtMost(2.0 * 65_536.0 + 3072.0),
    ),
    goal(
        "w4-build",
        &["storage=disk", "batch=1"],
        "puts_per_s",
        Times(20.0),
    ),
    goal(
        "w4-build",
        &["batch=1000", "n=100000"],
        "puts_per_s",
        Times(40.0),
    ),
    goal("w4-build", &[], "bytes_per_entry", Same),
    goal("w4-read", &["n=100000"], "gets_per_s", Times(40.0)),
    goal("w4-read", &["n=100000"], "iterate_per_s", Times(60.0)),
    goal("w4-read", &["n=100000"], "readdir_per_s", Times(60.0)),
    goal("w4-read", &[], "blocks_per_get", Same),
    goal(
        "w4-build",
        &["n=1000000"],
        "seen_rss_mib",
        AtMost(POOL_MIB + 256.0),
    ),
    goal(
        "w4-read",
        &["n=1000000"],
        "seen_rss_mib",
        AtMost(POOL_MIB + 256.0),
    ),
    goal(
        "w4-fetch",
        &["op=get", "rtt_ms=40"],
        "get_rtts",
        AtMost(7.0),
    ),
    goal(
        "w6-fetch",
        &["op=list", "rtt_ms=40"],
        "list_ms",
        AtMost(1000.0),
    ),
    goal("w6-fetch", &["op=list"], "list_ms", Times(40.0)),
    goal("w7-list-store", &[], "list_ms", AtMost(50.0)),
    goal("w7-list-store", &[], "rss_mib", AtMost(96.0)),
    goal("w7-open-store", &[], "open_all_ms", Times(20.0)),
    goal("w7-open-store", &[], "kib_per_core", AtMost(8.0)),
    goal("w7-open-store", &[], "seen_fds", AtMost(64.0)),
    goal("w7-open-big", &[], "open_to_first_get_ms", Times(5.0)),
    goal("w7-open-big", &[], "rss_delta_mib", AtMost(1.0)),
];

const fn shown(workload: &'static str, name: &'static str, good: Good) -> Metric {
    Metric {
        workload,
        name,
        good,
    }
}

const fn goal(
    workload: &'static str,
    params: &'static [&'static str],
    metric: &'static str,
    target: Target,
) -> Goal {
    Goal {
        workload,
        params,
        metric,
        target,
    }
}
