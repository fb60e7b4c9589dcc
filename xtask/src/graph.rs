//! Which crate may import which. `docs/architecture.md` draws the same graph and gives the
//! reasons; tidy compares this table with what the manifests say.

/// What the graph allows one crate.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The crate's name.
    pub(crate) name: &'static str,
    /// The crates of the workspace that it may depend on, features and build included. Test-only
    /// dependencies are not bound by the graph.
    pub(crate) imports: &'static [&'static str],
    /// Whether it must stay free of async runtimes, whatever its dependencies pull in.
    pub(crate) runtime_free: bool,
    /// Whether `anyhow` may carry its errors: programs and chores, never libraries.
    pub(crate) anyhow: bool,
}

/// One rule for every crate of the workspace, from the ground up.
pub(crate) const RULES: &[Rule] = &[
    pure("hypercore-crypto", &[]),
    pure("hypercore-storage", &[]),
    pure("hypercore-runtime", &[]),
    pure("hyperdrive-url", &[]),
    pure("hypercore", &["hypercore-crypto", "hypercore-storage"]),
    pure("hypercore-protocol", &["hypercore-crypto"]),
    pure("hyperswarm-dht", &["hypercore-crypto"]),
    pure(
        "hypercore-replication",
        &[
            "hypercore",
            "hypercore-crypto",
            "hypercore-protocol",
            "hypercore-runtime",
        ],
    ),
    pure(
        "hyperswarm",
        &["hypercore-crypto", "hypercore-runtime", "hyperswarm-dht"],
    ),
    pure("hypertrie", &["hypercore", "hypercore-crypto"]),
    pure(
        "corestore",
        &[
            "hypercore",
            "hypercore-crypto",
            "hypercore-replication",
            "hypercore-storage",
            "hypertrie",
        ],
    ),
    pure(
        "hyperdrive",
        &[
            "corestore",
            "hypercore",
            "hypercore-crypto",
            "hyperdrive-url",
            "hypertrie",
        ],
    ),
    Rule {
        name: "hyperdrive-daemon",
        imports: &[
            "corestore",
            "hypercore",
            "hypercore-crypto",
            "hypercore-replication",
            "hypercore-runtime",
            "hypercore-storage",
            "hyperdrive",
            "hyperdrive-url",
            "hyperswarm",
        ],
        runtime_free: false,
        anyhow: false,
    },
    Rule {
        name: "hyperdrive-cli",
        imports: &["hyperdrive-daemon", "hyperdrive-url"],
        runtime_free: false,
        anyhow: true,
    },
    pure(
        "testkit",
        &["hypercore-crypto", "hypercore-runtime", "hypercore-storage"],
    ),
    chore("interop", &[]),
    chore(
        "benches",
        &[
            "corestore",
            "hypercore",
            "hypercore-crypto",
            "hypercore-protocol",
            "hypercore-replication",
            "hypercore-runtime",
            "hypercore-storage",
            "hyperdrive",
            "hyperswarm-dht",
            "hypertrie",
        ],
    ),
    chore("xtask", &[]),
];

/// A library that runs on any executor, or on none.
const fn pure(name: &'static str, imports: &'static [&'static str]) -> Rule {
    Rule {
        name,
        imports,
        runtime_free: true,
        anyhow: false,
    }
}

/// A crate that nobody depends on and that is never published.
const fn chore(name: &'static str, imports: &'static [&'static str]) -> Rule {
    Rule {
        name,
        imports,
        runtime_free: false,
        anyhow: true,
    }
}
