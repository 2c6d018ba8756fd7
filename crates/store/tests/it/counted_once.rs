//! A call that several members upload is each member's event, and one call of the org.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    CallResult, Event, MemberId, NoticeCode, OrgId, ToolId,
    administration::LimitsChange,
    api::{
        Board,
        query::{EventsQuery, LeaderboardQuery},
    },
    inventory::{InstalledTool, Inventory, LoadedTool, MachineInventory, SessionInventory},
    team::{MemberKind, Role},
};
use store::{Store, audit::Act, ingest::BatchResult};
use testing::TestDatabase;

use crate::sample::batch;
use crate::statements::connect;

fn now() -> DateTime<Utc> {
    "2026-11-01T12:00:00Z".parse().unwrap()
}

async fn acme<const N: usize>(store: &Store) -> (OrgId, [MemberId; N]) {
    let org = store.org_create("acme", now()).await.unwrap();
    let mut members = [MemberId(0); N];
    for (nth, member) in members.iter_mut().enumerate() {
        let handle = format!("m{nth}");
        *member = store
            .member_add(org, &handle, MemberKind::Person, Role::Member, now())
            .await
            .unwrap();
    }
    (org, members)
}

fn call(uuid: &str, session: Option<&str>) -> Event {
    Event {
        uuid: Some(uuid.to_owned()),
        session: session.map(str::to_owned),
        project: Some("web".to_owned()),
        duration_ms: Some(100),
        ..Event::new(
            ToolId::parse("mcp:linear").unwrap(),
            CallResult::SUCCESS,
            now() - TimeDelta::hours(1),
        )
    }
}

async fn send_at(
    store: &Store,
    org: OrgId,
    member: MemberId,
    events: Vec<Event>,
    now: DateTime<Utc>,
) -> BatchResult {
    let batch = batch(member, events);
    store.ingest(org, &[batch], now).await.unwrap().remove(0)
}

async fn send(store: &Store, org: OrgId, member: MemberId, events: Vec<Event>) -> BatchResult {
    send_at(store, org, member, events, now()).await
}

/// Subject and events of a board's rows.
async fn board(store: &Store, org: OrgId, board: Board, query: LeaderboardQuery) -> Vec<(String, i64)> {
    store.refresh_boards(now().date_naive()).await.unwrap();
    let ranking = store.leaderboard(org, board, &query).await.unwrap();
    let mut rows: Vec<(String, i64)> = ranking
        .page
        .rows
        .into_iter()
        .map(|row| {
            let subject = row.tool_id.or(row.member).or(row.project).unwrap();
            (subject, row.tally.events)
        })
        .collect();
    rows.sort();
    rows
}

/// Calls of an org that do not count exactly once.
async fn not_once(database: &TestDatabase) -> i64 {
    let sql = "select count(*) as n from (
        select from usage_events
        group by org_id, session_id, uuid, tool_id
        having count(*) filter (where not already_counted) <> 1
    ) calls";
    connect(database)
        .await
        .query_one(sql, &[])
        .await
        .unwrap()
        .get("n")
}

#[tokio::test]
async fn a_call_of_two_members_counts_once_for_the_org_and_for_each_of_them() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, [ann, bob]) = acme(&store).await;
    let calls = || {
        vec![
            call("toolu_1", Some("s1")),
            call("toolu_2", Some("s1")),
            call("toolu_3", None),
        ]
    };
    let first = send(&store, org, ann, calls()).await;
    assert_eq!((first.counts.inserted, first.counts.already_counted), (3, 0));
    let mut again = calls();
    // Ids that only count calls say nothing, nor does the same id in another session or of another tool.
    again.extend([call("call_4", Some("s1")), call("toolu_1x", Some("s2"))]);
    let second = send(&store, org, bob, again).await;
    assert_eq!((second.counts.inserted, second.counts.already_counted), (5, 3));
    let third = send(&store, org, bob, calls()).await;
    assert_eq!((third.counts.duplicate, third.counts.already_counted), (3, 0));
    let positional = send(&store, org, ann, vec![call("call_4", Some("s1"))]).await;
    assert_eq!(
        (positional.counts.inserted, positional.counts.already_counted),
        (1, 0)
    );

    let all = LeaderboardQuery::default;
    let once = [("mcp:linear".to_owned(), 6)];
    assert_eq!(board(&store, org, Board::Tools, all()).await, once);
    let projects = board(&store, org, Board::Projects, all()).await;
    assert_eq!(projects, [("web".to_owned(), 6)]);
    let members = board(&store, org, Board::Members, all()).await;
    assert_eq!(members, [("m0".to_owned(), 4), ("m1".to_owned(), 5)]);
    let of_bob = LeaderboardQuery {
        member: Some("m1".to_owned()),
        ..all()
    };
    let of_bob = board(&store, org, Board::Tools, of_bob).await;
    assert_eq!(
        of_bob,
        [("mcp:linear".to_owned(), 5)],
        "a member's own boards count theirs"
    );
    let of_web = LeaderboardQuery {
        project: Some("web".to_owned()),
        ..all()
    };
    assert_eq!(board(&store, org, Board::Tools, of_web).await, once);
    let overview = store.overview(org, model::api::Window::default()).await.unwrap();
    assert_eq!(overview.totals.events, 6);
    store.refresh().await.unwrap();
    let view = "select events from tool_scores";
    let view: i64 = connect(&database)
        .await
        .query_one(view, &[])
        .await
        .unwrap()
        .get("events");
    assert_eq!(view, 6);

    let listed = store.event_list(org, &EventsQuery::default()).await.unwrap();
    let marked = listed.rows.iter().filter(|event| event.already_counted);
    assert!(marked.clone().all(|event| event.member == "m1"));
    assert_eq!(marked.count(), 3);
    assert_eq!(store.event_count(org, None).await.unwrap(), 9);
    assert_eq!(store.rebuild().await.unwrap().differences, 0);
}

