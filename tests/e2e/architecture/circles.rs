//! Circles between the modules of one crate: modules that cannot be understood, moved or tested one by one.
//!
//! A path such as `crate::a::b::Item` is followed through `use` and `pub use` to the module that declares the item.
//! A module and the modules below it may use each other. Of the modules below one parent none may use another that
//! uses it, whether directly, through others, or somewhere below.

use std::collections::{BTreeMap, BTreeSet};

use super::text::{Source, Use};

/// A module, as the names from the root of its crate to it.
type Module = Vec<String>;

/// The modules of one crate.
#[derive(Clone, Default)]
pub(crate) struct Modules {
    modules: BTreeMap<Module, Names>,
    /// Module, module that it uses, and the path that says so.
    paths: Vec<(Module, Vec<String>)>,
}

/// What a module calls by which name.
#[derive(Clone, Default)]
struct Names {
    declared: BTreeSet<String>,
    used: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
}

/// Modules that use each other, and why.
pub(crate) struct Circle {
    /// The modules, in order of their names.
    pub(crate) modules: BTreeSet<String>,
    /// Each use, as `a uses b::Item in c`.
    pub(crate) uses: Vec<String>,
}

impl Modules {
    /// Adds a file, which `module` names by its path below `src`, without the extension: `api/events`.
    pub(crate) fn add(&mut self, module: &str, source: &Source) {
        let module: Module = match module {
            "lib" | "main" => Module::new(),
            path => path.split('/').map(str::to_owned).collect(),
        };
        self.modules.entry(module.clone()).or_default();
        for (inline, used) in source.uses() {
            let at: Module = module.iter().cloned().chain(inline).collect();
            let names = self.modules.entry(at.clone()).or_default();
            match used {
                Use::Declared(name) => {
                    names.declared.insert(name);
                }
                Use::Glob(path) => {
                    names.globs.push(path.clone());
                    self.paths.push((at, path));
                }
                Use::Named { name, path } => {
                    names.used.insert(name, path.clone());
                    self.paths.push((at, path));
                }
                Use::Path(path) => self.paths.push((at, path)),
            }
        }
    }

    /// The module that declares what a path names, as seen from a module; none when it is in another crate.
    fn declaring(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (mut at, rest) = match path.first()?.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                (from[..from.len().saturating_sub(ups)].to_vec(), &path[ups..])
            }
            _ if self.knows(from, &path[0]) => (from.clone(), path),
            _ => return None,
        };
        for (index, part) in rest.iter().enumerate() {
            let below: Module = at.iter().cloned().chain([part.clone()]).collect();
            if self.modules.contains_key(&below) {
                at = below;
                continue;
            }
            let names = &self.modules[&at];
            // A name that stands for itself, such as an external crate, leads nowhere.
            if depth > 0
                && let Some(path) = names.used.get(part)
            {
                let path: Vec<String> = path.iter().chain(&rest[index + 1..]).cloned().collect();
                return self.declaring(&at, &path, depth - 1);
            }
            if depth > 0 && !names.declared.contains(part) {
                for glob in &names.globs {
                    let path: Vec<String> = glob.iter().chain(&rest[index..]).cloned().collect();
                    if let Some(found) = self.declaring(&at, &path, depth - 1)
                        && self.modules[&found].declared.contains(part)
                    {
                        return Some(found);
                    }
                }
            }
            return Some(at);
        }
        Some(at)
    }

    fn knows(&self, at: &Module, name: &str) -> bool {
        let below: Module = at.iter().cloned().chain([name.to_owned()]).collect();
        self.modules.contains_key(&below)
            || self.modules[at]
                .used
                .get(name)
                .is_some_and(|path| path.first().is_some_and(|first| first != name))
    }

    /// Which module uses which, both below the same parent, and the first path that says so.
    fn edges(&self) -> BTreeMap<Module, BTreeMap<(String, String), String>> {
        let mut edges: BTreeMap<Module, BTreeMap<(String, String), String>> = BTreeMap::new();
        for (from, path) in &self.paths {
            let Some(to) = self.declaring(from, path, 16) else {
                continue;
            };
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            // One is below the other.
            let (Some(user), Some(used)) = (from.get(common), to.get(common)) else {
                continue;
            };
            edges
                .entry(from[..common].to_vec())
                .or_default()
                .entry((user.clone(), used.clone()))
                .or_insert_with(|| {
                    format!("{} uses {} ({})", from.join("::"), to.join("::"), path.join("::"))
                });
        }
        edges
    }

    /// Every circle.
    pub(crate) fn circles(&self) -> Vec<Circle> {
        let mut circles = Vec::new();
        for (parent, edges) in self.edges() {
            let reach = |from: &str| {
                let mut reached = BTreeSet::new();
                let mut next = vec![from];
                while let Some(at) = next.pop() {
                    for (_, used) in edges.keys().filter(|(user, _)| user == at) {
                        if reached.insert(used.as_str()) {
                            next.push(used);
                        }
                    }
                }
                reached
            };
            let reached: BTreeMap<&str, BTreeSet<&str>> = edges
                .keys()
                .map(|(user, _)| (user.as_str(), reach(user)))
                .collect();
            let mut seen: BTreeSet<&str> = BTreeSet::new();
            for (module, below) in &reached {
                if !below.contains(module) || seen.contains(module) {
                    continue;
                }
                let circle: BTreeSet<&str> = below
                    .iter()
                    .filter(|other| reached.get(*other).is_some_and(|back| back.contains(module)))
                    .copied()
                    .collect();
                seen.extend(&circle);
                let named = |name: &str| {
                    let path: Vec<&str> = parent.iter().map(String::as_str).chain([name]).collect();
                    path.join("::")
                };
                circles.push(Circle {
                    modules: circle.iter().map(|name| named(name)).collect(),
                    uses: edges
                        .iter()
                        .filter(|((user, used), _)| {
                            circle.contains(user.as_str()) && circle.contains(used.as_str())
                        })
                        .map(|(_, why)| why.clone())
                        .collect(),
                });
            }
        }
        circles
    }

    /// Pairs of modules below the root of which the first uses the second.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let edges = self.edges().remove(&Module::new()).unwrap_or_default();
        edges.into_keys().collect()
    }
}

