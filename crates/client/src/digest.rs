//! A digest of a period: what became better or worse, what is new, what fails, what is dead weight, what decisions saved,
//! and who has not uploaded. Made of the answers of the read API, so that its numbers are those of the pages.

mod text;

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use model::{
    administration::Members,
    api::{
        DeadWeight, DeadWeightRow, Leaderboard, LeaderboardRow, Overview, Saved, Savings, Window,
        query::{DeadWeightQuery, LeaderboardQuery, MembersQuery, SavingsQuery},
    },
};
use serde::Serialize;

use crate::{Error, Server, read::Endpoint};

/// Rows of a section.
const ROWS: usize = 10;

/// Tools of a board that are read: the best hundred, and as many pages as hold the others, up to this.
const BOARD_ROWS: usize = 2_000;

/// Calls that both periods need before a change of a tool counts.
const MIN_CALLS: i64 = 10;

/// Standard errors from which a change is no chance: about one in a thousand.
const SURE: f64 = 3.29;

/// A change of a tool between two periods.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The tool.
    pub tool_id: String,
    /// Calls in the period.
    pub events: i64,
    /// The share that succeeded, of what was decided.
    pub decided_rate: Option<f64>,
    /// The same in the period before.
    pub previous_decided_rate: Option<f64>,
    /// Failed calls in the period.
    pub failures: i64,
}

/// A tool of the audit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dead {
    /// The tool.
    pub tool_id: String,
    /// The verdict.
    pub verdict: String,
    /// Tokens of its listing on each request.
    pub context_tokens: Option<i64>,
    /// What it costs a month, estimated.
    pub est_cost_usd_month: Option<f64>,
    /// What removes it.
    pub remove: Option<String>,
}

/// The digest of a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Digest {
    /// The period: `7d`.
    pub period: Window,
    /// When its numbers are from.
    pub as_of: Option<DateTime<Utc>>,
    /// All tools together, and the period before.
    pub overview: Overview,
    /// Tools that succeed more often than before, by more than chance.
    pub better: Vec<Change>,
    /// Tools that succeed less often than before, by more than chance.
    pub worse: Vec<Change>,
    /// Tools that were not called in the period before.
    pub new_tools: Vec<Change>,
    /// Tools that fail, and did not in the period before.
    pub new_failures: Vec<Change>,
    /// What is loaded and not used, the dearest first.
    pub dead_weight: Vec<Dead>,
    /// What retired tools saved.
    pub saved: Saved,
    /// Retired tools that members still load.
    pub still_loaded: Vec<String>,
    /// Active members without a request in the period; null for those who may not see the members.
    pub not_seen: Option<Vec<String>>,
    /// The address of the server, for links.
    pub url: String,
}

/// Reads the digest of a period until `now`.
///
/// # Errors
/// When the server does not answer.
pub async fn read(server: &Server, url: &str, period: Window, now: DateTime<Utc>) -> Result<Digest, Error> {
    let overview: Overview = server.read(
        &server
            .get("/v1/overview", &[("window", period.to_string())])
            .await?,
    )?;
    let board = board(server, period).await?;
    let audit = DeadWeightQuery {
        judged: Some(true),
        limit: Some(100),
        ..DeadWeightQuery::default()
    };
    let audit: DeadWeight = server.read(&Endpoint::DeadWeight(audit).get(server).await?)?;
    let savings = Endpoint::Savings(SavingsQuery::default());
    let savings: Savings = server.read(&savings.get(server).await?)?;
    Ok(Digest {
        period,
        as_of: overview.as_of,
        better: changes(&board, |change| change == Ordering::Greater),
        worse: changes(&board, |change| change == Ordering::Less),
        new_tools: new_tools(&board),
        new_failures: new_failures(&board),
        dead_weight: dead(&audit.dead_weight),
        saved: savings.total,
        still_loaded: savings
            .savings
            .into_iter()
            .filter(|row| !row.still_loaded_by.is_empty())
            .map(|row| format!("{} ({})", row.tool_id, row.still_loaded_by.join(", ")))
            .collect(),
        not_seen: not_seen(server, period, now).await?,
        overview,
        url: url.trim_end_matches('/').to_owned(),
    })
}

