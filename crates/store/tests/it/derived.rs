//! What is maintained equals what plain SQL says, whatever happened in between.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use model::{
    Event, MemberId, MicroUsd, OrgId, ToolId,
    inventory::{Inventory, LoadedTool, SessionInventory},
    team::{MemberKind, Role},
};
use store::{
    Store,
    audit::{Act, Actor},
};
use testing::TestDatabase;
use tokio_postgres::Client;

use crate::{
    random::{RESULTS, Random},
    sample::batch,
    statements::connect,
};

const TOOLS: [&str; 6] = [
    "mcp:a",
    "mcp:b",
    "skill:c",
    "builtin:Bash",
    "builtin:Read",
    "agent:d",
];

/// The boards as they are defined, from the events alone. $1: the org, $2: the last day. Floating point numbers are
/// compared by their bits.
const PLAIN: &str = "
    with parts as (
        select s.board, w.days, b.builtins, s.subject, e.*, e.outcome::text as word,
            w.days = 0 or e.occurred_at >= ($2::date - w.days + 1)::timestamp at time zone 'UTC' as inside
        from usage_events e
        cross join board_windows w
        cross join (values (true), (false)) as b (builtins)
        cross join lateral (
            values
                ('tools', case when not e.already_counted then e.tool_id end),
                ('members', e.member_id::text),
                ('projects', case when not e.already_counted then e.project end),
                ('already_counted', case when e.already_counted then '' end)
        ) as s (board, subject)
        where e.org_id = $1 and s.subject is not null
            and (w.days = 0 or e.occurred_at >= ($2::date - 2 * w.days + 1)::timestamp at time zone 'UTC')
            and (b.builtins or e.tool_id not like 'builtin:%')
    )
    select
        board, days, builtins, subject,
        count(distinct tool_id) filter (where inside) as tools,
        count(distinct member_id) filter (where inside) as members,
        count(*) filter (where inside) as events,
        count(*) filter (where inside and word = 'success') as successes,
        count(*) filter (where inside and word = 'failure') as failures,
        count(*) filter (where inside and word = 'abandoned') as abandoned,
        count(*) filter (where inside and word = 'unknown') as unknown,
        count(*) filter (where inside and reason = 'unknown_tool') as unknown_tool,
        count(cost_micro_usd) filter (where inside) as costed,
        coalesce(sum(cost_micro_usd) filter (where inside), 0) as cost_micro_usd,
        coalesce(sum(run_cost_micro_usd) filter (where inside), 0) as run_cost_micro_usd,
        count(*) filter (where not inside) as previous_events,
        float8send(count(*) filter (where inside and word = 'success')::float8 / count(*) filter (where inside)) as rate,
        float8send(
            sum(cost_micro_usd) filter (where inside)::float8 / nullif(count(cost_micro_usd) filter (where inside), 0) / 1e6
        ) as cost,
        float8send(wilson_low(
            count(*) filter (where not inside and word = 'success'),
            count(*) filter (where not inside and word in ('success', 'failure'))
        )) as previous_low,
        case when board = 'tools' then
            float8send(percentile_cont(0.5) within group (order by duration_ms) filter (where inside)) end as median,
        min(occurred_at) filter (where inside) as first_used_at,
        max(occurred_at) filter (where inside) as last_used_at
    from parts
    group by board, days, builtins, subject
    having count(*) filter (where inside) > 0";

const KEPT: &str = "
    select board, days, builtins, subject, tools, members, events, successes, failures, abandoned, unknown,
        unknown_tool, costed, cost_micro_usd, run_cost_micro_usd, previous_events, float8send(success_rate) as rate,
        float8send(avg_cost_usd) as cost, float8send(previous_wilson_low) as previous_low, float8send(median_duration_ms) as median, first_used_at,
        last_used_at
    from board_scores
    where org_id = $1 and $2::date is not null";

