//! What each session had loaded.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::{
    TokenRule,
    inventory::{LoadedTool, SessionInventory},
};

use super::{
    Joined, Pool, Projects,
    carried::{self, Requests},
    time, tool_id,
};
use crate::facts::{ListingKind, Load, earlier};
use crate::strings::Sym;

impl Pool {
    /// The tools of each session with the bytes that they added to its context, and what they came to. A record that is
    /// repeated within a session counts once; the copies in a fork were in its context too and count for the fork.
    pub(super) fn inventory(
        &mut self,
        calls: &[Joined],
        projects: &mut Projects<'_>,
    ) -> Vec<SessionInventory> {
        let mut loads = std::mem::take(&mut self.loads);
        let record = |load: &Load| (load.context.session, load.record);
        loads.retain(|load| load.context.session.is_some() && load.at.is_some());
        loads.sort_unstable_by_key(|load| (record(load), load.tool, load.listing, load.bytes, load.at));
        loads.dedup_by_key(|load| (record(load), load.tool, load.listing));
        self.totals.listings = loads.chunk_by(|a, b| record(a) == record(b)).count() as u64;
        let mut carriers = std::mem::take(&mut self.carriers);
        carried::sort(&mut carriers);
        let bodies = self.bodies(calls);

        let mut sessions = Vec::new();
        for session in loads.chunk_by_mut(|a, b| a.context.session == b.context.session) {
            session.sort_unstable_by_key(|load| (load.tool, load.at, load.listing, load.bytes));
            let id = session[0].context.session;
            let strings = &self.strings;
            let first = session
                .iter()
                .min_by_key(|load| (load.at, strings.get(load.record)));
            let Some(context) = first.map(|load| load.context) else {
                continue;
            };
            let agent = context.agent.map(|agent| agent.to_string());
            let rule = TokenRule::of(agent.as_deref());
            let own = carriers.partition_point(|carrier| Some(carrier.session) < id);
            let own = &carriers[own..];
            let requests = Requests::new(&own[..own.partition_point(|carrier| Some(carrier.session) == id)]);

            let (mut tools, mut unreachable) = (Vec::new(), Vec::new());
            for loads in session.chunk_by(|a, b| a.tool == b.tool) {
                let tool_id = tool_id(&self.strings, loads[0].tool);
                let listed: Vec<&Load> = loads
                    .iter()
                    .filter(|load| load.listing != ListingKind::Unreachable)
                    .collect();
                if listed.is_empty() {
                    unreachable.push(tool_id);
                    continue;
                }
                let bytes = listed
                    .iter()
                    .fold(0_u64, |sum, load| sum.saturating_add(load.bytes));
                let mut tool = LoadedTool::new(tool_id, i64::try_from(bytes).unwrap_or(i64::MAX));
                if let Some(carried) = requests.carried(&listed, rule) {
                    tool.context_tokens = Some(carried.tokens);
                    tool.requests = Some(carried.requests);
                    tool.carried_tokens = Some(carried.carried_tokens);
                    tool.cost_micro_usd = carried.cost_micro_usd;
                }
                let body = bodies.get(&(id, loads[0].tool));
                tool.invoke_tokens = body.map(|bytes| rule.body(i64::try_from(*bytes).unwrap_or(i64::MAX)));
                tools.push(tool);
            }
            tools.sort_by(|a, b| a.tool_id.cmp(&b.tool_id));
            unreachable.sort();

            let observed_at = session.iter().fold(None, |at, load| earlier(at, load.at));
            let project = context.cwd.and_then(|cwd| projects.of(cwd, &mut self.strings));
            let text = |sym| self.strings.get(sym).to_owned();
            sessions.push(SessionInventory {
                session_id: context.session.map(text).unwrap_or_default(),
                project: project.map(text),
                agent,
                observed_at: time(observed_at.unwrap_or_default()),
                tools,
                unreachable,
            });
        }
        sessions.sort_by(|a, b| a.session_id.cmp(&b.session_id));
        sessions
    }

    /// The bytes of the longest text that a call of a tool loaded, by session and tool.
    fn bodies(&mut self, calls: &[Joined]) -> HashMap<(Option<Sym>, Sym), u64, RandomState> {
        let of_call: HashMap<Sym, u64, RandomState> =
            std::mem::take(&mut self.bodies)
                .into_iter()
                .fold(HashMap::default(), |mut known, body| {
                    let most: &mut u64 = known.entry(body.call).or_default();
                    *most = body.bytes.max(*most);
                    known
                });
        let mut longest: HashMap<_, u64, RandomState> = HashMap::default();
        if of_call.is_empty() {
            return longest;
        }
        for call in calls.iter().map(|joined| &joined.call) {
            if let Some(bytes) = of_call.get(&call.id) {
                let most = longest.entry((call.context.session, call.tool)).or_default();
                *most = (*bytes).max(*most);
            }
        }
        longest
    }
}
