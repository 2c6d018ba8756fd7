//! A name that the org does not have is answered 404, with the names that were probably meant, on every route that takes
//! one. A suggestion reveals nothing that the caller could not list.

use model::{
    administration::OrgChange,
    team::{Role, Scope},
};
use reqwest::Method;
use serde_json::json;
use store::audit::Act;

use crate::harness::{
    Caller, Hub,
    sample::{event, now, with},
};

/// What the 404 of a route says.
async fn unknown(caller: &Caller, path: &str) -> String {
    let problem = caller.get(path).await.problem(404);
    assert_eq!(problem.code, "not_found", "{path}");
    problem.detail
}

#[tokio::test]
async fn an_unknown_member_tool_project_or_session_is_404_with_the_nearest_names() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "annika").await;
    let known = [
        ("toolu_1", "mcp:linear-server", "checkout"),
        ("toolu_2", "skill:design-md", "portal"),
    ];
    let events = known.map(|(uuid, tool, project)| {
        with(
            event(uuid, tool),
            &json!({ "project": project, "session_id": "5e551011-aaaa" }),
        )
    });
    ann.upload(&events).await;
    ann.refreshed().await;
    for (path, meant) in [
        (
            "/v1/events?member=anika",
            "no member `anika`; did you mean `annika`?",
        ),
        (
            "/v1/events?tool_id=mcp:linear-sever",
            "no tool `mcp:linear-sever`; did you mean `mcp:linear-server`?",
        ),
        ("/v1/events?tool_id=linear", "did you mean `mcp:linear-server`?"),
        (
            "/v1/events?project=chekout",
            "no events in a project `chekout`; did you mean `checkout`?",
        ),
        (
            "/v1/events?session=5e55",
            "no events of a session `5e55`; did you mean `5e551011-aaaa`?",
        ),
        (
            "/v1/scores/mcp:linear",
            "no tool `mcp:linear`; did you mean `mcp:linear-server`?",
        ),
        ("/v1/leaderboards/tools?member=anika", "did you mean `annika`?"),
        (
            "/v1/leaderboards/members?project=chekout",
            "did you mean `checkout`?",
        ),
        ("/v1/leaderboards/projects?member=anika", "did you mean `annika`?"),
        ("/v1/dead-weight?member=anika", "did you mean `annika`?"),
        ("/v1/dead-weight?project=chekout", "did you mean `checkout`?"),
        ("/v1/uploads?member=anika", "did you mean `annika`?"),
    ] {
        let said = unknown(&ann, path).await;
        assert!(said.contains(meant), "{path}: {said}");
    }
    let far = unknown(&ann, "/v1/scores/mcp:zzzzzz").await;
    assert!(far.contains("`toolhub scores` lists the tools"), "{far}");
    // A name that the org has, and a page after the last one, are empty lists.
    ann.upload(&[event("toolu_3", "mcp:quiet")]).await;
    for path in [
        "/v1/events?tool_id=mcp:quiet&outcome=unknown",
        "/v1/events?member=annika&tool_id=mcp:linear-server&project=portal",
        "/v1/uploads?member=annika",
        "/v1/dead-weight?member=annika",
    ] {
        ann.get(path).await.json();
    }
}

#[tokio::test]
async fn a_suggestion_is_never_a_name_of_another_org() {
    let hub = Hub::start().await;
    let (acme, bolt) = (hub.org("acme").await, hub.org("bolt").await);
    let ann = hub.member(&acme, "ann").await;
    let eve = hub.member_with(&bolt, "eve", Role::Owner, Scope::ALL).await;
    let secret = with(
        event("toolu_1", "mcp:secret-server"),
        &json!({ "project": "secret-plan", "session_id": "secret-session" }),
    );
    ann.upload(&[secret]).await;
    ann.refreshed().await;
    for path in [
        "/v1/events?member=ann",
        "/v1/members/ann",
        "/v1/tokens?member=ann",
        "/v1/audit?actor=ann",
        "/v1/events?tool_id=mcp:secret-server",
        "/v1/scores/mcp:secret-serve",
        "/v1/events?project=secret-plan",
        "/v1/leaderboards/tools?project=secret-pla",
        "/v1/events?session=secret",
    ] {
        let said = unknown(&eve, path).await;
        assert!(!said.contains("did you mean"), "{path}: {said}");
    }
}

#[tokio::test]
async fn an_org_that_hides_names_suggests_them_to_those_who_administer_it_alone() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "annika").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let olga_reads = hub.token(&acme, olga.member, "olga", &[Scope::Read], None).await;
    ann.upload(&[event("toolu_1", "mcp:a")]).await;
    let hidden = OrgChange {
        show_names: Some(false),
        ..OrgChange::default()
    };
    hub.store
        .org_change(&Act::by_operator(acme.id, now()), &hidden)
        .await
        .unwrap();
    for caller in [&ann, &olga_reads] {
        let said = unknown(caller, "/v1/events?member=anika").await;
        assert_eq!(said, "no member `anika`");
    }
    for path in [
        "/v1/events?member=anika",
        "/v1/members/anika",
        "/v1/tokens?member=anika",
        "/v1/audit?actor=anika",
    ] {
        let said = unknown(&olga, path).await;
        assert!(said.contains("did you mean `annika`?"), "{path}: {said}");
    }
    // A member who hides from boards is not suggested to others either.
    let shown = OrgChange {
        show_names: Some(true),
        ..OrgChange::default()
    };
    hub.store
        .org_change(&Act::by_operator(acme.id, now()), &shown)
        .await
        .unwrap();
    assert!(unknown(&ann, "/v1/events?member=anika").await.contains("annika"));
    let opt_out = ann
        .request(Method::PATCH, "/v1/me/settings")
        .body(r#"{"board_opt_out":true}"#);
    assert_eq!(ann.send(opt_out).await.status, 200);
    assert_eq!(
        unknown(&ann, "/v1/events?member=anika").await,
        "no member `anika`"
    );
}

#[tokio::test]
async fn whether_a_handle_exists_is_told_to_those_who_administer_alone() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    hub.member(&acme, "bob").await;
    for handle in ["bob", "bobby"] {
        let body = json!({ "name": "x", "member": handle, "scopes": ["read"] });
        let request = ann.request(Method::POST, "/v1/tokens").body(body.to_string());
        let problem = ann.send(request).await.problem(403);
        assert_eq!(problem.code, "not_allowed", "{handle}: {}", problem.detail);
    }
}
