//! The pool against a real server: every limit is reached, and what comes out of it works.

use std::time::Duration;

use tokio::net::TcpListener;

use super::*;
use testing::TestDatabase;

fn options() -> PoolOptions {
    PoolOptions {
        max_size: Some(3),
        ..PoolOptions::default()
    }
}

async fn store(database: &TestDatabase, options: PoolOptions) -> Store {
    Store::connect(database.url(), options).await.unwrap()
}

#[tokio::test]
async fn connections_that_were_killed_are_not_handed_out() {
    let database = TestDatabase::empty().await;
    let killer = store(&database, PoolOptions::default())
        .await
        .client()
        .await
        .unwrap();
    let store = store(&database, options()).await;
    for round in 0..4 {
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(store.client().await.unwrap());
        }
        let mut pids: Vec<i32> = Vec::new();
        for client in &clients {
            pids.push(
                client
                    .query_one("select pg_backend_pid()", &[])
                    .await
                    .expect("a living one")
                    .get("pg_backend_pid"),
            );
        }
        if round % 2 == 0 {
            drop(clients);
        }
        // In the pool and in use, both.
        killer
            .query(
                "select pg_terminate_backend(pid, 5000) from unnest($1::int[]) as pid",
                &[&pids],
            )
            .await
            .unwrap();
    }
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_became_read_only_is_not_handed_out() {
    let database = TestDatabase::empty().await;
    let store = store(
        &database,
        PoolOptions {
            max_size: Some(1),
            ..options()
        },
    )
    .await;
    let pid = async |client: &Object| -> i32 {
        client
            .query_one("select pg_backend_pid()", &[])
            .await
            .unwrap()
            .get("pg_backend_pid")
    };
    let client = store.client().await.unwrap();
    let before = pid(&client).await;
    drop(client);
    let client = store.client().await.unwrap();
    assert_eq!(pid(&client).await, before, "a healthy connection is used again");
    // What the sessions of a primary see when it is demoted.
    client
        .batch_execute("set default_transaction_read_only = on")
        .await
        .unwrap();
    let error: StoreError = client
        .batch_execute("create table t (x int)")
        .await
        .unwrap_err()
        .into();
    assert!(
        error.sqlstate() == Some("25006") && error.is_temporary(),
        "{error}"
    );
    drop(client);
    let client = store.client().await.unwrap();
    assert_ne!(pid(&client).await, before);
    client
        .batch_execute("create table t (x int)")
        .await
        .expect("it takes writes");
}

#[tokio::test]
async fn a_busy_pool_refuses_after_the_wait() {
    let database = TestDatabase::empty().await;
    let wait_timeout = Duration::from_millis(50);
    let store = store(
        &database,
        PoolOptions {
            max_size: Some(2),
            wait_timeout,
            ..options()
        },
    )
    .await;
    let in_use = (store.client().await.unwrap(), store.client().await.unwrap());
    assert_eq!(
        store.pool_status(),
        PoolStatus {
            max_size: 2,
            in_use: 2,
            waiting: 0
        }
    );
    let error = store.client().await.map(drop).unwrap_err();
    assert!(
        matches!(error, StoreError::PoolTimeout { size: 2, waited } if waited == wait_timeout),
        "{error}"
    );
    assert!(error.is_temporary());
    drop(in_use);
    store.ping().await.expect("and serves again");
}

#[tokio::test]
async fn statements_locks_and_idle_transactions_have_their_limits() {
    let database = TestDatabase::empty().await;
    let limit = Duration::from_millis(100);
    let limited = store(
        &database,
        PoolOptions {
            statement_timeout: limit,
            lock_timeout: limit / 2,
            idle_in_transaction_timeout: limit,
            ..options()
        },
    )
    .await;
    let client = limited.client().await.unwrap();
    let sqlstate = |error: tokio_postgres::Error| {
        let error = StoreError::from(error);
        assert!(error.is_temporary(), "{error}");
        error.sqlstate().map(str::to_owned)
    };

    let error = client.batch_execute("select pg_sleep(60)").await.unwrap_err();
    assert_eq!(sqlstate(error).as_deref(), Some("57014"), "statement_timeout");

    client.batch_execute("create table t (x int)").await.unwrap();
    let unlimited = store(&database, PoolOptions::default()).await;
    let mut holder = unlimited.client().await.unwrap();
    let transaction = holder.transaction().await.unwrap();
    transaction.batch_execute("lock table t").await.unwrap();
    let error = client.batch_execute("select from t").await.unwrap_err();
    assert_eq!(sqlstate(error).as_deref(), Some("55P03"), "lock_timeout");
    transaction.rollback().await.unwrap();

    client.batch_execute("begin").await.unwrap();
    let ended = "select count(*) from pg_stat_activity where datname = current_database() \
                 and state like 'idle in transaction%'";
    while holder.query_one(ended, &[]).await.unwrap().get::<_, i64>("count") > 0 {
        tokio::task::yield_now().await;
    }
    let error = client.batch_execute("select 1").await.unwrap_err();
    assert!(
        StoreError::from(error).is_temporary(),
        "idle_in_transaction_session_timeout"
    );
}

