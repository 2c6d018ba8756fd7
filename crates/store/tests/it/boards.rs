//! What the leaderboards promise, against a real PostgreSQL.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    CallResult, Event, MemberId, OrgId, Reason, ToolId,
    api::{
        AllOr, Board, LeaderboardRow, Window,
        query::{LeaderboardQuery, ListQuery},
    },
    team::{MemberKind, Role},
};
use store::{Store, StoreError};
use testing::TestDatabase;
use uuid::Uuid;

use crate::sample::batch;

fn now() -> DateTime<Utc> {
    "2026-11-01T12:00:00Z".parse().unwrap()
}

async fn add(store: &Store, org: OrgId, handle: &str) -> MemberId {
    store
        .member_add(org, handle, MemberKind::Person, Role::Member, now())
        .await
        .unwrap()
}

fn event(tool: &str, result: CallResult, days_ago: i64, duration_ms: i64, project: Option<&str>) -> Event {
    Event {
        uuid: Some(Uuid::new_v4().to_string()),
        duration_ms: Some(duration_ms),
        project: project.map(str::to_owned),
        ..Event::new(
            ToolId::parse(tool).unwrap(),
            result,
            now() - TimeDelta::days(days_ago),
        )
    }
}

async fn send(store: &Store, org: OrgId, member: MemberId, events: Vec<Event>) {
    let batch = batch(member, events);
    store.ingest(org, &[batch], now()).await.unwrap();
}

async fn refresh(store: &Store) {
    store.refresh_boards(now().date_naive()).await.unwrap();
}

async fn board(
    store: &Store,
    org: OrgId,
    board: Board,
    window: Window,
    query: LeaderboardQuery,
) -> Vec<LeaderboardRow> {
    let query = LeaderboardQuery {
        window: Some(window),
        ..query
    };
    let ranking = store.leaderboard(org, board, &query).await.unwrap();
    ranking.page.rows
}

fn all_kinds() -> LeaderboardQuery {
    LeaderboardQuery {
        kind: Some(AllOr::All),
        ..LeaderboardQuery::default()
    }
}

/// Ann and Bob in two projects over half a year, with built-ins and failures.
async fn team(store: &Store) -> OrgId {
    let org = store.org_create("acme", now()).await.unwrap();
    for (handle, shift) in [("ann", 0_i64), ("bob", 3)] {
        let member = add(store, org, handle).await;
        let events = (0..180_i64)
            .map(|n| {
                let tool =
                    ["mcp:a", "skill:b", "builtin:Bash", "mcp:c"][usize::try_from((n + shift) % 4).unwrap()];
                let result = if n % 5 == 0 {
                    CallResult::because(Reason::Error)
                } else {
                    CallResult::SUCCESS
                };
                let project = [Some("web"), Some("api"), None][usize::try_from(n % 3).unwrap()];
                event(tool, result, n, (n * 37) % 101, project)
            })
            .collect();
        send(store, org, member, events).await;
    }
    refresh(store).await;
    org
}

#[tokio::test]
async fn boards_look_at_their_window_and_leave_builtins_out_unless_asked() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = store.org_create("acme", now()).await.unwrap();
    let ann = add(&store, org, "ann").await;
    let events = vec![
        event("skill:new", CallResult::SUCCESS, 1, 5, None),
        event("skill:old", CallResult::SUCCESS, 50, 5, None),
        event("builtin:Bash", CallResult::SUCCESS, 1, 5, None),
    ];
    send(&store, org, ann, events).await;
    refresh(&store).await;
    let tools = async |window, kind: Option<&str>| -> Vec<String> {
        let filter = LeaderboardQuery {
            kind: kind.map(|word| word.parse().unwrap()),
            ..LeaderboardQuery::default()
        };
        let rows = board(&store, org, Board::Tools, window, filter).await;
        rows.into_iter().filter_map(|row| row.tool_id).collect()
    };
    assert_eq!(tools(Window::Month, None).await, ["skill:new"]);
    assert_eq!(tools(Window::All, None).await, ["skill:new", "skill:old"]);
    assert_eq!(
        tools(Window::Month, Some("all")).await,
        ["builtin:Bash", "skill:new"]
    );
    assert_eq!(tools(Window::Month, Some("builtin")).await, ["builtin:Bash"]);
}

