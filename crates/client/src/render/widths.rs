//! Every table at three widths of a terminal, and whole.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Format, Listing, Screen, rows, team};
use model::api::Board;

fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// A response from its JSON.
fn response<T: DeserializeOwned>(body: &Value) -> T {
    serde_json::from_value(body.clone()).unwrap()
}

/// A row of scores with these values beside it.
fn tally(row: &Value, events: i64, works: f64) -> Value {
    let mut all = json!({
        "events": events, "successes": events - 12, "failures": 7, "abandoned": 4, "unknown": 1,
        "success_rate": 0.9, "decided_rate": works, "wilson_low": works - 0.021, "avg_cost_usd": 0.012_345,
        "median_duration_ms": 12_340.0, "members": 6, "first_used_at": "2026-01-02T03:04:05Z",
        "last_used_at": "2026-11-23T11:17:00Z",
    });
    all.as_object_mut()
        .unwrap()
        .extend(row.as_object().unwrap().clone());
    all
}

fn scores() -> Listing {
    let row = |tool: &str, events| tally(&json!({ "tool_id": tool, "kind": "mcp" }), events, 0.9354);
    let body = json!({
        "as_of": "2026-11-23T11:59:30Z", "next_cursor": null,
        "scores": [
            row("plugin:pr-review-toolkit@review-pr", 1_234),
            row("mcp:claude_ai_Google_Calendar", 250_000),
            row("skill:design-md", 12),
        ],
    });
    rows::scores(&response(&body), now())
}

fn score() -> Listing {
    let part = |name: &str| json!({ "name": name, "events": 12_345, "successes": 12_000, "failures": 7 });
    let mut body = tally(&json!({ "tool_id": "mcp:linear", "kind": "mcp" }), 12_345, 0.9354);
    let details = json!({
        "as_of": "2026-11-23T11:59:30Z", "window": "30d", "recent": [], "next_cursor": null,
        "outcomes": [
            { "outcome": "success", "reason": null, "events": 12_000 },
            { "outcome": "failure", "reason": "error", "events": 7 },
        ],
        "by_operation": [part("create_issue_with_a_long_name")], "by_version": [part("claude-code 2.1.219")],
        "by_member": [part("ann")], "by_project": [part("checkout")],
        "daily": [{ "day": "2026-11-23", "events": 40, "successes": 39, "failures": 1 }],
        "durations": { "p50": 1_200.0, "p90": 3_400.0, "p99": 70_000.0 },
    });
    body.as_object_mut()
        .unwrap()
        .extend(details.as_object().unwrap().clone());
    rows::score(&response(&body), now())
}

fn leaderboard(board: Board) -> Listing {
    let subject = |tool: &str, member: &str, project: &str| match board {
        Board::Tools => json!({ "tool_id": tool, "kind": "mcp" }),
        Board::Members => json!({ "member": member, "member_kind": "person", "tools": 41 }),
        Board::Projects => json!({ "project": project, "tools": 41 }),
    };
    let row = |rank: i64, subject: &Value, works: f64, before: Value| {
        let mut row = tally(subject, 12_345 / rank, works);
        row["rank"] = json!(rank);
        row["previous"] = json!({ "events": 300, "decided_rate": before, "wilson_low": before });
        row
    };
    let rows = [
        row(
            1,
            &subject("mcp:plugin_context7_context7", "ann", "checkout"),
            0.994,
            json!(0.981),
        ),
        row(
            2,
            &subject(
                "plugin:superpowers@brainstorming",
                "margarete.long",
                "an-internal-developer-portal",
            ),
            0.72,
            json!(0.814),
        ),
        row(
            3,
            &subject("skill:design-md", "ci-acme-checkout", "api"),
            0.5,
            Value::Null,
        ),
    ];
    let body = json!({
        "leaderboard": rows, "next_cursor": "abc", "as_of": "2026-11-23T11:59:30Z", "window": "30d",
        "first_day": "2026-10-25", "last_day": "2026-11-23",
    });
    rows::leaderboard(board, &response(&body), now())
}