fn of(files: &[(&str, &str)]) -> Modules {
    let mut modules = Modules::default();
    for (module, text) in files {
        modules.add(module, &Source::read("toolhub-model", module, text));
    }
    modules
}

fn names(files: &[(&str, &str)]) -> Vec<String> {
    let circles = of(files).circles();
    circles
        .iter()
        .map(|circle| circle.modules.iter().cloned().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let root = "pub mod a; pub mod b; pub mod c;";
    for (case, a, b) in [
        ("use", "use crate::b::B;", "use crate::a::A;"),
        (
            "a group",
            "use crate::{b::{self, B}, c::C};",
            "use crate::{a::A, c};",
        ),
        ("super", "use super::b::B;", "use super::{a::A};"),
        (
            "a path in an expression",
            "fn f() { crate::b::g() }",
            "fn g() { let x = crate::a::f(); }",
        ),
        (
            "a path in a macro",
            "fn f() { assert!(crate::b::g()) }",
            "use crate::a;",
        ),
        (
            "a path in a type",
            "struct A(Vec<crate::b::B>);",
            "impl crate::a::T for B {}",
        ),
        (
            "an inline module",
            "mod x { use super::super::b::B; }",
            "use crate::a::A;",
        ),
        (
            "another name",
            "use crate::b as other; fn f() { other::g() }",
            "use crate::a::A as _;",
        ),
    ] {
        let files = [("lib", root), ("a", a), ("b", b), ("c", "struct C;")];
        assert_eq!(names(&files), ["a b"], "{case}");
    }
}

#[test]
fn a_circle_is_found_through_other_modules_and_names() {
    let through = |lib: &str, a: &str, b: &str, c: &str| names(&[("lib", lib), ("a", a), ("b", b), ("c", c)]);
    let root = "mod a; mod b; mod c;";
    assert_eq!(
        through(root, "use crate::b::B;", "use crate::c::C;", "use crate::a::A;"),
        ["a b c"]
    );
    let named = "mod a; mod b; mod c; pub use a::A; pub(crate) use b::B as Bee;";
    assert_eq!(
        through(named, "struct A(crate::Bee);", "struct B(crate::A);", ""),
        ["a b"]
    );
    let glob = "mod a; mod b; mod c; pub use a::*;";
    assert_eq!(
        through(
            glob,
            "use crate::b::B; pub struct A;",
            "use crate::A; pub struct B;",
            ""
        ),
        ["a b"]
    );
    // Twice renamed.
    assert_eq!(
        through(
            root,
            "use crate::c::B;",
            "use crate::a::A;",
            "pub use crate::b::B;"
        ),
        ["a b"]
    );
    // Below: the modules themselves are innocent.
    let files = [
        ("lib", "mod a; mod b;"),
        ("a", "mod x; mod y;"),
        ("a/x", "use super::y::Y;"),
        ("a/y", "use crate::{a::x::X, b};"),
        ("b", "mod deep;"),
        ("b/deep", "fn f() { crate::a::x::g() }"),
    ];
    assert_eq!(names(&files), ["a b", "a::x a::y"]);
}

#[test]
fn what_is_no_circle_is_none() {
    for (case, files) in [
        (
            "parent and child",
            [
                ("lib", "mod a; use a::A; struct R;"),
                ("a", "use crate::R; mod x;"),
                ("a/x", "use super::A;"),
            ],
        ),
        (
            "one way",
            [
                ("lib", "mod a; mod b;"),
                ("a", "use crate::b::B;"),
                ("b", "use std::fmt; struct B;"),
            ],
        ),
        (
            "tests, comments and texts",
            [
                ("lib", "mod a; mod b;"),
                ("a", "use crate::b::B;"),
                (
                    "b",
                    "//! [crate::a::A]\nstruct B; const X: &str = \"crate::a::A\";\n#[cfg(test)]\nmod tests { use crate::a::A; }",
                ),
            ],
        ),
        (
            "another crate of the same name",
            [
                ("lib", "mod a; mod b;"),
                ("a", "use crate::b::B; use b::C;"),
                ("b", "use ::a::A; use a::B;"),
            ],
        ),
    ] {
        assert_eq!(names(&files), [""; 0], "{case}");
    }
}