async fn board(server: &Server, period: Window) -> Result<Vec<LeaderboardRow>, Error> {
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let query = LeaderboardQuery {
            window: Some(period),
            limit: Some(500),
            cursor,
            ..LeaderboardQuery::default()
        };
        let endpoint = Endpoint::Leaderboard(model::api::Board::Tools, query);
        let page: Leaderboard = server.read(&endpoint.get(server).await?)?;
        rows.extend(page.leaderboard);
        cursor = page.next_cursor;
        if cursor.is_none() || rows.len() >= BOARD_ROWS {
            return Ok(rows);
        }
    }
}

/// `None` for a caller who may not list the members.
async fn not_seen(server: &Server, period: Window, now: DateTime<Utc>) -> Result<Option<Vec<String>>, Error> {
    let since = now - chrono::TimeDelta::days(i64::from(period.days()));
    let mut absent = Vec::new();
    let mut cursor = None;
    loop {
        let query = MembersQuery {
            active: Some(true),
            limit: Some(500),
            cursor,
        };
        let body = match Endpoint::Members(query).get(server).await {
            Ok(body) => body,
            Err(Error::Forbidden { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let page: Members = server.read(&body)?;
        let unseen = page.members.into_iter();
        let unseen = unseen.filter(|member| member.last_seen_at.is_none_or(|seen| seen < since));
        absent.extend(unseen.map(|member| member.handle));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(Some(absent));
        }
    }
}

/// How a tool's decided rate has changed, where that is more than chance: a test of two shares.
fn direction(row: &LeaderboardRow) -> Option<Ordering> {
    let previous = row.previous.as_ref()?;
    let decided = row.tally.successes + row.tally.failures;
    let (now, before) = (row.tally.decided_rate?, previous.decided_rate?);
    if decided < MIN_CALLS || previous.events < MIN_CALLS {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of calls stay far below 2^52")]
    let (n, m) = (decided as f64, previous.events as f64);
    let pooled = (now * n + before * m) / (n + m);
    let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let distance = now - before;
    (error > 0.0 && distance.abs() / error > SURE).then(|| distance.total_cmp(&0.0))
}

fn changes(board: &[LeaderboardRow], wanted: impl Fn(Ordering) -> bool) -> Vec<Change> {
    let mut rows: Vec<&LeaderboardRow> = board
        .iter()
        .filter(|row| direction(row).is_some_and(&wanted))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.tally.events));
    rows.into_iter().take(ROWS).map(change).collect()
}

fn new_tools(board: &[LeaderboardRow]) -> Vec<Change> {
    let is_new = |row: &&LeaderboardRow| row.previous.as_ref().is_none_or(|previous| previous.events == 0);
    let mut rows: Vec<&LeaderboardRow> = board.iter().filter(is_new).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.tally.events));
    rows.into_iter().take(ROWS).map(change).collect()
}

fn new_failures(board: &[LeaderboardRow]) -> Vec<Change> {
    let is_new = |row: &&LeaderboardRow| {
        let before = row.previous.as_ref().and_then(|previous| previous.decided_rate);
        row.tally.failures > 0 && before == Some(1.0)
    };
    let mut rows: Vec<&LeaderboardRow> = board.iter().filter(is_new).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.tally.failures));
    rows.into_iter().take(ROWS).map(change).collect()
}

fn change(row: &LeaderboardRow) -> Change {
    Change {
        tool_id: row.tool_id.clone().unwrap_or_default(),
        events: row.tally.events,
        decided_rate: row.tally.decided_rate,
        previous_decided_rate: row.previous.as_ref().and_then(|previous| previous.decided_rate),
        failures: row.tally.failures,
    }
}