fn dead_weight() -> Listing {
    let row = |tool: &str, verdict: &str, reason: &str| {
        json!({
            "tool_id": tool, "kind": "mcp", "last_used_at": "2026-10-01T00:00:00Z", "events": 0, "members": 0,
            "sessions_loaded": 1_412, "members_loaded": 8, "members_installed": 2, "installed_by": ["ann", "bob"],
            "known_since": "2026-01-01T00:00:00Z", "context_bytes": 12_345_678,
            "context_tokens": 1_820, "est_cost_usd_month": 41.2, "remove": "claude mcp remove claude_ai_Google_Calendar",
            "group": "mcp:claude_ai_Google_Calendar", "confidence": 1.0, "verdict": verdict, "reason": reason,
        })
    };
    let body = json!({
        "dead_weight": [
            row("mcp:claude_ai_Google_Calendar", "unused", "loaded in 1412 sessions by 8 members and called in none; last used on 2026-10-01"),
            row("skill:frontend-design", "too_little_evidence", "loaded in 2 sessions, fewer than 3; never used"),
        ],
        "next_cursor": null, "as_of": "2026-11-23T11:59:30Z", "days": 30,
    });
    rows::dead_weight(&response(&body), now())
}

fn events() -> Listing {
    let row = |tool: &str, outcome: &str, reason: Value| {
        json!({
            "uuid": "toolu_1", "member": "margarete.long", "tool_id": tool, "operation": "resolve-library-id",
            "session_id": "s", "project": "an-internal-developer-portal", "outcome": outcome, "reason": reason,
            "duration_ms": 12_340, "cost_usd": 0.012_345, "model": "claude-opus-5", "agent": "claude-code",
            "agent_version": "2.1.219", "git_branch": "main", "occurred_at": "2026-11-23T11:17:00Z",
            "received_at": "2026-11-23T11:18:00Z", "source": "jsonl",
        })
    };
    let body = json!({
        "events": [
            row("mcp:plugin_context7_context7", "success", Value::Null),
            row("plugin:superpowers@brainstorming", "abandoned", json!("interrupted")),
            row("builtin:Bash", "failure", json!("invalid_input")),
        ],
        "next_cursor": null,
    });
    rows::events(&response(&body), now())
}

fn uploads() -> Listing {
    let row = |member: &str, ci: Value, rejected: i64| {
        json!({
            "upload_id": "u", "member": member, "received_at": "2026-11-23T11:17:00Z", "source": "jsonl",
            "client": "toolhub/0.1.0", "ci": ci, "batch": "b", "received": 5_000, "inserted": 4_321,
            "upgraded": 12, "duplicate": 650, "conflict": 0, "rejected": rejected,
        })
    };
    let run = json!({
        "provider": "github", "repository": "acme/checkout", "git_ref": "128/merge", "run_id": "7041",
        "pull_request": "128",
    });
    let body = json!({ "uploads": [row("ann", Value::Null, 0), row("ci-acme-checkout", run, 17)], "next_cursor": null });
    rows::uploads(&response(&body), now())
}

fn me() -> Listing {
    let body = json!({
        "org": "acme", "member": "margarete.long", "role": "owner", "kind": "person",
        "scopes": ["upload", "read", "admin"], "token_name": "first run",
        "token_expires_at": "2027-02-21T12:00:00Z",
    });
    rows::me(&response(&body), now())
}

fn members() -> Listing {
    let row = |handle: &str, gone: Value| {
        json!({
            "handle": handle, "kind": "person", "role": "member", "created_at": "2026-01-02T03:04:05Z",
            "deactivated_at": gone, "tokens": 2, "last_seen_at": "2026-11-23T11:17:00Z",
        })
    };
    let rows = [
        row("margarete.long@example.org", Value::Null),
        row("bob", json!("2026-11-01T00:00:00Z")),
    ];
    team::members(&response(&json!({ "members": rows, "next_cursor": null })), now())
}

fn tokens() -> Listing {
    let body = json!({
        "tokens": [{
            "token_id": "019ac0de-0000-7000-8000-000000000001", "member": "ci-acme-checkout", "name": "github",
            "scopes": ["upload"], "created_at": "2026-11-23T11:17:00Z", "expires_at": "2026-11-23T11:47:00Z",
            "revoked_at": null, "last_used_at": "2026-11-23T11:18:00Z",
            "ci": { "provider": "github", "repository": "acme/checkout", "run_id": "7041" },
        }],
        "next_cursor": null,
    });
    team::tokens(&response(&body), now())
}

fn audit() -> Listing {
    let body = json!({
        "audit": [{
            "audit_id": "a", "occurred_at": "2026-11-23T11:17:00Z", "action": "token.created", "actor": "ann",
            "token_id": "t", "address": "192.0.2.17", "subject": "margarete.long",
            "details": { "name": "laptop", "scopes": ["upload", "read"], "expires_at": "2027-02-21T12:00:00Z" },
        }],
        "next_cursor": null,
    });
    team::audit(&response(&body), now())
}

