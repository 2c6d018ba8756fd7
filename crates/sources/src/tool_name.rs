//! Converts tool names in logs to tool ids.

use model::{Kind, ToolId};

use crate::json::Raw;

/// A tool as a log names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolName {
    pub(crate) id: ToolId,
    pub(crate) operation: Option<String>,
}

impl ToolName {
    fn of(kind: Kind, name: &str) -> ToolName {
        ToolName {
            id: ToolId::from_log(kind, name),
            operation: None,
        }
    }

    /// A tool that the agent ships with. Malformed and hallucinated names also become one.
    pub(crate) fn builtin(name: &str) -> ToolName {
        ToolName::of(Kind::Builtin, name)
    }

    /// A skill; `a:b` is the skill `b` of the plugin `a`, split at the first colon.
    pub(crate) fn skill(name: &str) -> ToolName {
        match name.split_once(':') {
            Some((plugin, rest)) => ToolName::of(Kind::Plugin, &format!("{plugin}@{rest}")),
            None => ToolName::of(Kind::Skill, name),
        }
    }

    /// A subagent, by its whole type.
    pub(crate) fn agent(kind: &str) -> ToolName {
        ToolName::of(
            Kind::Agent,
            if kind.is_empty() { "general-purpose" } else { kind },
        )
    }

    /// A slash command, without its slash.
    pub(crate) fn command(name: &str) -> ToolName {
        ToolName::of(Kind::Command, name)
    }

    /// An MCP server and the operation that was called.
    pub(crate) fn mcp(server: &str, operation: Option<&str>) -> ToolName {
        let operation = operation.filter(|operation| !operation.is_empty());
        ToolName {
            operation: operation.map(cut),
            ..ToolName::of(Kind::Mcp, server)
        }
    }

    /// `mcp__<server>__<operation>`, split at the first `__` after the prefix; `None` for any other name.
    pub(crate) fn mcp_prefixed(name: &str) -> Option<ToolName> {
        let rest = name.strip_prefix("mcp__")?;
        Some(match rest.split_once("__") {
            Some((server, operation)) => ToolName::mcp(server, Some(operation)),
            None => ToolName::mcp(rest, None),
        })
    }

    /// A name of Claude Code. Its skills and subagents are identified by their input.
    pub(crate) fn claude(name: &str, input: Option<Raw<'_>>) -> ToolName {
        match name {
            "Skill" => {
                let (skill, command) = (field(input, b"skill"), field(input, b"command"));
                ToolName::skill(skill.or(command).as_deref().unwrap_or_default())
            }
            "Task" | "Agent" => {
                ToolName::agent(field(input, b"subagent_type").as_deref().unwrap_or_default())
            }
            name => ToolName::mcp_prefixed(name).unwrap_or_else(|| ToolName::builtin(name)),
        }
    }
}

/// A text field of an object; `None` when it is missing or empty. The object has been walked before, so it is whole.
pub(crate) fn field(object: Option<Raw<'_>>, key: &[u8]) -> Option<String> {
    let mut found = None;
    let walked = object?.cursor().object(|cursor, name| {
        if name == key {
            found = cursor.string()?.map(|text| text.text().into_owned());
            return Ok(());
        }
        cursor.skip()
    });
    walked.ok()?;
    found.filter(|text| !text.is_empty())
}

fn cut(operation: &str) -> String {
    operation.chars().take(model::limits::NAME_CHARS).collect()
}

/// True for names of Claude Code whose tool is identified by the input of the call.
pub(crate) fn told_by_input(name: &str) -> bool {
    matches!(name, "Skill" | "Task" | "Agent")
}

/// True for tools whose call lasts until a person answers: questions and the approval of a plan.
pub(crate) fn waits_for_person(name: &str) -> bool {
    matches!(
        name,
        "AskUserQuestion" | "ExitPlanMode" | "ask_user" | "request_user_input" | "question"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    fn claude(name: &str, input: &str) -> (String, Option<String>) {
        let mut index = Index::default();
        let input = index.of(input.as_bytes()).raw().ok();
        let tool = ToolName::claude(name, input);
        (tool.id.to_string(), tool.operation)
    }

    #[test]
    fn names_of_claude_code_become_tool_ids() {
        for (name, input, id, operation) in [
            ("Bash", "{}", "builtin:Bash", None),
            ("Skill", r#"{"skill":"design-md"}"#, "skill:design-md", None),
            ("Skill", r#"{"command":"design-md"}"#, "skill:design-md", None),
            (
                "Skill",
                r#"{"skill":"a:workflows:work"}"#,
                "plugin:a@workflows:work",
                None,
            ),
            ("Skill", "{}", "skill:unknown", None),
            ("Skill", "7", "skill:unknown", None),
            (
                "mcp__linear-server__list_issues",
                "{}",
                "mcp:linear-server",
                Some("list_issues"),
            ),
            ("mcp__a__b__c", "{}", "mcp:a", Some("b__c")),
            ("mcp__alone", "{}", "mcp:alone", None),
            ("mcp__", "{}", "mcp:unknown", None),
            (
                "mcp__plugin_playwright__browser",
                "{}",
                "mcp:plugin_playwright",
                Some("browser"),
            ),
            ("Task", r#"{"subagent_type":"Explore"}"#, "agent:Explore", None),
            ("Agent", r#"{"subagent_type":"p:g:n"}"#, "agent:p:g:n", None),
            ("Agent", r#"{"subagent_type":""}"#, "agent:general-purpose", None),
            ("Task", "{}", "agent:general-purpose", None),
            ("a\">\nb", "{}", "builtin:a\">\u{FFFD}b", None),
            ("", "{}", "builtin:unknown", None),
        ] {
            assert_eq!(
                claude(name, input),
                (id.to_owned(), operation.map(str::to_owned)),
                "{name} {input}"
            );
        }
    }
}
