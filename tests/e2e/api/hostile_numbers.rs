//! Numbers that one org sends never stop what is computed for all.

use model::{
    api::{DeadWeight, Leaderboard},
    limits,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Caller, Hub,
    sample::{event, now, text, with},
};

fn loaded(session: &str, context_bytes: i64) -> Value {
    json!({ "sessions": [{
        "session_id": session, "observed_at": text(now()),
        "tools": [{ "tool_id": "mcp:huge", "context_bytes": context_bytes }],
    }] })
}

async fn put(caller: &Caller, body: &Value) -> Answer {
    let request = caller.request(Method::PUT, "/v1/inventory");
    caller.send(request.body(body.to_string())).await
}

#[tokio::test]
async fn every_number_has_a_bound_that_the_limits_name() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let stated = hub.get("/v1/limits").await.json();
    assert_eq!(stated["context_bytes"], limits::CONTEXT_BYTES);
    assert_eq!(stated["duration_ms"], limits::DURATION_MS);
    assert_eq!(stated["cost_usd"], limits::COST_USD);
    assert_eq!(put(&ann, &loaded("s1", limits::CONTEXT_BYTES)).await.status, 200);
    for bytes in [limits::CONTEXT_BYTES + 1, i64::MAX] {
        assert_eq!(
            put(&ann, &loaded("s2", bytes)).await.problem(400).code,
            "invalid_body"
        );
    }
    for year in ["+262000", "+10000", "-0001"] {
        let at = format!("{year}-01-01T00:00:00Z");
        let session = json!({ "sessions": [{ "session_id": "s3", "observed_at": at, "tools": [] }] });
        let machine = json!({ "machine": { "machine_id": "m", "observed_at": at, "tools": [] } });
        for inventory in [session, machine] {
            assert_eq!(
                put(&ann, &inventory).await.problem(400).code,
                "invalid_body",
                "{at}"
            );
        }
    }
    let call = |uuid: &str, fields: Value| with(event(uuid, "mcp:huge"), &fields);
    let receipt = ann
        .upload(&[
            call(
                "largest",
                json!({ "cost_usd": limits::COST_USD, "duration_ms": limits::DURATION_MS }),
            ),
            call("cost", json!({ "cost_usd": f64::from(limits::COST_USD) + 1.0 })),
            call("costs", json!({ "cost_usd": 1e300 })),
            call("duration", json!({ "duration_ms": limits::DURATION_MS + 1 })),
            call("durations", json!({ "duration_ms": i64::MAX })),
        ])
        .await;
    assert_eq!((receipt.inserted, receipt.rejected), (1, 4), "{receipt:?}");
}

/// As a release without the bounds may have stored them.
#[tokio::test]
async fn stored_numbers_of_one_org_whose_sums_overflow_leave_the_boards_of_another_fresh() {
    let hub = Hub::start().await;
    let (acme, bolt) = (hub.org("acme").await, hub.org("bolt").await);
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&bolt, "bob").await);
    let costly = |uuid: &str| with(event(uuid, "mcp:huge"), &json!({ "cost_usd": 1, "project": "p" }));
    assert_eq!(ann.upload(&[costly("a")]).await.inserted, 1);
    for session in ["s1", "s2", "s3"] {
        assert_eq!(put(&ann, &loaded(session, 7)).await.status, 200);
    }
    // No refresh is under way while rows are changed by hand.
    assert!(!ann.refreshed().await.pending);
    let beside = hub.beside().await;
    let org = acme.id.0;
    beside
        .ask(&format!(
            "update session_tools set context_bytes = {max} where org_id = {org};
             update usage_events set cost_micro_usd = {max}, duration_ms = {max} where org_id = {org};
             update usage_days set cost_micro_usd = {max} where org_id = {org};
             update usage_totals set cost_micro_usd = {max} where org_id = {org};
             insert into usage_days select org_id, member_id, day - 1, events, successes, failures, abandoned, unknown,
                 unknown_tool, costed, cost_micro_usd, first_used_at, last_used_at, tool_id, project, timed
                 from usage_days where org_id = {org};
             delete from tool_medians where org_id = {org}",
            max = i64::MAX
        ))
        .await;
    // The boards follow what is queued, and this was written past the queue.
    hub.store.count_anew(acme.id).await.unwrap();
    // Its own next call adds to sums that are full.
    assert_eq!(ann.upload(&[costly("b")]).await.inserted, 1);
    assert_eq!(bob.upload(&[event("call_1", "cli:make")]).await.inserted, 1);
    let fresh = async |caller: &Caller, path: &str| -> Leaderboard {
        caller.get(&format!("{path}&fresh=true")).await.ok()
    };
    for window in ["7d", "all"] {
        let board = fresh(&bob, &format!("/v1/leaderboards/tools?window={window}")).await;
        assert_eq!(board.leaderboard.len(), 1, "{board:?}");
    }
    // The org itself reads its boards too, precomputed and counted on request.
    for path in [
        "/v1/leaderboards/tools?window=7d",
        "/v1/leaderboards/members?window=all",
        "/v1/leaderboards/projects?window=all",
        "/v1/leaderboards/tools?window=7d&project=p",
    ] {
        let board = fresh(&ann, path).await;
        assert_eq!(board.leaderboard.len(), 1, "{path}: {board:?}");
    }
    for path in ["days=30", "days=5"] {
        let path = format!("/v1/dead-weight?verdict=all&fresh=true&{path}");
        let answer: DeadWeight = ann.get(&path).await.ok();
        assert_eq!(answer.dead_weight.len(), 1, "{answer:?}");
        assert_eq!(answer.dead_weight[0].context_bytes, i64::MAX, "{path}");
    }
    let state = bob.refreshed().await;
    assert!(
        state.views.iter().all(|view| view.last_error.is_none()),
        "{state:?}"
    );
}
