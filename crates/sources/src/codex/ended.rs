//! Records that report the end of a call: `item_completed`, and before it an event for each kind of call. They contain
//! more than the result: the server's own name, whether it answered with an error, the duration. Where no record states
//! the call itself (a script of code mode made it), they are the only record of the call.

use model::{CallResult, Reason};

use super::{Reader, Speaker, record::Payload, verdict};
use crate::{
    claude::whole_ms,
    facts::{Answer, FileFacts, Millis, Note},
    json::Str,
    time,
    tool_name::ToolName,
};

/// The kind of call that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mcp,
    Command,
    Patch,
    Dynamic,
    Spawn,
    /// A tool of Codex, by its name.
    Own(&'static str),
}

/// The server name that Codex reports for its own tools that read resources of servers.
const OWN_SERVER: &[u8] = b"codex";

const RESOURCE_TOOLS: [&[u8]; 3] = [
    b"list_mcp_resources",
    b"list_mcp_resource_templates",
    b"read_mcp_resource",
];

impl Reader {
    /// Reads an event that reports the end of a call; false for any other.
    pub(super) fn ended(
        &mut self,
        event: &Payload<'_>,
        timestamp: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) -> bool {
        let kind = event.kind.map_or(&b""[..], |kind| kind.0);
        if kind == b"item_completed" {
            return match event.item.as_deref() {
                Some(item) => self.completed(event, item, timestamp, facts),
                None => false,
            };
        }
        let kind = match kind {
            b"mcp_tool_call_end" => Kind::Mcp,
            b"exec_command_end" => Kind::Command,
            b"patch_apply_end" => Kind::Patch,
            b"dynamic_tool_call_response" => Kind::Dynamic,
            b"web_search_end" => {
                self.web_search(event, event.call_id, timestamp, facts);
                return true;
            }
            b"image_generation_end" => {
                self.hosted(event, event.call_id, "image_generation", timestamp, facts);
                return true;
            }
            _ => return false,
        };
        let at = time::parse(timestamp);
        self.end(kind, event, event.call_id, (None, at), facts);
        true
    }

    fn completed(
        &mut self,
        event: &Payload<'_>,
        item: &Payload<'_>,
        timestamp: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) -> bool {
        let kind = match item.kind.map_or(&b""[..], |kind| kind.0) {
            b"McpToolCall" => Kind::Mcp,
            b"CommandExecution" => Kind::Command,
            b"FileChange" => Kind::Patch,
            b"DynamicToolCall" => Kind::Dynamic,
            b"ImageView" => Kind::Own("view_image"),
            b"CollabAgentToolCall" => match item.tool.map_or(&b""[..], |tool| tool.0) {
                b"spawnAgent" | b"spawn_agent" => Kind::Spawn,
                b"sendInput" | b"send_input" => Kind::Own("send_input"),
                b"resumeAgent" | b"resume_agent" => Kind::Own("resume_agent"),
                b"closeAgent" | b"close_agent" => Kind::Own("close_agent"),
                b"wait" => Kind::Own("wait_agent"),
                _ => return false,
            },
            b"UserMessage" => return self.asked_for(item.text, facts),
            b"WebSearch" => {
                self.web_search(item, item.id, timestamp, facts);
                return true;
            }
            b"ImageGeneration" => {
                self.hosted(item, item.id, "image_generation", timestamp, facts);
                return true;
            }
            _ => return false,
        };
        let millis = |ms: Option<u64>| ms.and_then(|ms| Millis::try_from(ms).ok());
        let end = millis(event.completed_ms).or(time::parse(timestamp));
        self.end(kind, item, item.id, (millis(event.started_ms), end), facts);
        true
    }

