//! `PUT /v1/usage` and `GET /v1/usage`: what responses of models used, those that call no tool included.

use chrono::{NaiveTime, TimeDelta};
use model::{
    api::{Overview, UsageReport, UsageRow, UsageTotals},
    team::{Role, Scope},
    usage::UsageReceipt,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Caller, Hub,
    sample::{now, text, with},
};

async fn call(caller: &Caller, method: Method, path: &str, body: &Value) -> Answer {
    caller
        .send(caller.request(method, path).body(body.to_string()))
        .await
}

async fn put(caller: &Caller, responses: &[Value]) -> UsageReceipt {
    let body = json!({ "responses": responses });
    call(caller, Method::PUT, "/v1/usage", &body).await.ok()
}

async fn report(caller: &Caller, query: &str) -> UsageReport {
    caller.get(&format!("/v1/usage?{query}")).await.ok()
}

/// A response of one dollar for each of its 1,000 tokens of output.
fn response(id: &str) -> Value {
    json!({
        "agent": "claude-code", "response_id": id, "session_id": "s1", "project": "api", "model": "claude-opus-4-8",
        "occurred_at": text(now() - TimeDelta::hours(1)), "input_tokens": 10, "output_tokens": 1_000,
        "cache_read_tokens": 100, "cache_write_tokens": 7, "cost_micro_usd": 1_000_000,
    })
}

fn counts(receipt: &UsageReceipt) -> [u64; 5] {
    [
        receipt.received,
        receipt.inserted,
        receipt.upgraded,
        receipt.duplicate,
        receipt.rejected,
    ]
}

fn sum(rows: &[UsageRow]) -> (i64, f64) {
    rows.iter().fold((0, 0.0), |(responses, cost), row| {
        let usage = &row.usage;
        (
            responses + usage.responses,
            cost + usage.usage_cost_usd.unwrap_or_default(),
        )
    })
}

fn subjects(report: &UsageReport) -> Vec<&str> {
    let rows = report.usage.iter();
    rows.map(|row| row.subject.as_deref().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn a_response_counts_once_and_only_rises() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let first = [response("a"), response("b"), response("b")];
    assert_eq!(counts(&put(&ann, &first).await), [3, 2, 0, 1, 0]);
    assert_eq!(counts(&put(&ann, &first).await), [3, 0, 0, 3, 0], "sent again");
    let copy = with(response("a"), &json!({ "session_id": "s2" }));
    assert_eq!(
        counts(&put(&ann, &[copy]).await),
        [1, 0, 0, 1, 0],
        "a fork of the session"
    );
    let grown = with(
        response("a"),
        &json!({ "output_tokens": 1_500, "cost_micro_usd": 1_500_000 }),
    );
    assert_eq!(
        counts(&put(&ann, &[grown]).await),
        [1, 0, 1, 0, 0],
        "the log has grown"
    );
    assert_eq!(
        counts(&put(&ann, &first).await),
        [3, 0, 0, 3, 0],
        "an older snapshot"
    );
    let report = report(&ann, "").await;
    let expected = UsageTotals {
        responses: 2,
        uncosted_responses: 0,
        usage_cost_usd: Some(2.5),
        input_tokens: 20,
        output_tokens: 2_500,
        cache_read_tokens: 200,
        cache_write_tokens: 14,
    };
    assert_eq!(report.totals, expected);
    assert_eq!(report.usage[0].usage, expected);
    assert_eq!(subjects(&report), ["claude-opus-4-8"]);
    assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
}

#[tokio::test]
async fn reports_that_move_a_response_to_another_day_or_project_leave_no_trace_of_the_first() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let late = with(
        response("a"),
        &json!({ "project": "web", "occurred_at": text(now()) }),
    );
    put(&ann, &[late]).await;
    let early = with(
        response("a"),
        &json!({ "project": "api", "occurred_at": text(now() - TimeDelta::days(3)) }),
    );
    assert_eq!(counts(&put(&ann, &[early]).await), [1, 0, 1, 0, 0]);
    let by_project = report(&ann, "by=project").await;
    assert_eq!(
        (subjects(&by_project), sum(&by_project.usage)),
        (vec!["api"], (1, 1.0))
    );
    assert_eq!(report(&ann, "by=day").await.usage.len(), 1);
    assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
}