fn publishers() -> Listing {
    let body = json!({
        "trusted_publishers": [{
            "publisher_id": "019ac0de-0000-7000-8000-000000000001", "provider": "github",
            "issuer": "https://token.actions.githubusercontent.com", "repository": "acme/checkout",
            "owner_id": "12345678", "workflow": "ci.yml", "environment": null, "member": "ci-acme-checkout",
            "created_at": "2026-11-23T11:17:00Z", "created_by": "ann",
        }],
        "next_cursor": null,
    });
    team::publishers(&response(&body), now())
}

fn orgs() -> Listing {
    let body = json!({ "orgs": [{ "org": "acme", "created_at": "2026-01-02T03:04:05Z", "members": 12, "retention_days": 365 }] });
    team::orgs(&serde_json::from_value(body).unwrap(), now())
}

fn prices() -> Listing {
    let price: sources::Price = serde_json::from_value(json!({
        "model": "claude-sonnet-4-5-20250929", "from": "2026-01-01", "tier": "priority", "over": 200_000,
        "input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write_5m": 3.75, "cache_write_1h": 6.0,
    }))
    .unwrap();
    rows::prices(std::iter::once(&price))
}

fn tables() -> Vec<(&'static str, Listing)> {
    vec![
        ("scores", scores()),
        ("score", score()),
        ("leaderboard_tools", leaderboard(Board::Tools)),
        ("leaderboard_members", leaderboard(Board::Members)),
        ("leaderboard_projects", leaderboard(Board::Projects)),
        ("dead_weight", dead_weight()),
        ("events", events()),
        ("uploads", uploads()),
        ("me", me()),
        ("members", members()),
        ("tokens", tokens()),
        ("audit", audit()),
        ("publishers", publishers()),
        ("orgs", orgs()),
        ("prices", prices()),
    ]
}

const WIDTHS: [usize; 3] = [80, 100, 120];

fn at(width: usize) -> Screen {
    Screen {
        width: Some(width),
        color: false,
    }
}

/// The words of a table, without what draws it.
fn words(table: &str) -> BTreeSet<&str> {
    table
        .split(|c: char| c.is_whitespace() || c == '─')
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn every_table_at_three_widths_is_as_reviewed() {
    for (name, listing) in tables() {
        let mut text = String::new();
        for width in WIDTHS {
            let table = listing.render(Format::Table, at(width));
            let note = listing.left_out(at(width)).unwrap_or_default();
            text.push_str(&format!("{width} columns\n{table}{note}\n\n"));
        }
        let whole = listing.render(Format::Table, Screen::default());
        text.push_str(&format!("--wide\n{whole}"));
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn at_three_widths_no_line_is_too_long_and_no_word_or_number_is_broken() {
    for (name, listing) in tables() {
        let whole = listing.render(Format::Table, Screen::default());
        for width in WIDTHS {
            let table = listing.render(Format::Table, at(width));
            for line in table.lines() {
                assert!(
                    unicode_width::UnicodeWidthStr::width(line) <= width,
                    "{name}: {line}"
                );
            }
            let broken: Vec<_> = words(&table).difference(&words(&whole)).copied().collect();
            assert!(broken.is_empty(), "{name} at {width}: {broken:?}\n{table}");
        }
        assert_eq!(listing.left_out(Screen::default()), None, "{name}");
    }
}

#[test]
fn outcomes_and_trends_are_colored_on_a_terminal_and_nothing_is_elsewhere() {
    let color = Screen {
        color: true,
        ..Screen::default()
    };
    let (green, red, yellow) = ("\u{1b}[38;5;10m", "\u{1b}[38;5;9m", "\u{1b}[38;5;11m");
    for (listing, colors) in [
        (events(), &[green, red, yellow][..]),
        (leaderboard(Board::Tools), &[green, red]),
        (dead_weight(), &[yellow]),
        (uploads(), &[red]),
        (members(), &[yellow]),
    ] {
        let table = listing.render(Format::Table, color);
        for color in colors {
            assert!(table.contains(color), "{color:?}: {table:?}");
        }
        for format in [Format::Csv, Format::Markdown] {
            assert!(!listing.render(format, color).contains('\u{1b}'), "{format}");
        }
        let plain = listing.render(Format::Table, Screen::default());
        assert!(!plain.contains('\u{1b}'));
    }
}