fn dead(rows: &[DeadWeightRow]) -> Vec<Dead> {
    use model::api::Verdict::{Dormant, Duplicate, Unreachable, Unused};
    let accused = |row: &&DeadWeightRow| matches!(row.verdict, Unused | Dormant | Duplicate | Unreachable);
    let mut rows: Vec<&DeadWeightRow> = rows.iter().filter(accused).collect();
    rows.sort_by(|a, b| {
        let cost = |row: &DeadWeightRow| row.est_cost_usd_month.unwrap_or(-1.0);
        cost(b)
            .total_cmp(&cost(a))
            .then_with(|| b.context_bytes.cmp(&a.context_bytes))
    });
    let dead = rows.into_iter().take(ROWS).map(|row| Dead {
        tool_id: row.tool_id.clone(),
        verdict: row.verdict.to_string(),
        context_tokens: row.context_tokens,
        est_cost_usd_month: row.est_cost_usd_month,
        remove: row.remove.clone(),
    });
    dead.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(tool: &str, now: (i64, i64), before: Option<(i64, i64)>) -> LeaderboardRow {
        let share = |(successes, failures): (i64, i64)| successes as f64 / (successes + failures) as f64;
        serde_json::from_value(json!({
            "rank": 1, "tool_id": tool, "kind": "mcp", "events": now.0 + now.1, "successes": now.0, "failures": now.1,
            "abandoned": 0, "unknown": 0, "success_rate": share(now), "decided_rate": share(now), "wilson_low": 0.1,
            "avg_cost_usd": null, "total_cost_usd": null, "total_run_cost_usd": null, "uncosted": 0,
            "median_duration_ms": null, "members": 1, "first_used_at": null, "last_used_at": null,
            "previous": before.map(|before| json!({
                "events": before.0 + before.1, "decided_rate": share(before), "wilson_low": 0.1,
            })),
        }))
        .unwrap()
    }

    fn names(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.tool_id.as_str()).collect()
    }

    #[test]
    fn a_change_counts_only_when_it_is_more_than_chance() {
        let board = [
            row("mcp:better", (95, 5), Some((50, 50))),
            row("mcp:worse", (50, 50), Some((95, 5))),
            row("mcp:chance", (90, 10), Some((95, 5))),
            row("mcp:few", (9, 0), Some((0, 9))),
            row("mcp:new", (3, 0), None),
            row("mcp:breaks", (97, 3), Some((100, 0))),
        ];
        assert_eq!(
            names(&changes(&board, |change| change == Ordering::Greater)),
            ["mcp:better"]
        );
        assert_eq!(
            names(&changes(&board, |change| change == Ordering::Less)),
            ["mcp:worse"]
        );
        assert_eq!(names(&new_tools(&board)), ["mcp:new"]);
        assert_eq!(names(&new_failures(&board)), ["mcp:breaks"]);
    }

    fn digest(tool: &str) -> Digest {
        let totals = json!({
            "events": 10, "own_events": 4, "successes": 9, "failures": 1, "decided_rate": 0.9, "cost_usd": 1.5,
            "members": 2,
        });
        let overview = json!({
            "totals": totals, "previous": totals, "daily": [], "unnamed_calls": 0, "as_of": null, "window": "7d",
            "first_day": "2026-11-01", "last_day": "2026-11-07",
        });
        Digest {
            period: Window::Week,
            as_of: None,
            overview: serde_json::from_value(overview).unwrap(),
            better: Vec::new(),
            worse: vec![change(&row(tool, (50, 50), Some((95, 5))))],
            new_tools: Vec::new(),
            new_failures: Vec::new(),
            dead_weight: vec![Dead {
                tool_id: tool.to_owned(),
                verdict: "unused".to_owned(),
                context_tokens: Some(120),
                est_cost_usd_month: None,
                remove: Some("claude mcp remove x".to_owned()),
            }],
            saved: Saved::default(),
            still_loaded: Vec::new(),
            not_seen: Some(vec!["bob".to_owned()]),
            url: "http://localhost:7700".to_owned(),
        }
    }

    #[test]
    fn a_digest_links_each_tool_and_leaves_out_what_it_has_nothing_to_say_of() {
        let text = digest("mcp:x").markdown();
        for part in [
            "# Tools, 2026-11-01 to 2026-11-07",
            "10 calls (10 before) by 2 members",
            "[`mcp:x`](http://localhost:7700/tools/mcp:x): 50",
            "120 tokens on each request; claude mcp remove x",
            "## Members who were not seen\n\n- bob",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("## Better") && !text.contains("saved"), "{text}");
        let json: Value = serde_json::to_value(digest("mcp:x")).unwrap();
        assert_eq!(
            (&json["period"], &json["dead_weight"][0]["est_cost_usd_month"]),
            (&json!("7d"), &Value::Null)
        );
    }

    #[test]
    fn no_name_becomes_markup() {
        let name = "mcp:<script>alert(`1`)</script>\n## x";
        let html = digest(name).html();
        assert!(
            !html.contains("<script") && html.contains("&lt;script&gt;"),
            "{html}"
        );
        let markdown = digest(name).markdown();
        assert!(!markdown.contains("\n## x"), "{markdown}");
    }
}