#[tokio::test]
async fn an_unreachable_address_is_reported_without_the_password() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("postgresql://ann:hush@127.0.0.1:{port}/team");
    let error = Store::connect(&url, options()).await.map(drop).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, StoreError::Unavailable { .. }) && error.is_temporary(),
        "{text}"
    );
    assert!(
        text.contains(&format!("127.0.0.1:{port}/team")) && !text.contains("hush"),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgresql://ann@{}/team", listener.local_addr().unwrap());
    let create_timeout = Duration::from_millis(100);
    let connecting = Store::connect(
        &url,
        PoolOptions {
            create_timeout,
            ..options()
        },
    );
    let error = tokio::time::timeout(Duration::from_secs(30), connecting)
        .await
        .expect("it has a limit");
    let error = error.map(drop).unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable { .. }) && error.is_temporary(),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "postgresql://ann@{}/team?sslmode=require",
        listener.local_addr().unwrap()
    );
    let refuse = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0_u8; 8];
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(b"N").await.unwrap();
    });
    let error = Store::connect(&url, options()).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("does not support TLS"), "{error}");
    refuse.await.unwrap();
}

#[tokio::test]
async fn a_session_outside_the_pool_has_its_own_limits_and_name() {
    let database = TestDatabase::empty().await;
    let store = store(
        &database,
        PoolOptions {
            max_size: Some(1),
            ..options()
        },
    )
    .await;
    let _all_of_the_pool = store.client().await.unwrap();
    let limits = SessionLimits {
        statement: Duration::from_secs(77),
        lock: Duration::ZERO,
        idle_in_transaction: Duration::from_secs(5),
    };
    let session = store
        .session("refresh", &limits)
        .await
        .expect("it does not wait for the pool");
    for (setting, value) in [
        ("statement_timeout", "77s"),
        ("lock_timeout", "0"),
        ("application_name", "toolhub refresh"),
        ("TimeZone", "UTC"),
    ] {
        let row = session
            .query_one("select current_setting($1) as value", &[&setting])
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>("value"), value, "{setting}");
    }
}

#[tokio::test]
async fn limits_that_a_pooler_drops_are_set_again() {
    let database = TestDatabase::empty().await;
    let store = store(&database, options()).await;
    let none = SessionLimits {
        statement: Duration::ZERO,
        lock: Duration::ZERO,
        idle_in_transaction: Duration::ZERO,
    };
    let session = store.session("test", &none).await.unwrap();
    assert!(!session.is_pooled(), "its options have arrived");
    let limits = SessionLimits {
        statement: Duration::from_secs(77),
        lock: Duration::from_millis(500),
        idle_in_transaction: Duration::from_secs(5),
    };
    session.batch_execute(&limits.statements()).await.unwrap();
    for (setting, value) in [
        ("statement_timeout", "77s"),
        ("lock_timeout", "500ms"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("TimeZone", "UTC"),
        ("jit", "off"),
    ] {
        let row = session
            .query_one("select current_setting($1) as value", &[&setting])
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>("value"), value, "{setting}");
    }
}

#[test]
fn the_pool_leaves_room_for_others_whatever_the_server_offers() {
    assert_eq!(default_size(0), 2);
    assert_eq!(default_size(7), 2);
    for offered in [20, 97, 1_000, 100_000] {
        let size = default_size(offered);
        assert!(size >= 2 && size <= offered / 4, "{size} of {offered}");
    }
}

#[test]
fn a_commit_is_durable_only_with_both_settings() {
    let durable = |fsync, commit: &str| {
        Durability {
            fsync,
            synchronous_commit: commit.to_owned(),
        }
        .is_durable()
    };
    assert!(durable(true, "on") && durable(true, "remote_apply") && durable(true, "local"));
    assert!(!durable(false, "on") && !durable(true, "off"));
}