#[tokio::test]
async fn the_first_day_of_a_window_begins_at_midnight_utc() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = store.org_create("acme", now()).await.unwrap();
    let ann = add(&store, org, "ann").await;
    let at = |tool: &str, time: &str| {
        Event::new(
            ToolId::parse(tool).unwrap(),
            CallResult::SUCCESS,
            time.parse().unwrap(),
        )
    };
    let events = vec![
        at("skill:inside", "2026-10-26T00:00:00Z"),
        at("skill:outside", "2026-10-25T23:59:59.999999Z"),
        at("skill:elsewhere", "2026-10-26T01:30:00+02:00"),
    ];
    send(&store, org, ann, events).await;
    refresh(&store).await;
    let rows = board(
        &store,
        org,
        Board::Tools,
        Window::Week,
        LeaderboardQuery::default(),
    )
    .await;
    let tools: Vec<_> = rows.into_iter().filter_map(|row| row.tool_id).collect();
    assert_eq!(tools, ["skill:inside"]);
}

/// A filter that lets everything through is counted live: it must give what is kept, but for the medians, which belong
/// to all calls of a tool.
#[tokio::test]
async fn a_board_counted_when_asked_for_equals_the_one_that_is_kept() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = store.org_create("acme", now()).await.unwrap();
    let ann = add(&store, org, "ann").await;
    let events = (0..200_i64)
        .map(|n| {
            let tool = ["mcp:a", "skill:b", "builtin:Bash"][usize::try_from(n % 3).unwrap()];
            let result = if n % 5 == 0 {
                CallResult::because(Reason::Error)
            } else {
                CallResult::SUCCESS
            };
            event(tool, result, n, (n * 37) % 101, Some("web"))
        })
        .collect();
    send(&store, org, ann, events).await;
    refresh(&store).await;
    for &window in Window::ALL {
        for &subject in Board::ALL {
            for kind in [None, Some(AllOr::All)] {
                let kept = LeaderboardQuery {
                    kind,
                    ..LeaderboardQuery::default()
                };
                let live = LeaderboardQuery {
                    project: Some("web".to_owned()),
                    ..kept.clone()
                };
                let mut kept = board(&store, org, subject, window, kept).await;
                assert!(!kept.is_empty());
                for row in &mut kept {
                    let of_tool = row.tally.median_duration_ms.take();
                    assert_eq!(of_tool.is_some(), subject == Board::Tools);
                }
                assert_eq!(
                    board(&store, org, subject, window, live).await,
                    kept,
                    "{subject:?} {window:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_row_tells_how_the_window_before_went() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = store.org_create("acme", now()).await.unwrap();
    let ann = add(&store, org, "ann").await;
    let failed = CallResult::because(Reason::Error);
    let events = vec![
        event("mcp:a", CallResult::SUCCESS, 0, 5, None),
        event("mcp:a", CallResult::SUCCESS, 6, 5, None),
        event("mcp:a", CallResult::SUCCESS, 7, 5, None),
        event("mcp:a", failed, 13, 5, None),
        event("mcp:a", failed, 14, 5, None),
    ];
    send(&store, org, ann, events).await;
    refresh(&store).await;
    let week = board(
        &store,
        org,
        Board::Tools,
        Window::Week,
        LeaderboardQuery::default(),
    )
    .await;
    let previous = week[0].previous.clone().unwrap();
    assert_eq!((week[0].tally.events, week[0].tally.decided_rate), (2, Some(1.0)));
    assert_eq!((previous.events, previous.decided_rate), (2, Some(0.5)));
    let always = board(
        &store,
        org,
        Board::Tools,
        Window::All,
        LeaderboardQuery::default(),
    )
    .await;
    assert_eq!((always[0].tally.events, &always[0].previous), (5, &None));
}

#[tokio::test]
async fn members_rank_by_how_many_tools_they_use_and_not_by_volume() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = store.org_create("acme", now()).await.unwrap();
    let (loud, broad) = (add(&store, org, "loud").await, add(&store, org, "broad").await);
    let many = (0..50)
        .map(|_| event("mcp:a", CallResult::SUCCESS, 1, 5, None))
        .collect();
    send(&store, org, loud, many).await;
    let few = ["mcp:a", "mcp:b"]
        .map(|tool| event(tool, CallResult::SUCCESS, 1, 5, None))
        .to_vec();
    send(&store, org, broad, few).await;
    refresh(&store).await;
    let rows = board(
        &store,
        org,
        Board::Members,
        Window::Month,
        LeaderboardQuery::default(),
    )
    .await;
    let ranked: Vec<_> = rows
        .iter()
        .map(|row| (row.rank, row.member.as_deref().unwrap(), row.tools.unwrap()))
        .collect();
    assert_eq!(ranked, [(1, "broad", 2), (2, "loud", 1)]);
}

#[tokio::test]
async fn ties_and_pages_are_stable() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = store.org_create("acme", now()).await.unwrap();
    let ann = add(&store, org, "ann").await;
    let events = (0..30)
        .rev()
        .map(|n| event(&format!("mcp:s{n:02}"), CallResult::SUCCESS, 1, 5, None))
        .collect();
    send(&store, org, ann, events).await;
    refresh(&store).await;
    let week = LeaderboardQuery {
        window: Some(Window::Week),
        ..LeaderboardQuery::default()
    };
    let (mut tools, mut ranks, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let ranking = store
            .leaderboard(org, Board::Tools, &week.clone().with_page(Some(7), cursor))
            .await
            .unwrap();
        ranks.extend(ranking.page.rows.iter().map(|row| row.rank));
        tools.extend(ranking.page.rows.into_iter().filter_map(|row| row.tool_id));
        cursor = ranking.page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..30).map(|n| format!("mcp:s{n:02}")).collect();
    assert_eq!(tools, expected);
    assert_eq!(ranks, (1..=30).collect::<Vec<i64>>());
}

#[tokio::test]
async fn hidden_names_become_pseudonyms_that_stay_and_who_opted_out_is_left_out() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = team(&store).await;
    let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
        .batch_execute("update orgs set show_names = false")
        .await
        .unwrap();
    let names = async |filter: LeaderboardQuery| -> Vec<String> {
        let rows = board(&store, org, Board::Members, Window::Month, filter).await;
        rows.into_iter().filter_map(|row| row.member).collect()
    };
    let hidden = names(all_kinds()).await;
    assert_eq!(hidden.len(), 2);
    assert!(
        hidden
            .iter()
            .all(|name| name.starts_with("member-") && name.len() == 17),
        "{hidden:?}"
    );
    assert_ne!(hidden[0], hidden[1]);
    assert_eq!(names(all_kinds()).await, hidden);
    let of_project = LeaderboardQuery {
        project: Some("web".to_owned()),
        ..all_kinds()
    };
    let mut elsewhere = names(of_project).await;
    elsewhere.sort();
    let mut sorted = hidden.clone();
    sorted.sort();
    assert_eq!(
        elsewhere, sorted,
        "the same pseudonyms on a board that is counted when asked for"
    );
    let asking = LeaderboardQuery {
        member: Some("ann".to_owned()),
        ..all_kinds()
    };
    let refused = store.leaderboard(org, Board::Members, &asking).await;
    assert!(
        matches!(refused, Err(StoreError::Invalid(_))),
        "a pseudonym cannot be looked up"
    );
    client
        .batch_execute(
            "update orgs set show_names = true; update members set board_opt_out = true where handle = 'ann'",
        )
        .await
        .unwrap();
    assert_eq!(names(all_kinds()).await, ["bob"]);
}