#[tokio::test]
async fn the_org_counts_a_response_once_that_two_members_upload_and_each_member_counts_theirs() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let eve = hub.member(&hub.org("rival").await, "eve").await;
    put(&ann, &[response("a"), response("b")]).await;
    let receipt = put(&bob, &[response("b"), response("c")]).await;
    assert_eq!((receipt.inserted, receipt.already_counted), (2, 1));
    assert_eq!(
        put(&eve, &[response("a")]).await.already_counted,
        0,
        "another org"
    );
    for by in ["model", "project", "day"] {
        let report = report(&bob, &format!("by={by}")).await;
        assert_eq!(
            (sum(&report.usage), report.totals.responses),
            ((3, 3.0), 3),
            "{by}"
        );
    }
    let members = report(&bob, "by=member").await;
    assert_eq!(subjects(&members), ["ann", "bob"]);
    assert_eq!(sum(&members.usage).0, 4, "each member's own");
    assert_eq!(report(&bob, "member=bob").await.totals.responses, 2);
    let overview: Overview = bob.get("/v1/overview").await.ok();
    assert_eq!(
        (overview.usage.responses, overview.usage.usage_cost_usd),
        (3, Some(3.0))
    );
    let theirs = report(&eve, "by=member").await;
    assert_eq!((subjects(&theirs), theirs.totals.responses), (vec!["eve"], 1));
    // The copy counts once the first is gone.
    call(&ann, Method::DELETE, "/v1/me/data?confirm=ann", &json!({}))
        .await
        .json();
    assert_eq!(report(&bob, "by=project").await.totals.responses, 2);
    assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
}

#[tokio::test]
async fn two_members_who_upload_the_same_at_the_same_time_are_counted_once() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let responses: Vec<Value> = (0..200).map(|nth| response(&format!("r{nth}"))).collect();
    let (first, second) = tokio::join!(put(&ann, &responses), put(&bob, &responses));
    assert_eq!((first.inserted, second.inserted), (200, 200));
    assert_eq!(first.already_counted + second.already_counted, 200);
    assert_eq!(report(&ann, "").await.totals.responses, 200);
    assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
}

#[tokio::test]
async fn models_without_a_price_are_named_with_their_responses() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let mut unpriced = with(response("a"), &json!({ "model": "house-model" }));
    unpriced.as_object_mut().unwrap().remove("cost_micro_usd");
    let nameless = with(response("c"), &json!({ "model": null, "project": null }));
    put(&ann, &[unpriced, response("b"), nameless]).await;
    let report = report(&ann, "window=7d").await;
    assert_eq!(
        (
            report.totals.responses,
            report.totals.uncosted_responses,
            report.totals.usage_cost_usd
        ),
        (3, 1, Some(2.0))
    );
    let unpriced: Vec<(&str, i64)> = report
        .unpriced
        .iter()
        .map(|unpriced| (unpriced.model.as_str(), unpriced.responses))
        .collect();
    assert_eq!(unpriced, [("house-model", 1)]);
    let house = report
        .usage
        .iter()
        .find(|row| row.subject.as_deref() == Some("house-model"));
    assert_eq!(
        house.unwrap().usage.usage_cost_usd,
        None,
        "unknown is not free of charge"
    );
    assert!(report.usage.iter().any(|row| row.subject.is_none()));
}

#[tokio::test]
async fn one_bad_response_costs_no_other_and_bounds_are_kept() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let bad = [
        json!({ "response_id": "" }),
        json!({ "input_tokens": -1 }),
        json!({ "output_tokens": i64::MAX }),
        json!({ "cost_micro_usd": i64::MAX }),
        json!({ "occurred_at": "2300-01-01T00:00:00Z" }),
        json!({ "occurred_at": "1970-01-01T00:00:00Z" }),
    ];
    let mut responses: Vec<Value> = bad
        .iter()
        .enumerate()
        .map(|(nth, fields)| with(response(&format!("bad{nth}")), fields))
        .collect();
    responses.push(response("good"));
    let receipt = put(&ann, &responses).await;
    assert_eq!(counts(&receipt), [7, 1, 0, 0, 6]);
    assert!(receipt.rejection.is_some());
    let body = json!({ "responses": [{ "response_id": 1 }] });
    assert_eq!(
        call(&ann, Method::PUT, "/v1/usage", &body)
            .await
            .problem(400)
            .code,
        "invalid_body"
    );
    let many: Vec<Value> = (0..5_001).map(|nth| response(&nth.to_string())).collect();
    let refused = call(&ann, Method::PUT, "/v1/usage", &json!({ "responses": many })).await;
    assert_eq!(refused.status, 413);
    assert_eq!(report(&ann, "").await.totals.responses, 1);
}

