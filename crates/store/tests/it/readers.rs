//! A database role for a BI tool reads one org, nothing of a person, and changes nothing.

use chrono::{DateTime, Utc};
use model::{
    CallResult, Event, OrgId, ToolId,
    team::{MemberKind, Role},
};
use store::{Store, StoreError, audit::Act, readers::READABLE};
use testing::TestDatabase;
use tokio_postgres::{Client, Config, NoTls};
use uuid::Uuid;

use crate::sample::batch;

fn now() -> DateTime<Utc> {
    "2026-11-01T12:00:00Z".parse().unwrap()
}

/// An org with one member who has called these tools.
async fn org(store: &Store, slug: &str, handle: &str, tools: &[&str]) -> OrgId {
    let org = store.org_create(slug, now()).await.unwrap();
    let member = store
        .member_add(org, handle, MemberKind::Person, Role::Member, now())
        .await
        .unwrap();
    let events = tools
        .iter()
        .map(|tool| Event::new(ToolId::parse(tool).unwrap(), CallResult::SUCCESS, now()))
        .collect();
    let batch = batch(member, events);
    store.ingest(org, &[batch], now()).await.unwrap();
    org
}

async fn connect(database: &TestDatabase, role: Option<(&str, &str)>) -> Client {
    let mut config: Config = database.url().parse().unwrap();
    if let Some((user, password)) = role {
        config.user(user).password(password);
    }
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get("count")
}

#[tokio::test]
async fn a_reader_sees_its_own_org_only_and_nothing_about_people() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let acme = org(&store, "acme", "ann", &["cli:make", "skill:ours"]).await;
    org(
        &store,
        "rival",
        "eve",
        &["cli:make", "skill:theirs", "skill:theirs"],
    )
    .await;
    store.refresh().await.unwrap();
    let role = format!("bi_{}", Uuid::new_v4().simple());
    let act = Act::by_operator(acme, now());
    let password = store.reader_create(&act, &role).await.unwrap();
    let reader = connect(&database, Some((&role, &password))).await;
    assert_eq!(count(&reader, "select count(org_id) from usage_events").await, 2);
    assert_eq!(count(&reader, "select count(org_id) from usage_days").await, 2);
    assert_eq!(count(&reader, "select count(*) from reader_scores").await, 2);
    assert_eq!(count(&reader, "select count(org_id) from members").await, 1);
    assert_eq!(
        count(&reader, "select count(*) from orgs where slug = 'rival'").await,
        0
    );
    for table in READABLE.iter().filter(|table| **table != "reader_scores") {
        let others = format!("select count(*) from {table} where org_id <> {acme}");
        assert_eq!(count(&reader, &others).await, 0, "{table}");
    }
    for refused in [
        "select handle from members",
        "select * from usage_events",
        "select task_text from usage_events",
        "select board_salt from orgs",
        "select count(*) from tool_scores",
        "select count(*) from board_scores",
        "select count(*) from loaded_tools",
        "select count(*) from api_tokens",
        "select count(*) from audit_log",
        "select count(*) from org_readers",
        "delete from usage_events",
        "set default_transaction_read_only = off; insert into tools values (1, 'a:b', 'a', now())",
        "set default_transaction_read_only = off; create table mine (x int)",
        "set session authorization postgres",
    ] {
        assert!(reader.batch_execute(refused).await.is_err(), "{refused}");
    }
    // Nothing that there is, or that a later version adds, can be read past the rows of the org: neither a materialized
    // view, which knows no row security, nor any other table or view.
    let relations = connect(&database, None)
        .await
        .query(
            "select relname::text, relkind::text from pg_class where relnamespace = 'public'::regnamespace \
             and relkind in ('r', 'p', 'v', 'm', 'f')",
            &[],
        )
        .await
        .unwrap();
    assert!(relations.iter().any(|row| row.get::<_, &str>("relkind") == "m"));
    for row in relations {
        let (name, kind): (&str, &str) = (row.get("relname"), row.get("relkind"));
        if READABLE.contains(&name) {
            assert_ne!(kind, "m", "{name} knows no row security");
            continue;
        }
        let refused = reader.query(&format!("select 1 from {name}"), &[]).await;
        assert!(refused.is_err(), "{name}");
    }
    // What a role may set itself does not change what it sees.
    for attempt in ["set app.org = '2'", "set role none", "set row_security = off"] {
        let _ = reader.batch_execute(attempt).await;
        let seen = reader
            .query_one("select count(org_id) from usage_events", &[])
            .await;
        assert!(
            seen.map_or(true, |row| row.get::<_, i64>("count") == 2),
            "{attempt}"
        );
    }
    let stranger = format!("{role}_x");
    let admin = connect(&database, None).await;
    admin
        .batch_execute(&format!(
            "create role {stranger} login password 'x'; grant select on usage_events, members to {stranger}"
        ))
        .await
        .unwrap();
    let unbound = connect(&database, Some((&stranger, "x"))).await;
    assert_eq!(
        count(&unbound, "select count(*) from usage_events").await,
        0,
        "no org, no rows"
    );
    drop((reader, unbound));
    admin
        .batch_execute(&format!("drop owned by {stranger}; drop role {stranger}"))
        .await
        .unwrap();
    store.reader_remove(&act, &role).await.unwrap();
    assert!(store.reader_list(acme).await.unwrap().is_empty());
    let names = store.audit_list(acme, &Default::default()).await.unwrap();
    let names: Vec<&str> = names.rows.iter().map(|act| act.action.as_str()).collect();
    assert_eq!(&names[..2], ["reader.removed", "reader.created"]);
}

