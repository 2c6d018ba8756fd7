//! The plans of the statements that every upload and every request runs do not depend on what the statistics know: a new
//! org, or a new server, must not wait for an analyze.

use model::{
    Outcome,
    api::query::{DeadWeightQuery, EventsQuery, LeaderboardQuery},
};
use testing::TestDatabase;
use tokio_postgres::Client;

use crate::statements::{connect, plan};

/// Two orgs with a thousand members and forty tools each, and a function that gives one of them events.
const PREPARE: &str = "
    insert into orgs (slug, created_at) values ('acme', now()), ('bolt', now());
    insert into members (org_id, handle, kind, role, created_at)
        select o, 'member-' || n, 'person', 'member', now()
        from generate_series(1, 2) o, generate_series(1, 1000) n order by o, n;
    insert into tools select o, 'mcp:tool-' || n, 'mcp', now() from generate_series(1, 2) o, generate_series(0, 39) n;
    create function pg_temp.fill(org bigint, events int) returns void language sql as $$
        insert into usage_events
            select org, (org - 1) * 1000 + 1 + n % 20, timestamptz '2026-11-01T00:00:00Z' - n * interval '5 minutes', now(),
                n % 977, null, 'success', null, 'api', gen_random_uuid(), 'toolu_' || n,
                'mcp:tool-' || (n * 7919 % 1600 / 40), null, 'session-' || n / 50, 'project-' || n % 5
            from generate_series(1, events) n
    $$;
";

const EVENTS: &str = "bigint, bigint[], text[], text[], text[], text[], bigint[], bigint[], text[], text[], text[], text[], \
    text[], text[], text[], text[], bigint[], timestamptz[], smallint[]";
const EVENT: &str = "array[1001, 1002], array['toolu_1', 'toolu_2'], array['mcp:tool-1', 'mcp:tool-2'], \
    array['success', 'success'], array[null, null], array[1, 2], array[1, 2], array['a', 'b'], array['a', 'b'], \
    array['a', 'b'], array['a', 'b'], array['a', 'b'], array['a', 'b'], array['a', 'b'], array['a', 'b'], array[1, 2], \
    array[now(), now()], array[0, 1]::smallint[]";

/// A statement that looks rows up by their key.
struct Lookup {
    name: &'static str,
    sql: &'static str,
    types: &'static str,
    values: &'static str,
    /// The table, its key, and how often the plan reads it.
    table: &'static str,
    key: &'static str,
    times: usize,
    /// The last column of the key, which the condition of the index must name.
    column: &'static str,
}

/// What an upload runs before and after its insert, and what every request runs to know its caller.
fn lookups() -> [Lookup; 5] {
    let event = |name, sql, types, values, times| Lookup {
        name,
        sql,
        types,
        values,
        table: "usage_events",
        key: "usage_events_pkey",
        times,
        column: "uuid",
    };
    let member = |name, sql, types, values| Lookup {
        name,
        sql,
        types,
        values,
        table: "members",
        key: "members_pkey",
        times: 1,
        column: "member_id",
    };
    [
        event(
            "known",
            include_str!("../../src/ingest/known.sql"),
            "bigint, bigint[], text[]",
            "array[1001, 1002], array['toolu_1', 'toolu_2']",
            1,
        ),
        event(
            "compare",
            include_str!("../../src/ingest/compare.sql"),
            EVENTS,
            EVENT,
            1,
        ),
        event(
            "upgrade",
            include_str!("../../src/ingest/upgrade.sql"),
            EVENTS,
            EVENT,
            2,
        ),
        member(
            "policy",
            include_str!("../../src/policy/read.sql"),
            "bigint, bigint[]",
            "array[1001, 1002]",
        ),
        member(
            "speaker",
            include_str!("../../src/identity/speaker.sql"),
            "bigint, bigint, uuid",
            "1001, '00000000-0000-0000-0000-000000000001'",
        ),
    ]
}

async fn prepare_all(client: &Client) {
    for Lookup { name, sql, types, .. } in lookups() {
        client
            .batch_execute(&format!("prepare {name} ({types}) as {sql}"))
            .await
            .unwrap();
    }
}

/// Asserts that each lookup reads its rows of org 2 by the whole key.
async fn assert_by_key(client: &Client, when: &str) {
    assert_lookups(client, when, &lookups()).await;
}

