//! Every statement is valid on the schema, and the hot ones have the plans that make them hot.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use testing::TestDatabase;
use tokio_postgres::Client;

pub(crate) async fn connect(database: &TestDatabase) -> Client {
    let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

fn statements(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            statements(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            found.push(path);
        }
    }
}

#[tokio::test]
async fn every_statement_has_a_label_of_its_own_and_can_be_prepared() {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    statements(&source, &mut found);
    assert!(
        found.len() > 30,
        "the statements were looked for in the wrong place"
    );
    let mut labels = HashSet::new();
    for path in found {
        let sql = std::fs::read_to_string(&path).unwrap();
        let label = sql
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("-- "))
            .unwrap_or_default()
            .to_owned();
        assert!(
            label.contains("::"),
            "{} has no label in its first line",
            path.display()
        );
        assert!(
            labels.insert(label.clone()),
            "{} has the label of another: {label}",
            path.display()
        );
        if let Err(error) = client.prepare(&sql).await {
            panic!("{} cannot be prepared: {:?}", path.display(), error.as_db_error());
        }
    }
}

/// How a plan reads the events of one day and no others, whether by the member's index or by the tool's.
const BY_DAY: &str = "(occurred_at >= ((";

/// Events of twenty members over two hundred days, enough that the planner has a choice.
const FILL: &str = "
    insert into orgs (slug, created_at) values ('acme', now());
    insert into members (org_id, handle, kind, role, created_at)
        select 1, 'member-' || n, 'person', 'member', now() from generate_series(1, 20) n;
    insert into tools select 1, 'mcp:tool-' || n, 'mcp', now() from generate_series(0, 39) n;
    insert into usage_events
        select 1, 1 + n % 20, timestamptz '2026-11-01T00:00:00Z' - n * interval '5 minutes', now(), n % 977, null,
            case when n % 9 = 0 then 'failure' else 'success' end::event_outcome, null, 'api', gen_random_uuid(),
            'toolu_' || n, 'mcp:tool-' || (n * 7919 % 1600 / 40), null, 'session-' || n / 50, 'project-' || n % 5
        from generate_series(1, 60000) n;
";

async fn filled() -> (TestDatabase, Client) {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    client.batch_execute(FILL).await.unwrap();
    let store = database.store().await;
    assert!(
        store.rebuild().await.unwrap().differences > 0,
        "the rows were written past the rollup"
    );
    for statement in [
        "vacuum analyze usage_events",
        "vacuum analyze usage_days",
        "set plan_cache_mode = force_custom_plan",
    ] {
        client.batch_execute(statement).await.unwrap();
    }
    (database, client)
}

