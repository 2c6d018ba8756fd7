//! Copilot Chat of VS Code.

use serde_json::{Value, json};
use sources::{Collected, LogReader, Options};

use crate::joined;

fn read(text: &str) -> Collected {
    let mut reader = LogReader::new("s.jsonl", None, &Options { task_text: true });
    reader.feed(text.as_bytes());
    joined(vec![reader.finish()])
}

fn told(collected: &Collected) -> Vec<String> {
    let tell = |event: model::Event| {
        let reason = event.result.reason().map_or("-", model::Reason::as_str);
        format!("{} {} {reason}", event.tool, event.result.outcome().as_str())
    };
    let mut told: Vec<String> = collected.events().map(tell).collect();
    told.sort();
    told
}

fn part(id: &str, tool: &str, fields: &Value) -> Value {
    let mut part = json!({"kind": "toolInvocationSerialized", "isConfirmed": {"type": 1}, "isComplete": true, "toolCallId": id, "toolId": tool});
    for (key, value) in fields.as_object().unwrap() {
        part[key] = value.clone();
    }
    part
}

/// A chat of one request with these parts; `request` adds fields to it.
fn chat(parts: &Value, request: &Value) -> String {
    let mut one = json!({"requestId": "r", "timestamp": 1_775_120_400_000_u64, "message": {"text": "fix it"}, "response": parts});
    for (key, value) in request.as_object().unwrap() {
        one[key] = value.clone();
    }
    json!({"version": 3, "sessionId": "s", "creationDate": 1, "requests": [one]}).to_string()
}

#[test]
fn what_the_editor_keeps_of_a_call_tells_how_it_ended() {
    let result = |text: &str| json!({"result": {"metadata": {"toolCallResults": {"call_1A": {"content": [{"value": text}]}}}}});
    let terminal =
        |state: Value| json!({"toolSpecificData": {"kind": "terminal", "terminalCommandState": state}});
    for (fields, request, expected) in [
        (json!({}), json!({}), "success -"),
        (json!({"isConfirmed": true}), json!({}), "success -"),
        (json!({"isConfirmed": false}), json!({}), "abandoned rejected"),
        (
            json!({"isConfirmed": {"type": 0}}),
            json!({}),
            "abandoned rejected",
        ),
        (
            json!({"isConfirmed": {"type": 5, "source": "user"}}),
            json!({}),
            "abandoned rejected",
        ),
        (
            json!({"isConfirmed": {"type": 0, "source": "hook"}}),
            json!({}),
            "abandoned denied",
        ),
        (
            json!({"isConfirmed": {"type": 0, "source": "riskAssessment"}}),
            json!({}),
            "abandoned denied",
        ),
        (json!({"isConfirmed": null}), json!({}), "abandoned unanswered"),
        (
            json!({"isConfirmed": null}),
            json!({"modelState": {"value": 2}}),
            "abandoned interrupted",
        ),
        (
            json!({"isConfirmed": null}),
            json!({"isCanceled": true}),
            "abandoned interrupted",
        ),
        (json!({"isComplete": false}), json!({}), "abandoned unanswered"),
        (json!({"resultError": "no such file"}), json!({}), "failure error"),
        (json!({"resultError": true}), json!({}), "failure error"),
        (json!({"resultError": ""}), json!({}), "success -"),
        (
            json!({"resultDetails": {"isError": true}}),
            json!({}),
            "failure error",
        ),
        (
            json!({"resultDetails": [{"path": "/isError"}]}),
            json!({}),
            "success -",
        ),
        // The editor does not tell whether it had ended when the person stopped the response.
        (json!({}), json!({"modelState": {"value": 2}}), "unknown -"),
        (
            json!({"resultDetails": []}),
            json!({"modelState": {"value": 2}}),
            "success -",
        ),
        (terminal(json!({"exitCode": 0})), json!({}), "success -"),
        (terminal(json!({"exitCode": 1})), json!({}), "failure error"),
        (terminal(json!({})), json!({}), "unknown -"),
        (
            terminal(json!({})),
            result("ERROR while calling tool: no terminal"),
            "failure error",
        ),
        (json!({}), result("ERROR while calling tool: x"), "failure error"),
        (
            json!({}),
            result("ERROR: Your input to the tool was invalid (x)"),
            "failure invalid_input",
        ),
        (
            json!({}),
            result("The user cancelled the tool call."),
            "abandoned interrupted",
        ),
        (
            json!({}),
            result("The log says: ERROR while calling tool: x"),
            "success -",
        ),
    ] {
        let collected = read(&chat(
            &json!([part("call_1A", "copilot_readFile", &fields)]),
            &request,
        ));
        assert_eq!(
            told(&collected),
            [format!("builtin:copilot_readFile {expected}")],
            "{fields} {request}"
        );
    }
}