async fn assert_lookups(client: &Client, when: &str, lookups: &[Lookup]) {
    for lookup in lookups {
        let Lookup {
            name,
            values,
            table,
            key,
            times,
            column,
            ..
        } = *lookup;
        let plan = plan(client, &format!("execute {name} (2, {values})")).await;
        let lines: Vec<&str> = plan.lines().map(str::trim_start).collect();
        let mut found = 0;
        for (at, line) in lines.iter().enumerate() {
            let reads = line.contains(" Scan") && format!("{line} ").contains(&format!(" on {table} "));
            if !reads {
                continue;
            }
            found += 1;
            // A bitmap names its index two lines below the table.
            let (index, condition) = if line.contains("Bitmap Heap Scan") {
                (
                    lines
                        .iter()
                        .skip(at)
                        .position(|line| line.contains("Bitmap Index Scan")),
                    format!(" on {key}"),
                )
            } else {
                (Some(0), format!(" using {key} "))
            };
            let index = at + index.unwrap_or_default();
            assert!(lines[index].contains(&condition), "{when}: {name}:\n{plan}");
            let condition = lines.get(index + 1).copied().unwrap_or_default();
            assert!(
                condition.starts_with("Index Cond") && condition.contains(column),
                "{when}: {name} does not use the whole key:\n{plan}"
            );
        }
        assert_eq!(found, times, "{when}: {name}:\n{plan}");
    }
}

