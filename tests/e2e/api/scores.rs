//! `/v1/scores`: what the events of a tool add up to.

use crate::harness::{
    Caller, Hub,
    sample::{event, event_at, now, with},
};
use chrono::TimeDelta;
use model::api::{Score, Scores};
use serde_json::{Value, json};

async fn score(caller: &Caller, tool_id: &str) -> Score {
    caller
        .get(&format!("/v1/scores/{}", tool_id.replace('/', "%2F")))
        .await
        .ok()
}

/// One call for each duration.
fn calls(tool_id: &str, durations: &[Option<i64>]) -> Vec<Value> {
    let call = |(n, duration): (usize, &Option<i64>)| {
        with(
            event(&format!("{tool_id}_{n}"), tool_id),
            &json!({ "duration_ms": duration }),
        )
    };
    durations.iter().enumerate().map(call).collect()
}

#[tokio::test]
async fn the_median_is_interpolated_between_the_two_in_the_middle_of_an_even_count() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    ann.upload(&calls("cli:odd", &[Some(900), Some(10), Some(20)]))
        .await;
    ann.upload(&calls("cli:even", &[Some(900), Some(10), Some(21), Some(30)]))
        .await;
    ann.upload(&calls("cli:some", &[None, Some(7), None])).await;
    ann.upload(&calls("cli:none", &[None])).await;
    ann.refreshed().await;
    assert_eq!(score(&ann, "cli:odd").await.tally.median_duration_ms, Some(20.0));
    assert_eq!(score(&ann, "cli:even").await.tally.median_duration_ms, Some(25.5));
    assert_eq!(score(&ann, "cli:some").await.tally.median_duration_ms, Some(7.0));
    assert_eq!(score(&ann, "cli:none").await.tally.median_duration_ms, None);
}

#[tokio::test]
async fn a_call_that_a_person_stopped_is_not_a_failure_of_the_tool() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let ended = |n: usize, outcome: &str, reason: Option<&str>| {
        with(
            event(&format!("call_{n}"), "mcp:linear"),
            &json!({ "outcome": outcome, "reason": reason }),
        )
    };
    ann.upload(&[
        with(ended(0, "success", None), &json!({ "cost_usd": 0.25 })),
        with(ended(1, "success", None), &json!({ "cost_usd": 0.75 })),
        ended(2, "success", None),
        ended(3, "failure", Some("error")),
        ended(4, "abandoned", Some("rejected")),
        ended(5, "abandoned", Some("denied")),
    ])
    .await;
    bob.upload(&[
        ended(0, "unknown", None),
        ended(1, "abandoned", Some("cancelled")),
    ])
    .await;
    ann.refreshed().await;
    let tally = score(&ann, "mcp:linear").await.tally;
    assert_eq!(
        (
            tally.events,
            tally.successes,
            tally.failures,
            tally.abandoned,
            tally.unknown
        ),
        (8, 3, 1, 3, 1)
    );
    assert_eq!(
        (tally.success_rate, tally.decided_rate, tally.members),
        (Some(0.375), Some(0.75), 2)
    );
    assert_eq!(tally.avg_cost_usd, Some(0.5));
    // (p + z²/2n - z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n) with p = 3/4, n = 4, z = 1.959964
    let wilson = tally.wilson_low.unwrap_or_default();
    assert!((wilson - 0.300_642).abs() < 1e-5, "{wilson}");
}

#[tokio::test]
async fn a_score_knows_when_its_tool_was_used_first_and_last() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let (first, last) = (now() - TimeDelta::days(90), now() - TimeDelta::minutes(5));
    ann.upload(&[event_at("b", "cli:make", last), event_at("a", "cli:make", first)])
        .await;
    ann.refreshed().await;
    let tally = score(&ann, "cli:make").await.tally;
    assert_eq!(
        tally.first_used_at.map(|at| at.timestamp_millis()),
        Some(first.timestamp_millis())
    );
    assert_eq!(
        tally.last_used_at.map(|at| at.timestamp_millis()),
        Some(last.timestamp_millis())
    );
}

