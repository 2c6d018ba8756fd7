//! `/v1/leaderboards/{tools,members,projects}`.

use crate::harness::{
    Caller, Hub,
    sample::{event, event_at, now, with},
};
use chrono::TimeDelta;
use model::api::{Leaderboard, LeaderboardRow, Window};
use serde_json::{Value, json};

async fn board(caller: &Caller, path: &str) -> Leaderboard {
    caller.get(&format!("/v1/leaderboards/{path}")).await.ok()
}

fn subjects(board: &Leaderboard, of: impl Fn(&LeaderboardRow) -> Option<&String>) -> Vec<String> {
    board
        .leaderboard
        .iter()
        .filter_map(|row| of(row).cloned())
        .collect()
}

fn outcomes(tool: &str, successes: usize, failures: usize) -> Vec<Value> {
    let ended = |n: usize| if n < successes { "success" } else { "failure" };
    (0..successes + failures)
        .map(|n| {
            with(
                event(&format!("{tool}_{n}"), tool),
                &json!({ "outcome": ended(n) }),
            )
        })
        .collect()
}

#[tokio::test]
async fn one_lucky_call_does_not_lead_the_board() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    for events in [
        outcomes("cli:lucky", 1, 0),
        outcomes("cli:proven", 95, 5),
        outcomes("cli:poor", 10, 30),
    ] {
        ann.upload(&events).await;
    }
    ann.refreshed().await;
    let tools = board(&ann, "tools").await;
    assert_eq!(
        subjects(&tools, |row| row.tool_id.as_ref()),
        ["cli:proven", "cli:lucky", "cli:poor"]
    );
    assert_eq!(
        tools.leaderboard.iter().map(|row| row.rank).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(tools.leaderboard[1].tally.decided_rate > tools.leaderboard[0].tally.decided_rate);
    let enough = board(&ann, "tools?min_sample=10").await;
    assert_eq!(
        subjects(&enough, |row| row.tool_id.as_ref()),
        ["cli:proven", "cli:poor"]
    );
}

#[tokio::test]
async fn a_window_holds_its_days_and_no_other() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    for (days, tool) in [
        (0, "cli:today"),
        (5, "cli:week"),
        (20, "cli:month"),
        (80, "cli:quarter"),
        (400, "cli:old"),
    ] {
        ann.upload(&[event_at(
            tool,
            tool,
            now() - TimeDelta::days(days) - TimeDelta::seconds(1),
        )])
        .await;
    }
    ann.refreshed().await;
    for (window, count) in [("7d", 2), ("30d", 3), ("90d", 4), ("all", 5)] {
        let found = board(&ann, &format!("tools?window={window}")).await;
        assert_eq!(
            (found.leaderboard.len(), found.window.map(Window::as_str)),
            (count, Some(window))
        );
    }
    assert_eq!(board(&ann, "tools").await.window, Some(Window::Month));
    assert_eq!(
        ann.get("/v1/leaderboards/tools?window=8d")
            .await
            .problem(400)
            .code,
        "invalid_parameter"
    );
}