const PLAIN_LOADED: &str = "
    select w.days, s.tool_id, count(*) as sessions, count(distinct s.member_id) as members,
        sum(s.context_bytes)::bigint as context_bytes, min(s.observed_at) as first_loaded_at,
        sum(s.context_tokens)::bigint as context_tokens, sum(s.requests)::bigint as requests,
        sum(s.carried_tokens)::bigint as carried_tokens, sum(s.cost_micro_usd)::bigint as cost_micro_usd,
        max(s.invoke_tokens) as invoke_tokens
    from session_tools s
    join board_windows w on w.days = 0 or s.observed_at >= ($2::date - w.days + 1)::timestamp at time zone 'UTC'
    where s.org_id = $1
    group by 1, 2";

const KEPT_LOADED: &str = "
    select days, tool_id, sessions, members, context_bytes, first_loaded_at, context_tokens, requests, carried_tokens,
        cost_micro_usd, invoke_tokens
    from loaded_tools
    where org_id = $1 and $2::date is not null";

/// Calls that the org does not count once. $1: the org.
const NOT_ONCE: &str = "
    select session_id, uuid, tool_id, count(*) filter (where not already_counted) as counted
    from usage_events
    where org_id = $1 and $2::date is not null
    group by 1, 2, 3
    having count(*) filter (where not already_counted) <> 1";

/// Every row of a query, as text.
async fn rows(client: &Client, sql: &str, org: OrgId, today: NaiveDate) -> Vec<String> {
    let sql = format!("select (r.*)::text as line from ({sql}) r order by 1");
    let rows = client.query(&sql, &[&org.0, &today]).await.unwrap();
    rows.iter().map(|row| row.get("line")).collect()
}

/// Returns how many rows of boards were compared.
async fn assert_exact(client: &Client, org: OrgId, today: NaiveDate, when: &str) -> usize {
    let kept = rows(client, KEPT, org, today).await;
    assert_eq!(kept, rows(client, PLAIN, org, today).await, "boards {when}");
    let not_once = rows(client, NOT_ONCE, org, today).await;
    assert_eq!(not_once, [""; 0], "each call is counted once {when}");
    let loaded = rows(client, KEPT_LOADED, org, today).await;
    assert_eq!(
        loaded,
        rows(client, PLAIN_LOADED, org, today).await,
        "loaded tools {when}"
    );
    kept.len()
}

fn start() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

struct Team {
    store: Store,
    client: Client,
    org: OrgId,
    members: Vec<MemberId>,
}

async fn team(database: &TestDatabase) -> Team {
    let store = database.store().await;
    let org = store.org_create("acme", start()).await.unwrap();
    let mut members = Vec::new();
    for handle in ["ann", "bob", "cleo"] {
        let member = store.member_add(org, handle, MemberKind::Person, Role::Member, start());
        members.push(member.await.unwrap());
    }
    Team {
        store,
        client: connect(database).await,
        org,
        members,
    }
}

fn event(random: &mut Random, now: DateTime<Utc>) -> Event {
    let key = random.below(900);
    // The tool and the time of a call follow from its key: only what else is known of it may change.
    let age = TimeDelta::minutes((key * 7919 % 150_000).cast_signed());
    Event {
        uuid: Some(format!("toolu_{}_{key}", now.format("%m"))),
        // Few values for one of the tools: its median is one of many equal durations.
        duration_ms: (random.below(4) > 0).then(|| {
            if key.is_multiple_of(6) {
                random.signed(3)
            } else {
                random.signed(5_000)
            }
        }),
        cost: (random.below(3) == 0).then(|| MicroUsd(random.signed(90_000))),
        run_cost: (random.below(5) == 0).then(|| MicroUsd(random.signed(900_000))),
        project: random.one(&[None, Some("web"), Some("api")]).map(str::to_owned),
        session: (!key.is_multiple_of(4)).then(|| format!("session-{}", key / 30)),
        ..Event::new(
            ToolId::parse(TOOLS[usize::try_from(key % 6).unwrap()]).unwrap(),
            random.one(&RESULTS),
            now - age,
        )
    }
}

impl Team {
    async fn upload(&self, random: &mut Random, now: DateTime<Utc>) {
        let batch = batch(
            random.one(&self.members),
            (0..random.below(60)).map(|_| event(random, now)).collect(),
        );
        self.store.ingest(self.org, &[batch], now).await.unwrap();
    }