/// The setting that an ingest makes, here for the session; the statement of the ingest sets it for a transaction.
async fn plan_as_an_ingest_does(client: &Client) {
    let sql = include_str!("../../src/session/plan_for_any_org.sql");
    client.batch_execute("begin").await.unwrap();
    client.batch_execute(sql).await.unwrap();
    let row = client
        .query_one("select current_setting('plan_cache_mode') as mode", &[])
        .await
        .unwrap();
    let mode: String = row.get("mode");
    client.batch_execute("commit").await.unwrap();
    assert_eq!(mode, "force_generic_plan");
    client
        .batch_execute(&format!("set plan_cache_mode = {mode}"))
        .await
        .unwrap();
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn tables_without_statistics_are_read_by_the_key() {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    run(&client, PREPARE).await;
    run(
        &client,
        "alter table usage_events set (autovacuum_enabled = false)",
    )
    .await;
    plan_as_an_ingest_does(&client).await;
    prepare_all(&client).await;
    // An upgrade is planned when there is an event to upgrade, the others before that.
    let before: Vec<Lookup> = lookups()
        .into_iter()
        .filter(|lookup| lookup.name != "upgrade")
        .collect();
    assert_lookups(&client, "before the first event", &before).await;
    run(&client, "select pg_temp.fill(2, 5000)").await;
    assert_lookups(&client, "with the plans of an empty table", &before).await;
    run(&client, "deallocate all").await;
    prepare_all(&client).await;
    assert_by_key(&client, "before the first analyze").await;
}

#[tokio::test]
async fn an_org_that_the_statistics_do_not_know_is_read_by_the_key() {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    run(&client, PREPARE).await;
    run(
        &client,
        "alter table usage_events set (autovacuum_enabled = false)",
    )
    .await;
    run(
        &client,
        "select pg_temp.fill(1, 60000); analyze usage_events; analyze members",
    )
    .await;
    run(&client, "select pg_temp.fill(2, 20000)").await;
    plan_as_an_ingest_does(&client).await;
    prepare_all(&client).await;
    assert_by_key(&client, "when the statistics know one org").await;
    run(&client, "analyze usage_events").await;
    assert_by_key(&client, "when they know both").await;
}

/// What lists of events are asked for, the index that each reads, and the columns of it that its condition names.
fn lists() -> Vec<(EventsQuery, bool, &'static str, &'static str)> {
    let all = EventsQuery::default();
    let (tool, member) = (Some("mcp:tool-7".to_owned()), Some("member-7".to_owned()));
    let (session, project) = (Some("session-7".to_owned()), Some("project-3".to_owned()));
    vec![
        (all.clone(), false, "usage_events_recent_idx", "org_id"),
        (all.clone(), true, "usage_events_recent_idx", "occurred_at"),
        (
            EventsQuery {
                tool_id: tool.clone(),
                ..all.clone()
            },
            false,
            "usage_events_tool_recent_idx",
            "tool_id",
        ),
        (
            EventsQuery {
                tool_id: tool.clone(),
                ..all.clone()
            },
            true,
            "usage_events_tool_recent_idx",
            "occurred_at",
        ),
        (
            EventsQuery {
                member: member.clone(),
                ..all.clone()
            },
            false,
            "usage_events_member_idx",
            "member_id",
        ),
        (
            EventsQuery {
                session,
                ..all.clone()
            },
            false,
            "usage_events_session_idx",
            "session_id",
        ),
        (
            EventsQuery {
                outcome: Some(Outcome::Failure),
                ..all.clone()
            },
            false,
            "usage_events_outcome_idx",
            "outcome",
        ),
        (
            EventsQuery {
                project,
                ..all.clone()
            },
            false,
            "usage_events_member_idx",
            "occurred_at",
        ),
        (
            EventsQuery {
                tool_id: tool,
                member,
                ..all
            },
            true,
            "usage_events_member_idx",
            "occurred_at",
        ),
    ]
}

#[tokio::test]
async fn lists_of_events_of_an_org_that_the_statistics_do_not_know_read_the_index_of_their_filters() {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    run(&client, PREPARE).await;
    run(
        &client,
        "alter table usage_events set (autovacuum_enabled = false)",
    )
    .await;
    plan_as_an_ingest_does(&client).await;
    let types =
        "bigint, text, bigint, text, text, text, timestamptz, timestamptz, timestamptz, bigint, text, bigint";
    for (when, prepare) in [
        ("before the first analyze", "select pg_temp.fill(2, 20000)"),
        (
            "when the statistics know one org",
            "truncate usage_events; select pg_temp.fill(1, 60000); analyze usage_events; analyze members; \
             select pg_temp.fill(2, 20000)",
        ),
        ("when they know both", "analyze usage_events"),
    ] {
        run(&client, prepare).await;
        for (query, after, index, column) in lists() {
            let sql = store::events::statement(&query, after);
            run(&client, &format!("prepare list ({types}) as {sql}")).await;
            let values = "'mcp:tool-7', 1007, 'session-7', 'project-3', 'failure', null, null, '2026-10-01', 1007, 'x', 51";
            let plan = plan(&client, &format!("execute list (2, {values})")).await;
            run(&client, "deallocate list").await;
            let lines: Vec<&str> = plan.lines().map(str::trim_start).collect();
            let at = lines
                .iter()
                .position(|line| line.contains(&format!(" {index}")))
                .unwrap_or_else(|| panic!("{when}: {query:?} does not read {index}:\n{plan}"));
            let condition = lines.get(at + 1).copied().unwrap_or_default();
            assert!(
                condition.starts_with("Index Cond") && condition.contains(column),
                "{when}: {query:?}:\n{plan}"
            );
            assert!(!plan.contains("Seq Scan on usage_"), "{when}: {query:?}:\n{plan}");
        }
    }
}

/// What is counted on request about one member, project or tool: the statement, its parameters, and the columns that the
/// conditions of its scans of a table name.
fn counted_on_request() -> Vec<(&'static str, String, String, &'static str, &'static str)> {
    let board = |query: &LeaderboardQuery| {
        let types = "bigint, text, date, date, text, text, bigint, bigint, bigint, bigint, text, date, date, date, date";
        let values = "2, 'tools', '2026-10-01', '2026-09-01', null, 'project-3', 1007, 1, 0, 51, null, \
            '2026-10-31', '2026-09-30', '2026-09-01', '2026-10-31'";
        prepared(types, &store::leaderboards::live_statement(query, true), values)
    };
    let audit = |query: &DeadWeightQuery| {
        let types = "bigint, date, text, text, bigint, boolean, bigint, bigint, boolean";
        let values = "2, '2026-10-01', null, 'project-3', 1007, true, 0, 51, false";
        prepared(types, &store::dead_weight::live_statement(query), values)
    };
    let (member, project) = (Some("member-7".to_owned()), Some("project-3".to_owned()));
    let [events, durations, days] = store::tool_detail::statements(true);
    let of_tool = |sql: &str, since: &str| {
        let values = "2, 'mcp:tool-7', '2026-10-01'";
        prepared(&format!("bigint, text, {since}"), sql, values)
    };
    let row =
        |what, (prepare, execute): (String, String), table, column| (what, prepare, execute, table, column);
    vec![
        row(
            "the board of a member",
            board(&LeaderboardQuery {
                member: member.clone(),
                ..LeaderboardQuery::default()
            }),
            "usage_days",
            "member_id",
        ),
        row(
            "the board of a project",
            board(&LeaderboardQuery {
                project: project.clone(),
                ..LeaderboardQuery::default()
            }),
            "usage_days",
            "project",
        ),
        row(
            "the dead weight of a member",
            audit(&DeadWeightQuery {
                member,
                ..DeadWeightQuery::default()
            }),
            "usage_days",
            "member_id",
        ),
        row(
            "the dead weight of a project",
            audit(&DeadWeightQuery {
                project,
                ..DeadWeightQuery::default()
            }),
            "usage_days",
            "project",
        ),
        row(
            "the events of a tool",
            of_tool(&events, "timestamptz"),
            "usage_events",
            "tool_id",
        ),
        row(
            "the durations of a tool",
            of_tool(&durations, "timestamptz"),
            "usage_events",
            "tool_id",
        ),
        row(
            "the days of a tool",
            of_tool(&days, "date"),
            "usage_days",
            "tool_id",
        ),
    ]
}

/// The commands that prepare and execute a statement.
fn prepared(types: &str, sql: &str, values: &str) -> (String, String) {
    (
        format!("prepare asked ({types}) as {sql}"),
        format!("execute asked ({values})"),
    )
}

/// The conditions of the indexes by which a plan reads a table.
fn conditions<'p>(plan: &'p str, table: &str) -> Vec<&'p str> {
    let lines: Vec<&str> = plan.lines().map(str::trim_start).collect();
    let reads = |line: &&str| {
        line.contains(&format!("Bitmap Index Scan on {table}"))
            || (line.contains("Index") && format!("{line} ").contains(&format!(" on {table} ")))
    };
    lines
        .windows(2)
        .filter(|pair| reads(&pair[0]))
        .map(|pair| pair[1])
        .collect()
}