#[tokio::test]
async fn people_and_ci_identities_are_ranked_apart() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = store.org_create("acme", now()).await.unwrap();
    let mut handles = vec![];
    for (handle, kind, tools) in [
        ("ann", MemberKind::Person, 1),
        ("ci-web", MemberKind::Ci, 3),
        ("bob", MemberKind::Person, 2),
        ("ci-api", MemberKind::Ci, 1),
    ] {
        let member = store.member_add(org, handle, kind, Role::Member, now());
        let member = member.await.unwrap();
        let calls = (0..tools).map(|n| event(&format!("mcp:{n}"), CallResult::SUCCESS, 1, 5, Some("web")));
        send(&store, org, member, calls.collect()).await;
        handles.push(handle);
    }
    refresh(&store).await;
    let of_project = LeaderboardQuery {
        project: Some("web".to_owned()),
        ..LeaderboardQuery::default()
    };
    for query in [LeaderboardQuery::default(), of_project] {
        let ranked = |rows: Vec<LeaderboardRow>| -> Vec<(i64, String, Option<MemberKind>)> {
            rows.into_iter()
                .map(|row| (row.rank, row.member.unwrap(), row.member_kind))
                .collect()
        };
        let rows = board(&store, org, Board::Members, Window::Week, query.clone()).await;
        let (person, ci) = (Some(MemberKind::Person), Some(MemberKind::Ci));
        assert_eq!(
            ranked(rows),
            [
                (1, "bob".to_owned(), person),
                (2, "ann".to_owned(), person),
                (1, "ci-web".to_owned(), ci),
                (2, "ci-api".to_owned(), ci),
            ]
        );
        let only_ci = LeaderboardQuery {
            member_kind: ci,
            limit: Some(1),
            ..query.clone()
        };
        let rows = board(&store, org, Board::Members, Window::Week, only_ci.clone()).await;
        assert_eq!(ranked(rows), [(1, "ci-web".to_owned(), ci)]);
        let refused = store.leaderboard(org, Board::Tools, &only_ci).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
}