#[test]
fn a_call_has_the_name_of_its_server_or_agent() {
    let mcp = json!({"source": {"type": "mcp", "label": "My Linear", "serverLabel": "x"}});
    for (tool, fields, id, operation) in [
        ("mcp_my_linear_get", mcp, "mcp:My Linear", Some("get")),
        // Before 1.104 there was no source.
        ("mcp_linear_get_it", json!({}), "mcp:linear", Some("get_it")),
        ("runSubagent", json!({}), "agent:general-purpose", None),
        (
            "runSubagent",
            json!({"toolSpecificData": {"kind": "subagent", "agentName": "reviewer"}}),
            "agent:reviewer",
            None,
        ),
        (
            "copilot_readFile",
            json!({"source": {"type": "internal", "label": "Built-In"}}),
            "builtin:copilot_readFile",
            None,
        ),
    ] {
        let collected = read(&chat(&json!([part("call_1A", tool, &fields)]), &json!({})));
        let event = collected.events().next().unwrap();
        assert_eq!(
            (event.tool.as_str(), event.operation.as_deref()),
            (id, operation),
            "{tool}"
        );
    }
}

#[test]
fn changes_lead_to_what_the_whole_chat_says() {
    let first = part("call_1A", "copilot_readFile", &json!({"isConfirmed": null}));
    let lines = [
        json!({"kind": 0, "v": {"version": 3, "sessionId": "s", "creationDate": 1, "requests": []}}),
        json!({"kind": 2, "k": ["requests"], "v": [{"requestId": "r", "timestamp": 1_775_120_400_000_u64, "response": [first]}]}),
        json!({"kind": 1, "k": ["requests", 0, "response", 0], "v": part("call_1A", "copilot_readFile", &json!({}))}),
        json!({"kind": 2, "k": ["requests", 0, "response"], "v": [part("call_1B", "copilot_findFiles", &json!({"resultError": true}))]}),
        json!({"kind": 1, "k": ["requests", 0, "modelId"], "v": "copilot/gpt-5"}),
        // A person edited the request: what had been called was called all the same.
        json!({"kind": 2, "k": ["requests"], "i": 0, "v": [{"requestId": "r2", "timestamp": 1_775_120_500_000_u64, "response": []}]}),
        json!({"kind": 2, "k": ["requests", 0, "response"], "v": [part("call_1C", "copilot_listDirectory", &json!({}))]}),
        // Changes of what is not there, and of what tells nothing.
        json!({"kind": 1, "k": ["requests", 7, "response", 0], "v": part("call_1D", "x", &json!({}))}),
        json!({"kind": 1, "k": ["inputState", "inputText"], "v": "x"}),
        json!({"kind": 3, "k": ["requests", 0, "vote"]}),
        json!({"kind": 9, "k": []}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let collected = read(&text);
    assert_eq!(
        told(&collected),
        [
            "builtin:copilot_findFiles failure error",
            "builtin:copilot_listDirectory success -",
            "builtin:copilot_readFile success -",
        ]
    );
    let models: Vec<_> = collected.events().filter_map(|event| event.model).collect();
    assert_eq!(models, ["gpt-5", "gpt-5"]);
    // The editor writes the whole chat again from time to time: the same calls, also from the older kind of file.
    let again = format!("{}\n{text}", lines[0]);
    assert_eq!(read(&again).totals.events, 3);
}

#[test]
fn ids_that_only_count_are_keys_together_with_the_request() {
    let parts = json!([part("functions.read_file:0", "read_file", &json!({}))]);
    let text = |request: &str| chat(&parts, &json!({ "requestId": request }));
    let uuid = |request: &str| read(&text(request)).events().next().unwrap().uuid;
    assert_eq!(uuid("r1").as_deref(), Some("r1/functions.read_file:0"));
    assert_ne!(uuid("r1"), uuid("r2"));
}

#[test]
fn every_complete_change_on_a_damaged_line_is_read() {
    let first = json!({"kind": 0, "v": {"version": 3, "sessionId": "s", "creationDate": 1, "requests": [{"requestId": "r", "timestamp": 1_775_120_400_000_u64, "response": []}]}});
    let push = |id: &str| {
        json!({"kind": 2, "k": ["requests", 0, "response"], "v": [part(id, "copilot_readFile", &json!({}))]})
            .to_string()
    };
    let (one, two) = (push("call_1A"), push("call_1B"));
    for (lines, events) in [
        (format!("{one}{two}\n"), 2),
        (format!("\0\0\0{one}\n{two}\n"), 2),
        (format!("{}{two}\n", &one[..40]), 1),
        // The last line is still being written.
        (format!("{one}\n{}", &two[..40]), 1),
    ] {
        assert_eq!(
            read(&format!("{first}\n{lines}")).totals.events,
            events,
            "{lines}"
        );
    }
}