    fn end(
        &mut self,
        kind: Kind,
        ended: &Payload<'_>,
        id: Option<Str<'_>>,
        (started, at): (Option<Millis>, Option<Millis>),
        facts: &mut FileFacts,
    ) {
        let Some(id) = self.known(id, facts) else { return };
        let stated = whole_ms(ended.duration_ms);
        let measured = started.zip(at).and_then(|(started, at)| at.checked_sub(started));
        let duration_ms = match kind {
            Kind::Mcp => stated.or(measured),
            // Codex starts the clock of a command after its process; the times of the item include all of it.
            Kind::Command => stated.max(measured).filter(|ms| *ms > 0),
            _ => stated.or(measured).filter(|ms| *ms > 0),
        };
        let tool = ended_tool(kind, ended);
        let asked = self.calls.get(&id).copied();
        // A command that still ran when the session ended was ended with it: its earlier answer remains.
        let killed = ended.exit_code.is_some_and(|code| code < 0);
        if killed && asked.is_some_and(|asked| asked.runs_on) {
            return;
        }
        // The text of the result shows who refused. Where it does not, or there is none, the status still counts.
        let is_declined = ended.status == Some(Str(b"declined"));
        if let Some(asked) = self.calls.get_mut(&id) {
            asked.declined |= is_declined;
        }
        let is_told = asked.is_some_and(|asked| !asked.unrefused);
        let verdict = self.end_verdict(kind, ended, is_told);
        let renamed = match (kind, &tool) {
            (Kind::Mcp, Some(tool)) if tool.id.kind() == model::Kind::Mcp => Some(facts.tool(tool)),
            _ => None,
        };
        facts.notes.push(Note {
            id,
            // A negative number is no exit code: the text of the result shows what happened.
            verdict: verdict.filter(|_| !killed || asked.is_none()),
            duration_ms,
            tool: renamed,
        });
        // A command that the person ran is no call.
        let by_person = ended
            .source
            .is_some_and(|source| matches!(source.0, b"user_shell" | b"userShell"));
        let further = ended.source.is_some_and(|source| {
            matches!(source.0, b"unified_exec_interaction" | b"unifiedExecInteraction")
        });
        let Some(tool) = tool.filter(|_| asked.is_none() && !by_person && !further) else {
            return;
        };
        let began = started.or_else(|| at?.checked_sub(duration_ms.unwrap_or(0)));
        let call = self.new_call(id, began.or(self.began), &tool, facts);
        facts.implied.push(call);
        self.remember(&call, Speaker::Other);
        facts.answers.push(Answer {
            id,
            at,
            verdict: verdict.unwrap_or(CallResult::SUCCESS),
            duration_ms,
            goes_on: duration_ms.is_none(),
        });
    }

    /// The verdict of the end alone; `None` where only the text of the result shows it.
    fn end_verdict(&self, kind: Kind, ended: &Payload<'_>, answered: bool) -> Option<CallResult> {
        let words = || ended.error.map(Str::text).unwrap_or_default();
        match ended.status.map(|status| status.0) {
            Some(b"declined") => {
                let said = verdict::refusal(words().trim_start(), self.attended());
                let reason = said.or_else(|| (!answered).then(|| verdict::by_whom(self.attended())));
                return reason.map(CallResult::because);
            }
            Some(b"in_progress" | b"inProgress") => return None,
            _ => {}
        }
        let failed = ended.failed
            || ended.status.is_some_and(|status| status.0 == b"failed")
            || ended.exit_code.is_some_and(|code| code != 0);
        Some(match (failed, kind) {
            (true, Kind::Mcp) => CallResult::because(verdict::server_error(&words(), self.attended())),
            (true, _) => CallResult::because(Reason::Error),
            (false, Kind::Mcp | Kind::Dynamic) => CallResult::SUCCESS,
            (false, _) if ended.exit_code == Some(0) || ended.status.is_some() => CallResult::SUCCESS,
            (false, _) => return None,
        })
    }
}

/// The tool of a call for which there is only a report of its end.
fn ended_tool(kind: Kind, ended: &Payload<'_>) -> Option<ToolName> {
    let name = ended.tool.map(Str::text);
    Some(match kind {
        Kind::Mcp => {
            let server = ended.server?;
            let own =
                server.0 == OWN_SERVER && ended.tool.is_some_and(|tool| RESOURCE_TOOLS.contains(&tool.0));
            if own {
                ToolName::builtin(&name?)
            } else {
                ToolName::mcp(&server.text(), name.as_deref())
            }
        }
        Kind::Command => ToolName::builtin("exec_command"),
        Kind::Patch => ToolName::builtin("apply_patch"),
        Kind::Dynamic => ToolName::builtin(&name?),
        Kind::Spawn => ToolName::agent(&ended.role.map_or("default".into(), |role| role.text())),
        Kind::Own(name) => ToolName::builtin(name),
    })
}