#[tokio::test]
async fn a_readers_name_cannot_say_anything_else() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let acme = store.org_create("acme", now()).await.unwrap();
    let act = Act::by_operator(acme, now());
    for name in ["", "Bi", "bi; drop table orgs", "bi\"", "1bi", &"b".repeat(64)] {
        assert!(store.reader_create(&act, name).await.is_err(), "{name:?}");
    }
}

/// Words of SQL that a role's name must not be taken for, all of them names that `reader_create` takes.
const RESERVED: [&str; 6] = ["user", "order", "group", "table", "select", "end"];

#[tokio::test]
async fn a_reader_may_have_the_name_of_a_reserved_word() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let acme = org(&store, "acme", "ann", &["cli:make"]).await;
    let act = Act::by_operator(acme, now());
    let mut made = 0;
    for role in RESERVED {
        // Roles belong to the whole server, which other test programs use as well.
        let password = match store.reader_create(&act, role).await {
            Err(StoreError::Exists(_)) => continue,
            created => created.unwrap(),
        };
        let reader = connect(&database, Some((role, &password))).await;
        let seen = count(&reader, "select count(org_id) from usage_events").await;
        drop(reader);
        store.reader_remove(&act, role).await.unwrap();
        assert_eq!(seen, 1, "{role}");
        made += 1;
    }
    assert!(made > 0, "every reserved word is taken as a role's name");
}

#[tokio::test]
async fn a_reader_that_lifts_its_limits_is_ended_from_outside_and_has_three_connections() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let acme = org(&store, "acme", "ann", &["cli:make"]).await;
    let act = Act::by_operator(acme, now());
    let role = format!("bi_{}", Uuid::new_v4().simple());
    let password = store.reader_create(&act, &role).await.unwrap();
    let reader = connect(&database, Some((&role, &password))).await;
    assert!(store.readers_end_sessions().await.unwrap().is_empty());
    reader
        .batch_execute("set default_transaction_read_only = off; set statement_timeout = 0")
        .await
        .unwrap();
    let lift = format!("alter role {role} set statement_timeout = 0");
    reader.batch_execute(&lift).await.unwrap();
    assert!(
        reader
            .batch_execute(&format!("alter role {role} connection limit 50"))
            .await
            .is_err()
    );
    let idle = [
        connect(&database, Some((&role, &password))).await,
        connect(&database, Some((&role, &password))).await,
    ];
    let mut config: Config = database.url().parse().unwrap();
    config.user(&role).password(&password);
    assert!(config.connect(NoTls).await.is_err(), "a fourth");
    let endless = tokio::spawn(async move { reader.batch_execute("select pg_sleep(600)").await });
    let ended = async {
        loop {
            let ended = store.end_sessions(0.2).await.unwrap();
            if !ended.is_empty() {
                return ended;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    assert_eq!(ended.await, std::slice::from_ref(&role));
    assert!(endless.await.unwrap().is_err());
    // Those that do nothing stay.
    for client in &idle {
        assert_eq!(count(client, "select count(org_id) from usage_events").await, 1);
    }
    drop(idle);
    store.reader_remove(&act, &role).await.unwrap();
}