#[tokio::test]
async fn what_is_counted_on_request_of_an_org_that_the_statistics_do_not_know_reads_the_index_of_its_filter()
{
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    run(&client, PREPARE).await;
    run(
        &client,
        "alter table usage_events set (autovacuum_enabled = false); \
         alter table usage_days set (autovacuum_enabled = false); \
         create function pg_temp.count(org bigint) returns void language sql as $$ \
             insert into usage_days (org_id, member_id, day, tool_id, project, already_counted, events, successes, \
                 failures, abandoned, unknown, unknown_tool, costed, timed, cost_micro_usd, first_used_at, last_used_at) \
             select org_id, member_id, occurred_at::date, tool_id, project, false, count(*), count(*), 0, 0, 0, 0, 0, 0, 0, \
                 min(occurred_at), max(occurred_at) \
             from usage_events where org_id = org group by 1, 2, 3, 4, 5 $$",
    )
    .await;
    plan_as_an_ingest_does(&client).await;
    for (when, prepare) in [
        (
            "before the first analyze",
            "select pg_temp.fill(2, 20000); select pg_temp.count(2)",
        ),
        (
            "when the statistics know one org",
            "truncate usage_events, usage_days; select pg_temp.fill(1, 60000); select pg_temp.count(1); \
             analyze usage_events; analyze usage_days; analyze members; select pg_temp.fill(2, 20000); \
             select pg_temp.count(2)",
        ),
        ("when they know both", "analyze usage_events; analyze usage_days"),
    ] {
        run(&client, prepare).await;
        for (what, prepare, execute, table, column) in counted_on_request() {
            run(&client, &prepare).await;
            let plan = plan(&client, &execute).await;
            run(&client, "deallocate asked").await;
            let conditions = conditions(&plan, table);
            assert!(
                conditions.iter().any(|condition| condition.contains(column)),
                "{when}: {what} does not look {column} up:\n{plan}"
            );
            assert!(!plan.contains("Seq Scan on usage_"), "{when}: {what}:\n{plan}");
        }
    }
}

/// The test can fail: written as an equality, the same look-up reads all events of the org.
#[tokio::test]
async fn a_look_up_that_trusts_the_statistics_reads_the_whole_org() {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    run(&client, PREPARE).await;
    run(
        &client,
        "alter table usage_events set (autovacuum_enabled = false)",
    )
    .await;
    run(
        &client,
        "select pg_temp.fill(1, 60000); analyze usage_events; select pg_temp.fill(2, 20000)",
    )
    .await;
    run(&client, "set plan_cache_mode = force_custom_plan").await;
    let plan = plan(
        &client,
        "select 1 from usage_events where org_id = 2 and member_id = 1001 and uuid = 'toolu_20'",
    )
    .await;
    assert!(!plan.contains("usage_events_pkey"), "{plan}");
}