    async fn load(&self, random: &mut Random, now: DateTime<Utc>) {
        let sessions = (0..3)
            .map(|_| SessionInventory {
                session_id: format!("session-{}", random.below(40)),
                project: None,
                agent: None,
                observed_at: now - TimeDelta::hours(random.signed(3_000)),
                tools: (0..3)
                    .map(|_| LoadedTool {
                        requests: Some(random.signed(40)),
                        carried_tokens: Some(random.signed(9_000)),
                        cost_micro_usd: (random.below(3) > 0).then(|| random.signed(700)),
                        invoke_tokens: (random.below(3) == 0).then(|| random.signed(2_000)),
                        ..LoadedTool::new(ToolId::parse(random.one(&TOOLS)).unwrap(), 1 + random.signed(500))
                    })
                    .collect(),
                unreachable: Vec::new(),
            })
            .collect();
        let inventory = Inventory {
            sessions,
            machine: None,
        };
        let member = random.one(&self.members);
        self.store
            .inventory_put(self.org, member, &inventory, now)
            .await
            .unwrap();
    }

    async fn erase(&self, handle: &str, now: DateTime<Utc>) {
        let act = Act {
            org: self.org,
            actor: Actor::Operator,
            now,
        };
        self.store.member_erase(&act, handle).await.unwrap();
    }

