//! The projects of working directories.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Directories;
use crate::{
    project,
    strings::{Strings, Sym},
};

/// Projects by working directory.
pub(super) struct Projects<'a> {
    known: HashMap<Sym, Option<Sym>, RandomState>,
    shared: HashMap<Option<Sym>, bool, RandomState>,
    directories: &'a mut dyn Directories,
}

impl Projects<'_> {
    pub(super) fn new(directories: &mut dyn Directories) -> Projects<'_> {
        Projects {
            known: HashMap::default(),
            shared: HashMap::default(),
            directories,
        }
    }

    pub(super) fn of(&mut self, cwd: Sym, strings: &mut Strings) -> Option<Sym> {
        if let Some(&project) = self.known.get(&cwd) {
            return project;
        }
        let path = strings.get(cwd);
        let resolved = self
            .directories
            .project_of(path)
            .filter(|name| !project::is_person(path, name));
        let name = resolved.or_else(|| project::name_of(path).map(str::to_owned));
        let name = name.map(|name| name.chars().take(model::limits::NAME_CHARS).collect::<String>());
        let project = name
            .filter(|name| !name.is_empty())
            .map(|name| strings.intern(&model::text::clean(&name)));
        self.known.insert(cwd, project);
        project
    }

    pub(super) fn is_shared(&mut self, cwd: Option<Sym>, strings: &mut Strings) -> bool {
        if let Some(&shared) = self.shared.get(&cwd) {
            return shared;
        }
        let project = cwd.and_then(|cwd| self.of(cwd, strings));
        let text = |sym: Option<Sym>| sym.map(|sym| strings.get(sym));
        let shared = self.directories.is_shared(text(cwd), text(project));
        self.shared.insert(cwd, shared);
        shared
    }
}