#[tokio::test]
async fn periods_filters_and_pages_select_responses() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let responses: Vec<Value> = (0..10)
        .map(|days| {
            with(
                response(&format!("r{days}")),
                &json!({
                    "occurred_at": text(now() - TimeDelta::days(days)),
                    "project": format!("p{}", days % 2),
                    "model": format!("m{}", days % 5),
                }),
            )
        })
        .collect();
    put(&ann, &responses).await;
    let day = |days| (now() - TimeDelta::days(days)).date_naive();
    let period = format!("by=day&from={}&to={}", day(4), day(2));
    let report_of = report(&ann, &period).await;
    let days: Vec<String> = [4, 3, 2].map(|days| day(days).to_string()).into();
    assert_eq!(subjects(&report_of), days);
    assert_eq!((report_of.window, report_of.totals.responses), (None, 3));
    assert_eq!(report(&ann, "window=7d").await.totals.responses, 7);
    assert_eq!(report(&ann, "project=p1&by=model").await.usage.len(), 5);
    assert_eq!(report(&ann, "model=m3").await.totals.responses, 2);
    let first = report(&ann, "by=model&limit=3").await;
    let cursor = first.next_cursor.clone().unwrap();
    let second = report(&ann, &format!("by=model&limit=3&cursor={cursor}")).await;
    assert_eq!(second.next_cursor, None);
    let mut all = subjects(&first);
    all.extend(subjects(&second));
    assert_eq!(all, ["m0", "m1", "m2", "m3", "m4"]);
    assert_eq!(
        ann.get("/v1/usage?project=nowhere").await.problem(404).code,
        "not_found"
    );
    assert_eq!(
        ann.get("/v1/usage?by=colour").await.problem(400).code,
        "invalid_parameter"
    );
}

#[tokio::test]
async fn what_a_member_deletes_is_gone_from_usage_and_does_not_come_back() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    put(&ann, &[response("a"), response("b")]).await;
    put(&bob, &[response("c")]).await;
    let export = ann.get("/v1/me/data").await.json();
    assert_eq!(export["session_usage"].as_array().unwrap().len(), 2);
    assert_eq!(export["session_usage_days"].as_array().unwrap().len(), 1);
    let deleted = call(&ann, Method::DELETE, "/v1/me/data?confirm=ann", &json!({}))
        .await
        .json();
    assert_eq!(deleted["responses"], 2);
    assert_eq!(report(&bob, "").await.totals.responses, 1);
    assert_eq!(counts(&put(&ann, &[response("a")]).await), [1, 0, 0, 0, 1]);
    let export = ann.get("/v1/me/data").await.json();
    assert_eq!(export["session_usage"], json!([]));
    assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
}

#[tokio::test]
async fn usage_past_the_retention_is_deleted_and_refused() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let midnight = now().date_naive().and_time(NaiveTime::MIN).and_utc();
    let old: Vec<Value> = (0..40)
        .map(|days| {
            let at = json!({ "occurred_at": text(midnight - TimeDelta::days(days)) });
            with(response(&format!("r{days}")), &at)
        })
        .collect();
    put(&olga, &old).await;
    call(&olga, Method::PATCH, "/v1/org", &json!({ "retention_days": 10 }))
        .await
        .json();
    assert_eq!(hub.store.retention_run(now()).await.unwrap().others, 29);
    assert_eq!(report(&olga, "window=all").await.totals.responses, 11);
    assert_eq!(counts(&put(&olga, &old).await), [40, 0, 0, 11, 29]);
    assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
}

#[tokio::test]
async fn members_who_opted_out_are_in_no_row_and_names_that_are_hidden_cannot_be_asked_for() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let ann = hub.member(&acme, "ann").await;
    put(&ann, &[response("a")]).await;
    put(&olga, &[response("b")]).await;
    call(
        &ann,
        Method::PATCH,
        "/v1/me/settings",
        &json!({ "board_opt_out": true }),
    )
    .await
    .json();
    let members = report(&olga, "by=member").await;
    assert_eq!(subjects(&members), ["olga"]);
    assert_eq!(members.totals.responses, 2, "the org's totals count them");
    call(&olga, Method::PATCH, "/v1/org", &json!({ "show_names": false }))
        .await
        .json();
    let hidden = ann.get("/v1/usage?by=member").await.text;
    assert!(!hidden.contains("olga"), "{hidden}");
    let refused = ann.get("/v1/usage?member=olga").await.problem(400);
    assert!(refused.detail.contains("hides names"), "{refused:?}");
}
