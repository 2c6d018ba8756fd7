//! Removes the facts of projects that are not shared.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Pool, Projects};
use crate::{
    Excluded,
    facts::{Call, Context, FileFacts},
    strings::Sym,
};

type Set = HashSet<Sym, foldhash::fast::RandomState>;

impl Pool {
    /// Removes the usage of a file all of whose projects are excluded: not all usage has a working directory of its own.
    pub(super) fn exclude_usage(&mut self, file: &mut FileFacts, projects: &mut Projects<'_>) {
        let calls = file
            .calls
            .iter()
            .chain(&file.implied)
            .map(|call| call.context.cwd);
        let loads = file.loads.iter().map(|load| load.context.cwd);
        let responses = file.usage.iter().map(|usage| usage.context.cwd);
        let folders: BTreeSet<Sym> = calls.chain(loads).chain(responses).flatten().collect();
        let excluded = !folders.is_empty()
            && folders
                .iter()
                .all(|&cwd| !projects.is_shared(Some(cwd), &mut self.strings));
        if excluded {
            file.usage.clear();
        }
    }

    /// Removes the calls, results, usage and inventory of excluded projects. Returns the other calls, and counts.
    ///
    /// A record without working directory is shared like the rest of its session.
    pub(super) fn exclude(
        &mut self,
        mut calls: Vec<Call>,
        projects: &mut Projects<'_>,
    ) -> (Vec<Call>, Excluded) {
        if self.is_everything_shared(&calls, projects) {
            return (calls, Excluded::default());
        }
        let sessions = self.shared_sessions(&calls, projects);
        let mut is_shared = |context: &Context| {
            let of_session = context.session.and_then(|session| sessions.get(&session));
            match (context.cwd, of_session) {
                (None, Some(&shared)) => shared,
                (cwd, _) => projects.is_shared(cwd, &mut self.strings),
            }
        };
        self.usage
            .retain(|usage| usage.context.cwd.is_none() || is_shared(&usage.context));
        let (mut ids, mut groups) = (Set::default(), Set::default());
        let (mut excluded_sessions, mut excluded_folders) = (BTreeSet::new(), BTreeSet::new());
        let mut exclude = |context: &Context| {
            excluded_sessions.insert(context.session);
            excluded_folders.insert(context.cwd);
        };
        calls.retain(|call| {
            let shared = is_shared(&call.context);
            if !shared {
                ids.insert(call.id);
                groups.extend(call.group);
                exclude(&call.context);
            }
            shared
        });
        self.loads.retain(|load| {
            let shared = is_shared(&load.context);
            if !shared {
                exclude(&load.context);
            }
            shared
        });
        for call in &calls {
            call.group.map(|group| groups.remove(&group));
        }
        self.answers.retain(|answer| !ids.contains(&answer.id));
        self.notes.retain(|note| !ids.contains(&note.id));
        self.searches.retain(|searches| !ids.contains(&searches.id));
        self.usage.retain(|usage| !groups.contains(&usage.group));
        let names: BTreeSet<Option<Sym>> = excluded_folders
            .into_iter()
            .map(|cwd| projects.of(cwd?, &mut self.strings))
            .collect();
        let excluded = Excluded {
            events: ids.len() as u64,
            sessions: excluded_sessions.len() as u64,
            projects: names.len() as u64,
        };
        (calls, excluded)
    }

    /// True in the usual case, in which the records need not be checked one by one.
    fn is_everything_shared(&mut self, calls: &[Call], projects: &mut Projects<'_>) -> bool {
        let loads = self.loads.iter().map(|load| load.context.cwd);
        let responses = self
            .usage
            .iter()
            .map(|usage| usage.context.cwd)
            .filter(Option::is_some);
        let folders: HashSet<Option<Sym>, foldhash::fast::RandomState> = calls
            .iter()
            .map(|call| call.context.cwd)
            .chain(loads)
            .chain(responses)
            .collect();
        // Checks every folder, not only up to the first excluded one, because the caller records which ones there are.
        let mut all = true;
        for cwd in folders {
            all &= projects.is_shared(cwd, &mut self.strings);
        }
        all
    }

    /// Whether any project of a session is shared, for each session with a working directory.
    fn shared_sessions(&mut self, calls: &[Call], projects: &mut Projects<'_>) -> HashMap<Sym, bool> {
        let calls = calls.iter().map(|call| call.context);
        let contexts: BTreeSet<(Sym, Sym)> = calls
            .chain(self.loads.iter().map(|load| load.context))
            .filter_map(|context| Some((context.session?, context.cwd?)))
            .collect();
        let mut sessions = HashMap::new();
        for (session, cwd) in contexts {
            let shared = projects.is_shared(Some(cwd), &mut self.strings);
            *sessions.entry(session).or_insert(false) |= shared;
        }
        sessions
    }
}