#[tokio::test]
async fn an_upload_shows_in_the_scores_by_itself_and_they_say_as_of_when() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    ann.upload(&[event("call_1", "cli:make")]).await;
    let stored_by = now();
    let state = ann.refreshed().await;
    let scores: Scores = ann.get("/v1/scores").await.ok();
    assert_eq!(scores.scores.len(), 1);
    assert_eq!(scores.as_of, state.as_of);
    // The database's clock and ours are those of one machine.
    assert!(
        scores
            .as_of
            .is_some_and(|as_of| as_of > stored_by - TimeDelta::minutes(1))
    );
    let before = scores.as_of;
    ann.upload(&[event("call_2", "cli:make")]).await;
    ann.refreshed().await;
    let scores: Scores = ann.get("/v1/scores").await.ok();
    assert_eq!(scores.scores[0].tally.events, 2);
    assert!(scores.as_of > before);
}

#[tokio::test]
async fn a_second_upload_of_the_same_leaves_every_score_as_it_was() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let events = [
        calls("cli:make", &[Some(1), Some(4)]),
        calls("mcp:linear", &[Some(9)]),
    ]
    .concat();
    ann.upload(&events).await;
    ann.refreshed().await;
    let before: Scores = ann.get("/v1/scores").await.ok();
    ann.upload(&events).await;
    ann.refreshed().await;
    let after: Scores = ann.get("/v1/scores").await.ok();
    assert_eq!(before.scores, after.scores);
}

#[tokio::test]
async fn scores_are_filtered_sorted_and_paged() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let mut events = Vec::new();
    for (tool, count) in [("cli:a", 1), ("cli:b", 3), ("mcp:c", 2), ("builtin:Bash", 9)] {
        events.extend(calls(
            tool,
            &vec![Some(count); usize::try_from(count).unwrap_or(0)],
        ));
    }
    ann.upload(&events).await;
    ann.refreshed().await;
    for (query, expected) in [
        ("sort=events", vec!["builtin:Bash", "cli:b", "mcp:c", "cli:a"]),
        ("kind=cli&sort=events", vec!["cli:b", "cli:a"]),
        ("min_sample=3&sort=events", vec!["builtin:Bash", "cli:b"]),
        ("kind=skill", vec![]),
    ] {
        let scores: Scores = ann.get(&format!("/v1/scores?{query}")).await.ok();
        let found: Vec<&str> = scores.scores.iter().map(|score| score.tool_id.as_str()).collect();
        assert_eq!(found, expected, "{query}");
        assert_eq!(scores.next_cursor, None);
    }
    let first: Scores = ann.get("/v1/scores?sort=events&limit=3").await.ok();
    let cursor = first.next_cursor.unwrap_or_default();
    let second: Scores = ann
        .get(&format!("/v1/scores?sort=events&limit=3&cursor={cursor}"))
        .await
        .ok();
    assert_eq!(
        (first.scores.len(), second.scores.len(), second.next_cursor),
        (3, 1, None)
    );
    assert_eq!(second.scores[0].tool_id, "cli:a");
    for query in ["sort=colour", "kind=tool", "limit=0", "limit=501", "cursor=x"] {
        assert_eq!(
            ann.get(&format!("/v1/scores?{query}")).await.problem(400).code,
            "invalid_parameter",
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_tool_is_found_by_its_id_whatever_stands_in_it() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    for (n, tool) in ["plugin:caveman@compress", "mcp:a b?c#d%e", "skill:führen"]
        .into_iter()
        .enumerate()
    {
        ann.upload(&[event(&format!("call_{n}"), tool)]).await;
    }
    ann.refreshed().await;
    for (path, tool) in [
        ("plugin:caveman@compress", "plugin:caveman@compress"),
        ("mcp:a%20b%3Fc%23d%25e", "mcp:a b?c#d%e"),
        ("skill:f%C3%BChren", "skill:führen"),
    ] {
        assert_eq!(score(&ann, path).await.tool_id, tool);
    }
    assert_eq!(
        ann.get("/v1/scores/cli:none").await.problem(404).code,
        "not_found"
    );
}
