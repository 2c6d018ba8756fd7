//! The results of calls in the logs of the sample team.

use serde_json::json;

use super::{
    record::ToolResult,
    session::{Ending, Run},
    team::{Call, Tool},
};

impl Run {
    pub(super) fn result(&mut self, tool: &Tool, ending: &Ending, name: &str) -> ToolResult {
        let failed = |text: String| ToolResult {
            detail: json!(format!("Error: {text}")),
            content: json!(text),
            is_error: true,
        };
        match ending {
            Ending::Success => self.success(tool.call),
            Ending::Error => failed(match tool.call {
                Call::Builtin("Bash") => "Exit code 1\ntest totals::rounds_half_even ... FAILED".to_owned(),
                Call::Builtin("Edit") => {
                    "<tool_use_error>String to replace not found in file.</tool_use_error>".to_owned()
                }
                Call::Builtin("WebFetch") => "Request failed with status code 404".to_owned(),
                Call::Builtin(_) => "<tool_use_error>File does not exist.</tool_use_error>".to_owned(),
                Call::Mcp(..) => "MCP error -32603: the upstream service did not answer in time".to_owned(),
                Call::Skill(_) => "Failed to run the script of the skill: exit code 2".to_owned(),
                Call::Agent(_) | Call::Command(_) => {
                    "API Error: the context of the subagent is full".to_owned()
                }
            }),
            Ending::InvalidInput => failed(format!(
                "<tool_use_error>InputValidationError: {name} failed due to the following issue:\nThe parameter \
                 `limit` type is expected as `string` but provided as `number`</tool_use_error>"
            )),
            Ending::UnknownTool => failed(format!(
                "<tool_use_error>Unknown skill: {}</tool_use_error>",
                tool.call.name()
            )),
            Ending::Rejected => ToolResult {
                content: json!(
                    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a \
                     file edit, the new_string was NOT written to the file). STOP what you are doing and wait for \
                     the user to tell you how to proceed."
                ),
                detail: json!("User rejected tool use"),
                is_error: true,
            },
            Ending::Interrupted => failed("[Request interrupted by user for tool use]".to_owned()),
            Ending::Cancelled => ToolResult {
                content: json!("<tool_use_error>Sibling tool call errored</tool_use_error>"),
                detail: json!("Sibling tool call errored"),
                is_error: true,
            },
            Ending::Denied => {
                failed("Permission to use Bash with command git push --force has been denied.".to_owned())
            }
        }
    }

    fn success(&mut self, call: Call) -> ToolResult {
        let text = |text: &str| json!([{"type": "text", "text": text}]);
        let (content, detail) = match call {
            Call::Builtin("Bash") => (
                json!("test result: ok. 42 passed; 0 failed"),
                json!({"stdout": "test result: ok. 42 passed; 0 failed", "stderr": "", "interrupted": false,
                    "isImage": false}),
            ),
            Call::Builtin(_) => (json!("1\t//! Totals of an order."), json!({"type": "text"})),
            Call::Skill(name) => (
                json!(format!("Launching skill: {name}")),
                json!({"success": true, "commandName": name}),
            ),
            Call::Mcp(..) => (text("3 entries"), text("3 entries")),
            Call::Agent(kind) => (
                text("No objections to this change."),
                json!({"status": "completed", "agentType": kind, "totalTokens": self.log.random.around(30_000),
                    "content": text("No objections to this change.")}),
            ),
            Call::Command(_) => (json!(""), json!("")),
        };
        ToolResult {
            content,
            detail,
            is_error: false,
        }
    }
}