pub(crate) async fn plan(client: &Client, sql: &str) -> String {
    let rows = client
        .query(&format!("explain (costs off) {sql}"), &[])
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.get::<_, String>("QUERY PLAN"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The plan of a statement with these parameters, as the driver's unnamed statements are planned.
async fn plan_of(client: &Client, sql: &str, types: &str, values: &str) -> String {
    client.batch_execute("deallocate all").await.unwrap();
    client
        .batch_execute(&format!("prepare asked ({types}) as {sql}"))
        .await
        .unwrap();
    let plan = plan(client, &format!("execute asked ({values})")).await;
    assert!(
        !plan.contains("Seq Scan on usage_events"),
        "all events are read:\n{plan}"
    );
    plan
}

#[tokio::test]
async fn the_scores_read_the_events_from_the_covering_index_alone() {
    let (_database, client) = filled().await;
    let view = client
        .query_one("select pg_get_viewdef('tool_scores'::regclass)", &[])
        .await
        .unwrap();
    let plan = plan(
        &client,
        view.get::<_, String>("pg_get_viewdef").trim_end_matches(';'),
    )
    .await;
    assert!(
        plan.contains("Index Only Scan using usage_events_durations_idx on usage_events"),
        "{plan}"
    );
    assert!(!plan.contains("Seq Scan on usage_events"), "{plan}");
}

#[tokio::test]
async fn whatever_events_are_asked_for_only_a_part_of_them_is_read() {
    let (_database, client) = filled().await;
    let types =
        "bigint, text, bigint, text, text, text, timestamptz, timestamptz, timestamptz, bigint, text, bigint";
    let list = include_str!("../../src/events/list.sql");
    let by_day = include_str!("../../src/events/by_day.sql");
    let page = "'2026-09-01', 3, 'toolu_1', 51";
    for (sql, values, index) in [
        (
            list,
            "1, null, null, null, null, null, null, null, null, null, null, 51",
            "usage_events_recent_idx",
        ),
        (
            list,
            &format!("1, null, null, null, null, null, null, null, {page}"),
            "usage_events_recent_idx",
        ),
        (
            list,
            "1, 'mcp:tool-7', null, null, null, null, null, null, null, null, null, 51",
            "usage_events_tool_recent_idx",
        ),
        (
            list,
            "1, null, 7, null, null, null, null, null, null, null, null, 51",
            "usage_events_member_idx",
        ),
        (
            list,
            "1, null, null, 'session-7', null, null, null, null, null, null, null, 51",
            "usage_events_session_idx",
        ),
        (
            by_day,
            "1, null, null, null, 'project-3', null, null, null, null, null, null, 51",
            BY_DAY,
        ),
        (
            by_day,
            "1, 'mcp:tool-7', 7, null, null, 'failure', null, null, null, null, null, 51",
            BY_DAY,
        ),
        (
            by_day,
            &format!("1, 'mcp:tool-7', null, null, 'project-3', null, null, null, {page}"),
            BY_DAY,
        ),
    ] {
        let plan = plan_of(&client, sql, types, values).await;
        assert!(plan.contains(index), "{values} does not use {index}:\n{plan}");
    }
}

#[tokio::test]
async fn a_tool_in_depth_reads_the_events_of_that_tool() {
    let (_database, client) = filled().await;
    for (sql, index) in [
        (
            include_str!("../../src/tool_detail/events.sql"),
            "usage_events_tool_recent_idx",
        ),
        (
            include_str!("../../src/tool_detail/durations.sql"),
            "Index Only Scan using usage_events_durations_idx",
        ),
    ] {
        let plan = plan_of(
            &client,
            sql,
            "bigint, text, timestamptz",
            "1, 'mcp:tool-7', '2026-10-20'",
        )
        .await;
        assert!(plan.contains(index), "{plan}");
    }
}

#[tokio::test]
async fn boards_and_audits_are_read_without_any_event() {
    let (_database, client) = filled().await;
    for (sql, types, values) in [
        (
            include_str!("../../src/leaderboards/precomputed.sql"),
            "bigint, text, int, boolean, text, bigint, bigint, bigint",
            "1, 'tools', 30, false, null, 1, 0, 51",
        ),
        (
            include_str!("../../src/leaderboards/precomputed_members.sql"),
            "bigint, int, boolean, bigint, bigint, bigint, text",
            "1, 30, false, 1, 0, 51, null",
        ),
        (
            include_str!("../../src/dead_weight/precomputed.sql"),
            "bigint, int, text, boolean, bigint, bigint, boolean, date",
            "1, 30, null, true, 0, 51, true, '2026-10-01'",
        ),
        (
            include_str!("../../src/dead_weight/live.sql"),
            "bigint, date, text, text, bigint, boolean, bigint, bigint, boolean",
            "1, '2026-10-01', null, null, 7, true, 0, 51, true",
        ),
    ] {
        let plan = plan_of(&client, sql, types, values).await;
        assert!(!plan.contains("usage_events"), "{plan}");
    }
}

/// Whatever the statistics say, and before there are any.
#[tokio::test]
async fn models_without_a_cost_are_found_by_steps_of_their_index() {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    let index = "usage_events_uncosted_idx";
    for changed in [
        "set plan_cache_mode = force_custom_plan",
        FILL,
        "update usage_events set model = 'm' || occurred_at::date",
        "vacuum analyze usage_events",
        "set plan_cache_mode = force_generic_plan",
    ] {
        client.batch_execute(changed).await.unwrap();
        let models = include_str!("../../src/prices/uncosted_models.sql");
        let plan = plan_of(&client, models, "bigint, bigint", "1, 500").await;
        assert_eq!(plan.matches(index).count(), 2, "{changed}:\n{plan}");
        assert!(!plan.contains("Sort"), "{changed}:\n{plan}");
        let calls = include_str!("../../src/prices/uncosted_calls.sql");
        let plan = plan_of(&client, calls, "bigint, text[], bigint", "1, '{a,b}', 10001").await;
        assert_eq!(plan.matches(index).count(), 3, "{changed}:\n{plan}");
        assert!(!plan.contains("Sort Key: e"), "{changed}:\n{plan}");
    }
}
