//! `/v1/uploads`: who sent what, and the receipts.

use crate::harness::{Hub, sample::event};
use model::api::{CI_HEADER, SOURCE_HEADER, Uploads};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn every_upload_is_listed_with_its_receipt_newest_first() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let first = ann
        .upload(&[event("call_1", "cli:make"), json!({ "tool_id": 3 })])
        .await;
    let second = ann.upload(&[event("call_1", "cli:make")]).await;
    bob.upload(&[]).await;
    let all: Uploads = ann.get("/v1/uploads").await.ok();
    let members: Vec<&str> = all.uploads.iter().map(|upload| upload.member.as_str()).collect();
    assert_eq!(members, ["bob", "ann", "ann"]);
    let of_ann: Uploads = ann.get("/v1/uploads?member=ann").await.ok();
    for (upload, receipt) in of_ann.uploads.iter().zip([second, first]) {
        assert_eq!(upload.batch, receipt.batch);
        assert_eq!(
            [
                upload.received,
                upload.inserted,
                upload.upgraded,
                upload.duplicate,
                upload.conflict,
                upload.rejected
            ]
            .map(i64::unsigned_abs),
            [
                receipt.received,
                receipt.inserted,
                receipt.upgraded,
                receipt.duplicate,
                receipt.conflict,
                receipt.rejected
            ]
        );
    }
}

#[tokio::test]
async fn an_upload_says_where_it_came_from() {
    let hub = Hub::start().await;
    let ci = hub.member(&hub.org("acme").await, "ci").await;
    let facts =
        json!({ "provider": "github", "repository": "acme/api", "run_id": "17", "pull_request": "42" });
    let body = json!({ "events": [event("call_1", "cli:make")] }).to_string();
    let post = || {
        ci.request(Method::POST, "/v1/events")
            .header("content-type", "application/json")
            .body(body.clone())
    };
    let request = post()
        .header("user-agent", "toolhub/0.1")
        .header(SOURCE_HEADER, "jsonl");
    ci.send(request.header(CI_HEADER, facts.to_string()))
        .await
        .receipt();
    let all: Uploads = ci.get("/v1/uploads").await.ok();
    let upload = &all.uploads[0];
    assert_eq!(
        (upload.source.as_str(), upload.client.as_deref()),
        ("jsonl", Some("toolhub/0.1"))
    );
    let stated = upload
        .ci
        .as_ref()
        .map(|ci| (ci.repository.as_deref(), ci.pull_request.as_deref()));
    assert_eq!(stated, Some((Some("acme/api"), Some("42"))));
    assert_eq!(
        ci.send(post().header(SOURCE_HEADER, "rumour"))
            .await
            .problem(400)
            .code,
        "invalid_parameter"
    );
    assert_eq!(
        ci.send(post().header(CI_HEADER, "{")).await.problem(400).code,
        "invalid_parameter"
    );
}

#[tokio::test]
async fn receipts_are_read_page_by_page() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    for n in 0..7 {
        ann.upload(&[event(&format!("call_{n}"), "cli:make")]).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/uploads?limit=3".to_owned());
    loop {
        let page: Uploads = ann.get(&path).await.ok();
        seen.extend(page.uploads.into_iter().map(|upload| upload.upload_id));
        let Some(cursor) = page.next_cursor else { break };
        path = format!("/v1/uploads?limit=3&cursor={cursor}");
    }
    let mut distinct = seen.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((seen.len(), distinct.len()), (7, 7));
}

#[tokio::test]
async fn uploads_of_ci_are_found_by_repository_pull_request_and_run() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, ci) = (hub.member(&acme, "ann").await, hub.member(&acme, "ci").await);
    ann.upload(&[event("call_0", "cli:make")]).await;
    for (number, (repository, pull_request, run)) in [
        ("acme/api", "1", "10"),
        ("acme/api", "2", "11"),
        ("acme/web", "1", "12"),
    ]
    .into_iter()
    .enumerate()
    {
        let facts = json!({ "repository": repository, "pull_request": pull_request, "run_id": run });
        let events = json!({ "events": [event(&format!("call_{number}"), "cli:make")] });
        let request = ci
            .request(Method::POST, "/v1/events")
            .header(CI_HEADER, facts.to_string())
            .body(events.to_string());
        ci.send(request).await.receipt();
    }
    for (filter, runs) in [
        ("ci=true", vec!["12", "11", "10"]),
        ("repository=acme/api", vec!["11", "10"]),
        ("pull_request=1", vec!["12", "10"]),
        ("repository=acme/api&pull_request=1", vec!["10"]),
        ("run_id=12", vec!["12"]),
        ("repository=acme", vec![]),
        ("ci=false&repository=acme/api", vec![]),
    ] {
        let found: Uploads = ann.get(&format!("/v1/uploads?{filter}")).await.ok();
        let found: Vec<_> = found
            .uploads
            .iter()
            .map(|upload| {
                upload
                    .ci
                    .as_ref()
                    .and_then(|ci| ci.run_id.as_deref())
                    .unwrap_or("-")
            })
            .collect();
        assert_eq!(found, runs, "{filter}");
    }
    let others: Uploads = ann.get("/v1/uploads?ci=false").await.ok();
    assert_eq!(others.uploads.len(), 1);
    assert_eq!(others.uploads[0].member, "ann");
}