#[tokio::test]
async fn members_who_upload_one_session_at_the_same_time_are_counted_once() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, members) = acme::<6>(&store).await;
    let uploads = members.into_iter().enumerate().map(|(nth, member)| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut copies = 0;
            for half in 0..2 {
                let events = (0..60)
                    .map(|n| {
                        let n = (n * 7 + nth * 11) % 60 + half * 60;
                        let session = format!("s{}", n % 5);
                        call(&format!("toolu_{n}"), (n % 6 > 0).then_some(session.as_str()))
                    })
                    .collect();
                copies += send(&store, org, member, events).await.counts.already_counted;
            }
            copies
        })
    });
    let mut copies = 0;
    for upload in uploads.collect::<Vec<_>>() {
        copies += upload.await.unwrap();
    }
    assert_eq!(copies, 5 * 120);
    assert_eq!(not_once(&database).await, 0);
    let tools = board(&store, org, Board::Tools, LeaderboardQuery::default()).await;
    assert_eq!(tools, [("mcp:linear".to_owned(), 120)]);
    assert_eq!(store.rebuild().await.unwrap().differences, 0);
}

#[tokio::test]
async fn what_counted_for_a_member_who_deletes_it_counts_for_the_next_who_has_it() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, [ann, bob, cleo]) = acme(&store).await;
    let calls = || vec![call("toolu_1", Some("s1")), call("toolu_2", None)];
    for member in [ann, bob, cleo] {
        send(&store, org, member, calls()).await;
    }
    for (handle, copies) in [("m0", 2), ("m1", 0)] {
        let act = Act::by_operator(org, now());
        store.member_erase(&act, handle).await.unwrap();
        assert_eq!(not_once(&database).await, 0, "without {handle}");
        let tools = board(&store, org, Board::Tools, LeaderboardQuery::default()).await;
        assert_eq!(tools, [("mcp:linear".to_owned(), 2)], "without {handle}");
        let listed = store.event_list(org, &EventsQuery::default()).await.unwrap();
        let marked = listed.rows.iter().filter(|event| event.already_counted).count();
        assert_eq!(marked, copies, "without {handle}");
        assert_eq!(store.rebuild().await.unwrap().differences, 0);
    }
}

#[tokio::test]
async fn what_is_new_beyond_the_limit_of_a_day_is_rejected_and_what_is_known_never() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, [ann, bob]) = acme(&store).await;
    let limits = LimitsChange {
        new_tools_a_day: Some(3),
        new_projects_a_day: Some(2),
        new_sessions_a_day: Some(2),
    };
    let limits = store
        .org_limits(&Act::by_operator(org, now()), &limits)
        .await
        .unwrap();
    assert_eq!(limits.new_tools_a_day, 3);
    let of = |tool: usize, project: usize, session: usize| Event {
        project: Some(format!("p{project}")),
        session: Some(format!("s{session}")),
        ..Event::new(
            ToolId::parse(&format!("mcp:{tool}")).unwrap(),
            CallResult::SUCCESS,
            now(),
        )
    };
    let codes = |result: &BatchResult| {
        result
            .refused
            .iter()
            .map(|notice| (notice.position, notice.code))
            .collect::<Vec<_>>()
    };
    let first = send(&store, org, ann, vec![of(1, 1, 1), of(2, 1, 1)]).await;
    assert_eq!(first.counts.inserted, 2);
    // What one member brings counts for all.
    let second = send(
        &store,
        org,
        bob,
        vec![
            of(3, 1, 1),
            of(4, 1, 1),
            of(1, 2, 1),
            of(1, 3, 1),
            of(1, 1, 2),
            of(1, 1, 3),
            of(2, 2, 2),
        ],
    )
    .await;
    assert_eq!(second.counts.inserted, 4);
    assert_eq!(
        codes(&second),
        [
            (1, NoticeCode::TooManyTools),
            (3, NoticeCode::TooManyProjects),
            (5, NoticeCode::TooManySessions)
        ]
    );
    let inventory = Inventory {
        sessions: vec![SessionInventory {
            session_id: "s9".into(),
            project: None,
            agent: None,
            observed_at: now(),
            tools: ["mcp:1", "mcp:8"]
                .map(|tool| LoadedTool::new(ToolId::parse(tool).unwrap(), 10))
                .into(),
            unreachable: Vec::new(),
        }],
        machine: Some(MachineInventory {
            machine_id: "laptop".into(),
            observed_at: now(),
            tools: ["mcp:2", "mcp:9"]
                .map(|tool| InstalledTool {
                    tool_id: ToolId::parse(tool).unwrap(),
                    description: None,
                    source: None,
                    path: None,
                    marketplace: None,
                })
                .into(),
        }),
    };
    let receipt = store.inventory_put(org, ann, &inventory, now()).await.unwrap();
    assert_eq!((receipt.too_many_tools, receipt.changed), (2, 2));
    let tomorrow = now() + TimeDelta::days(1);
    let receipt = store.inventory_put(org, ann, &inventory, tomorrow).await.unwrap();
    assert_eq!(receipt.too_many_tools, 0);
    let third = send_at(&store, org, bob, vec![of(4, 3, 3), of(5, 1, 1)], tomorrow).await;
    assert_eq!(codes(&third), [(1, NoticeCode::TooManyTools)]);
}
