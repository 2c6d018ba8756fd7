//! The dependencies between packages, as cargo resolves them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    process::Command,
};

use serde_json::Value;

/// The resolved dependencies of the workspace with all its features, by name of the package.
#[derive(Clone, Default)]
pub(crate) struct Graph {
    packages: BTreeSet<String>,
    /// Dependencies of every kind, including those of tests.
    all: BTreeMap<String, BTreeSet<String>>,
    /// Dependencies of the library or binary, without those of tests.
    shipped: BTreeMap<String, BTreeSet<String>>,
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(arguments)
        .current_dir(super::root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The platform of the tests: dependencies of other platforms may not have been downloaded.
fn platform() -> String {
    let output = Command::new("rustc")
        .arg("-vV")
        .current_dir(super::root())
        .output()
        .expect("rustc runs");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc names its host")
        .to_owned()
}

/// The names of all packages that would be built for a target selected by `arguments`.
pub(crate) fn tree_of(arguments: &[&str]) -> BTreeSet<String> {
    let fixed = [
        "tree",
        "--locked",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let text = cargo(&[fixed.as_slice(), arguments].concat());
    text.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

impl Graph {
    /// Asks cargo.
    pub(crate) fn of_workspace() -> Graph {
        static GRAPH: std::sync::OnceLock<Graph> = std::sync::OnceLock::new();
        GRAPH.get_or_init(Graph::ask).clone()
    }

    fn ask() -> Graph {
        let platform = platform();
        let text = cargo(&[
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--all-features",
            "--filter-platform",
            &platform,
        ]);
        let metadata: Value = serde_json::from_str(&text).unwrap();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let names: BTreeMap<String, String> = list(&metadata["packages"])
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let mut graph = Graph {
            packages: list(&metadata["workspace_members"])
                .iter()
                .map(|id| names[&text(id)].clone())
                .collect(),
            ..Graph::default()
        };
        for node in list(&metadata["resolve"]["nodes"]) {
            let from = &names[&text(&node["id"])];
            for dependency in list(&node["deps"]) {
                let to = &names[&text(&dependency["pkg"])];
                graph.all.entry(from.clone()).or_default().insert(to.clone());
                let ships = list(&dependency["dep_kinds"])
                    .iter()
                    .any(|kind| kind["kind"] != "dev");
                if ships {
                    graph.shipped.entry(from.clone()).or_default().insert(to.clone());
                }
            }
        }
        graph
    }

    /// Adds a dependency that is not there.
    pub(crate) fn add(&mut self, from: &str, to: &str) {
        for edges in [&mut self.all, &mut self.shipped] {
            edges.entry(from.to_owned()).or_default().insert(to.to_owned());
        }
    }

    /// The packages of the workspace.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().map(String::as_str)
    }

    /// The direct dependencies of a package, including those of its tests.
    pub(crate) fn uses(&self, package: &str) -> impl Iterator<Item = &str> {
        self.all.get(package).into_iter().flatten().map(String::as_str)
    }

    /// The shortest path from one package to another among dependencies that ship.
    pub(crate) fn path(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut next = VecDeque::from([from]);
        while let Some(at) = next.pop_front() {
            if at == to {
                let mut path = vec![to.to_owned()];
                let mut step = to;
                while step != from {
                    step = before[step];
                    path.push(step.to_owned());
                }
                path.reverse();
                return Some(path);
            }
            for found in self.shipped.get(at).into_iter().flatten() {
                if found != from && !before.contains_key(found.as_str()) {
                    before.insert(found, at);
                    next.push_back(found);
                }
            }
        }
        None
    }
}