#[tokio::test]
async fn any_period_holds_its_days_and_is_compared_with_any_other() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let mut events = Vec::new();
    // One call on each of the last 40 days; those of the last ten fail.
    for days in 0..40 {
        let at = now() - TimeDelta::days(days) - TimeDelta::seconds(1);
        let outcome = if days < 10 { "failure" } else { "success" };
        let one = event_at(&format!("call_{days}"), "cli:make", at);
        events.push(with(one, &json!({ "outcome": outcome })));
    }
    ann.upload(&events).await;
    ann.refreshed().await;
    let day = |ago: i64| (now() - TimeDelta::days(ago) - TimeDelta::seconds(1)).date_naive();
    let of = async |query: String| {
        let found = board(&ann, &format!("tools?{query}")).await;
        let row = found.leaderboard.first().cloned();
        (found, row)
    };

    let (found, row) = of(format!("from={}&to={}", day(14), day(5))).await;
    let row = row.unwrap();
    assert_eq!((row.tally.events, row.tally.failures), (10, 5));
    assert_eq!(
        (found.window, found.first_day, found.last_day),
        (None, Some(day(14)), Some(day(5)))
    );
    assert_eq!(
        (found.previous_first_day, found.previous_last_day),
        (Some(day(24)), Some(day(15)))
    );
    let previous = row.previous.unwrap();
    assert_eq!((previous.events, previous.decided_rate), (10, Some(1.0)));

    let other = format!("from={}&to={}&compare={}..{}", day(14), day(10), day(3), day(1));
    let (found, row) = of(other).await;
    let previous = row.as_ref().and_then(|row| row.previous.clone()).unwrap();
    assert_eq!((previous.events, previous.decided_rate), (3, Some(0.0)));
    assert_eq!(row.unwrap().tally.events, 5);
    assert_eq!(found.previous_first_day, Some(day(3)));

    // Open at one end; a window with another period to compare with.
    let (_, row) = of(format!("to={}", day(30))).await;
    let row = row.unwrap();
    assert_eq!((row.tally.events, row.previous), (10, None));
    let (_, row) = of(format!("from={}", day(2))).await;
    assert_eq!(row.unwrap().tally.events, 3);
    let (found, row) = of(format!("window=7d&compare={}..{}", day(39), day(20))).await;
    assert_eq!(found.window, Some(Window::Week));
    assert_eq!(row.unwrap().previous.unwrap().events, 20);
    for board in ["members", "projects"] {
        let found = ann
            .get(&format!("/v1/leaderboards/{board}?from={}", day(2)))
            .await;
        assert_eq!(found.status, 200);
    }

    for (query, right) in [
        (
            format!("window=7d&from={}", day(2)),
            "either it, or `from` and `to`",
        ),
        (format!("from={}&to={}", day(2), day(3)), "before it begins"),
        (format!("to={}&compare=previous", day(3)), "give `from`"),
        ("from=yesterday".to_owned(), "a day such as"),
        ("compare=last".to_owned(), "`previous` or two days"),
    ] {
        let problem = ann
            .get(&format!("/v1/leaderboards/tools?{query}"))
            .await
            .problem(400);
        assert!(problem.detail.contains(right), "{query}: {}", problem.detail);
    }
}

#[tokio::test]
async fn built_in_tools_are_left_out_unless_asked_for() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    ann.upload(&[
        event("call_1", "builtin:Bash"),
        event("call_2", "skill:design-md"),
    ])
    .await;
    ann.refreshed().await;
    for (query, expected) in [
        ("tools", vec!["skill:design-md"]),
        ("tools?kind=builtin", vec!["builtin:Bash"]),
        ("tools?kind=all", vec!["builtin:Bash", "skill:design-md"]),
    ] {
        let mut found = subjects(&board(&ann, query).await, |row| row.tool_id.as_ref());
        found.sort();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn members_rank_by_the_tools_they_use_and_not_by_volume() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    ann.upload(&outcomes("cli:make", 60, 0)).await;
    bob.upload(&[
        event("b1", "cli:make"),
        event("b2", "mcp:linear"),
        event("b3", "skill:design-md"),
    ])
    .await;
    ann.refreshed().await;
    let members = board(&ann, "members").await;
    assert_eq!(subjects(&members, |row| row.member.as_ref()), ["bob", "ann"]);
    assert_eq!(
        members
            .leaderboard
            .iter()
            .map(|row| row.tools)
            .collect::<Vec<_>>(),
        [Some(3), Some(1)]
    );
}

#[tokio::test]
async fn projects_have_a_board_and_narrow_the_others() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let within =
        |uuid: &str, tool: &str, project: &str| with(event(uuid, tool), &json!({ "project": project }));
    ann.upload(&[within("a1", "cli:make", "api"), within("a2", "mcp:linear", "web")])
        .await;
    bob.upload(&[within("b1", "cli:make", "api"), event("b2", "cli:no-project")])
        .await;
    ann.refreshed().await;
    let projects = board(&ann, "projects").await;
    assert_eq!(subjects(&projects, |row| row.project.as_ref()), ["api", "web"]);
    assert_eq!(projects.leaderboard[0].tally.members, 2);
    let of_api = board(&ann, "tools?project=api").await;
    assert_eq!(subjects(&of_api, |row| row.tool_id.as_ref()), ["cli:make"]);
    let of_ann = board(&ann, "tools?member=ann&project=web").await;
    assert_eq!(subjects(&of_ann, |row| row.tool_id.as_ref()), ["mcp:linear"]);
    assert_eq!(
        ann.get("/v1/leaderboards/colours").await.problem(404).code,
        "not_found"
    );
}