    async fn keep_days(&self, days: i32) {
        self.client
            .execute("update orgs set retention_days = $1", &[&days])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn boards_are_exact_after_any_uploads_deletions_and_midnights() {
    let database = TestDatabase::new().await;
    let team = team(&database).await;
    let mut random = Random(0x9e37_79b9);
    let (mut now, mut compared) = (start(), 0);
    for step in 0..90 {
        let when = format!("after step {step}");
        match random.below(12) {
            0..=5 => team.upload(&mut random, now).await,
            6 | 7 => team.load(&mut random, now).await,
            8 | 9 => now += TimeDelta::days(random.signed(4)),
            10 if step > 60 => team.erase(random.one(&["ann", "bob", "cleo"]), now).await,
            11 if step > 40 => {
                team.keep_days(100 - step).await;
                team.store.retention_run(now).await.unwrap();
            }
            _ => now += TimeDelta::days(random.one(&[1, 20, 45])),
        }
        // Sometimes several changes share a refresh.
        if random.below(3) > 0 {
            team.store.refresh_boards(now.date_naive()).await.unwrap();
            compared += assert_exact(&team.client, team.org, now.date_naive(), &when).await;
        }
        if step % 15 == 14 {
            let rebuilt = team.store.rebuild().await.unwrap();
            assert_eq!(rebuilt.differences, 0, "{when}");
        }
    }
    assert!(compared > 2_000, "{compared} rows were compared");
}

#[tokio::test]
async fn a_day_that_goes_back_is_counted_as_exactly_as_one_that_goes_on() {
    let database = TestDatabase::new().await;
    let team = team(&database).await;
    let mut random = Random(7);
    for _ in 0..8 {
        team.upload(&mut random, start()).await;
    }
    for days in [0, -3, 5, 80, -80, 0] {
        let today = (start() + TimeDelta::days(days)).date_naive();
        team.store.refresh_boards(today).await.unwrap();
        assert_exact(&team.client, team.org, today, &format!("on {today}")).await;
    }
}

#[tokio::test]
async fn another_window_is_one_more_row() {
    let database = TestDatabase::new().await;
    let team = team(&database).await;
    let mut random = Random(14);
    let today = start().date_naive();
    for _ in 0..6 {
        team.upload(&mut random, start()).await;
        team.load(&mut random, start()).await;
    }
    team.store.refresh_boards(today).await.unwrap();
    for change in [
        "insert into board_windows (days) values (14)",
        "delete from board_windows where days = 30",
    ] {
        team.client.batch_execute(change).await.unwrap();
        team.store.refresh_boards(today).await.unwrap();
        assert_exact(&team.client, team.org, today, change).await;
    }
    let fortnight = "select count(*) as n from board_scores where days = 14";
    let fortnight: i64 = team.client.query_one(fortnight, &[]).await.unwrap().get("n");
    assert!(fortnight > 10, "{fortnight}");
    team.upload(&mut random, start()).await;
    team.store.refresh_boards(today).await.unwrap();
    assert_exact(&team.client, team.org, today, "after an upload").await;
}

#[tokio::test]
async fn what_was_changed_by_hand_is_found_and_counted_anew() {
    let database = TestDatabase::new().await;
    let team = team(&database).await;
    let mut random = Random(3);
    for _ in 0..6 {
        team.upload(&mut random, start()).await;
        team.load(&mut random, start()).await;
    }
    team.store.refresh().await.unwrap();
    assert_eq!(team.store.rebuild().await.unwrap().differences, 0);
    for change in [
        "update board_scores set events = events + 1 where board = 'members' and days = 0",
        "update board_days set failures = failures + 1 where board = 'tools'",
        "update tool_medians set below = below + 1 where days = 0",
        "update tool_medians set below = below + 1000",
        "delete from loaded_days",
        "update loaded_members set last_loaded_at = last_loaded_at - interval '1 day'",
        "update loaded_tools set sessions = 0",
        "update loaded_tools set requests = requests + 1",
        "update loaded_days set cost_micro_usd = 0",
        "update usage_days set events = events + 1",
    ] {
        team.client.batch_execute(change).await.unwrap();
        assert!(team.store.rebuild().await.unwrap().differences > 0, "{change}");
        assert_eq!(
            team.store.rebuild().await.unwrap().differences,
            0,
            "after {change}"
        );
        let today = "select today from board_state";
        let today: NaiveDate = team.client.query_one(today, &[]).await.unwrap().get("today");
        assert_exact(&team.client, team.org, today, change).await;
    }
}

/// What the refresh of one org writes does not depend on other orgs, and an org whose refresh fails stops none.
#[tokio::test]
async fn a_refresh_writes_rows_of_the_orgs_that_changed_and_of_no_other() {
    let database = TestDatabase::new().await;
    let team = team(&database).await;
    let mut random = Random(5);
    let other = team.store.org_create("other", start()).await.unwrap();
    let member = team
        .store
        .member_add(other, "zoe", MemberKind::Person, Role::Member, start())
        .await
        .unwrap();
    let elsewhere = Team {
        store: team.store.clone(),
        client: connect(&database).await,
        org: other,
        members: vec![member],
    };
    for team in [&team, &elsewhere] {
        team.upload(&mut random, start()).await;
    }
    let today = start().date_naive();
    team.store.refresh_boards(today).await.unwrap();
    let versions = async |org: OrgId| -> Vec<String> {
        let sql = "select ctid::text || xmin::text as version from board_scores where org_id = $1 order by 1";
        let rows = team.client.query(sql, &[&org.0]).await.unwrap();
        rows.iter().map(|row| row.get("version")).collect()
    };
    let before = (versions(team.org).await, versions(other).await);
    team.upload(&mut random, start()).await;
    team.upload(&mut random, start()).await;
    team.store.refresh_boards(today).await.unwrap();
    assert_ne!(versions(team.org).await, before.0);
    assert_eq!(versions(other).await, before.1);

    // A pivot that cannot be: there is no duration at its rank.
    team.client
        .execute(
            "update tool_medians set below = below + 1000 where org_id = $1",
            &[&other.0],
        )
        .await
        .unwrap();
    elsewhere.upload(&mut random, start()).await;
    elsewhere.upload(&mut random, start()).await;
    team.upload(&mut random, start()).await;
    team.store.refresh_boards(today).await.unwrap();
    assert_exact(&team.client, team.org, today, "beside an org whose refresh fails").await;
    let failed = team.store.freshness(other).await.unwrap().state;
    assert!(failed.last_error.is_some() && failed.pending, "{failed:?}");
    let fine = team.store.freshness(team.org).await.unwrap().state;
    assert!(fine.last_error.is_none() && !fine.pending, "{fine:?}");
    assert!(
        failed.as_of < fine.as_of,
        "its boards are as old as its last refresh"
    );
}
