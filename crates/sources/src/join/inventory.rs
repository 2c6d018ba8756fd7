//! What each session had loaded.

use model::inventory::{LoadedTool, SessionInventory};

use super::{Pool, Projects, time, tool_id};
use crate::facts::{Load, earlier};

impl Pool {
    /// The tools of each session with the bytes that they added to its context. A record that is repeated within a
    /// session counts once; the copies in a fork were in its context too and count for the fork.
    pub(super) fn inventory(&mut self, projects: &mut Projects<'_>) -> Vec<SessionInventory> {
        let mut loads = std::mem::take(&mut self.loads);
        let record = |load: &Load| (load.context.session, load.record);
        loads.retain(|load| load.context.session.is_some() && load.at.is_some());
        loads.sort_unstable_by_key(|load| (record(load), load.tool, load.bytes, load.at));
        loads.dedup_by_key(|load| (record(load), load.tool));
        self.totals.listings = loads.chunk_by(|a, b| record(a) == record(b)).count() as u64;

        let mut sessions = Vec::new();
        for session in loads.chunk_by_mut(|a, b| a.context.session == b.context.session) {
            session.sort_unstable_by_key(|load| load.tool);
            let tools = session.chunk_by(|a, b| a.tool == b.tool).map(|loads| {
                let bytes = loads
                    .iter()
                    .fold(0_u64, |sum, load| sum.saturating_add(load.bytes));
                LoadedTool {
                    tool_id: tool_id(&self.strings, loads[0].tool),
                    context_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
                }
            });
            let mut tools: Vec<LoadedTool> = tools.collect();
            tools.sort_by(|a, b| a.tool_id.cmp(&b.tool_id));

            let strings = &self.strings;
            let first = session
                .iter()
                .min_by_key(|load| (load.at, strings.get(load.record)));
            let Some(context) = first.map(|load| load.context) else {
                continue;
            };
            let observed_at = session.iter().fold(None, |at, load| earlier(at, load.at));
            let project = context.cwd.and_then(|cwd| projects.of(cwd, &mut self.strings));
            let text = |sym| self.strings.get(sym).to_owned();
            sessions.push(SessionInventory {
                session_id: context.session.map(text).unwrap_or_default(),
                project: project.map(text),
                agent: context.agent.map(|agent| agent.to_string()),
                observed_at: time(observed_at.unwrap_or_default()),
                tools,
            });
        }
        sessions.sort_by(|a, b| a.session_id.cmp(&b.session_id));
        sessions
    }
}
