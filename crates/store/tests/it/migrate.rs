//! The schema: applied once by many, refused when it is newer, and the folder it comes from.

use std::path::Path;

use store::{PoolOptions, Store, StoreError, migrate};
use testing::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_at_once_on_an_empty_database_all_come_up() {
    let database = TestDatabase::empty().await;
    let mut stores = Vec::new();
    for _ in 0..4 {
        // A pool each, as four processes would have.
        stores.push(database.store().await);
    }
    let migrating: Vec<_> = stores
        .into_iter()
        .map(|store| tokio::spawn(async move { store.migrate().await }))
        .collect();
    let mut applied = 0;
    for outcome in migrating {
        let migrated = outcome.await.unwrap().expect("no migrator fails");
        assert_eq!(migrated.to, Some(migrate::newest_version()));
        applied += migrated.applied.len();
    }
    assert_eq!(
        applied,
        migrate::embedded_migrations().len(),
        "each migration is applied by exactly one of them"
    );
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let store = TestDatabase::new().await;
    let store = store.store().await;
    let again = store.migrate().await.unwrap();
    assert_eq!(again.applied, Vec::<String>::new());
    assert_eq!(again.from, again.to);
    store.check_schema().await.unwrap();
}

#[tokio::test]
async fn a_schema_of_a_newer_toolhub_is_refused_with_both_versions() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let newer = migrate::newest_version() + 41;
    execute(
        &database,
        &format!("insert into refinery_schema_history values ({newer}, 'from_the_future', '2031-01-01T00:00:00Z', '1')"),
    )
    .await;
    for error in [
        store.migrate().await.unwrap_err(),
        store.check_schema().await.unwrap_err(),
    ] {
        assert!(
            matches!(error, StoreError::SchemaNewer { database, binary }
                if database == newer && binary == migrate::newest_version()),
            "{error}"
        );
        assert!(!error.is_temporary());
    }
}

#[tokio::test]
async fn an_empty_database_is_told_from_a_migrated_one() {
    let database = TestDatabase::empty().await;
    let store = database.store().await;
    assert_eq!(store.schema_version().await.unwrap(), None);
    let error = store.check_schema().await.unwrap_err();
    assert!(
        matches!(error, StoreError::SchemaOlder { database: None, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("toolhub admin migrate"), "{error}");
}

#[tokio::test]
async fn an_edited_migration_is_noticed() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    execute(
        &database,
        "update refinery_schema_history set checksum = '1' where version = 1",
    )
    .await;
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::Migration { .. }), "{error}");
    assert!(error.to_string().contains("V1__"), "{error}");
}

#[tokio::test]
async fn a_migration_waits_for_one_in_progress() {
    let database = TestDatabase::empty().await;
    let holder = connect(&database).await;
    // The key is part of the protocol between versions: an older toolhub must still queue behind a newer one.
    holder
        .batch_execute("select pg_advisory_lock(x'746f6f6c68756201'::int8)")
        .await
        .unwrap();
    let store = database.store().await;
    let mut migrating = tokio::spawn(async move { store.migrate().await });
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted \
                   and database = (select oid from pg_database where datname = current_database())";
    while holder
        .query_one(waiting, &[])
        .await
        .unwrap()
        .get::<_, i64>("count")
        == 0
    {
        assert!(!migrating.is_finished(), "it did not wait");
        tokio::task::yield_now().await;
    }
    assert!(!migrating.is_finished());
    holder
        .batch_execute("select pg_advisory_unlock_all()")
        .await
        .unwrap();
    (&mut migrating).await.unwrap().unwrap();
}

#[test]
fn every_file_in_the_folder_is_embedded_well_named_and_in_sequence() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut files: Vec<(i32, String, String)> = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "README.md" {
            continue;
        }
        // refinery silently skips files that it does not recognise.
        let well_named = || -> Option<i32> {
            let stem = name.strip_prefix('V')?.strip_suffix(".sql")?;
            let (version, what) = stem.split_once("__")?;
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            (!what.is_empty() && what.chars().all(plain)).then_some(())?;
            version.parse().ok()
        };
        let version = well_named().unwrap_or_else(|| panic!("{name} is not V<n>__<what>.sql"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains('\r'),
            "{name} has CRLF line ends: its checksum would differ between machines"
        );
        files.push((version, name.trim_end_matches(".sql").to_owned(), text));
    }
    files.sort();
    let found: Vec<i32> = files.iter().map(|file| file.0).collect();
    let newest = found.last().copied().unwrap_or_default();
    let expected: Vec<i32> = (1..=newest).collect();
    assert_eq!(found, expected, "versions have no gap");
    let files: Vec<(String, String)> = files.into_iter().map(|(_, name, text)| (name, text)).collect();
    assert_eq!(files, migrate::embedded_migrations());
}

async fn connect(database: &TestDatabase) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

async fn execute(database: &TestDatabase, statement: &str) {
    connect(database).await.batch_execute(statement).await.unwrap();
}

#[tokio::test]
async fn a_pool_of_one_is_enough_to_migrate() {
    let database = TestDatabase::empty().await;
    let options = PoolOptions {
        max_size: Some(1),
        ..PoolOptions::default()
    };
    let store = Store::connect(database.url(), options).await.unwrap();
    store.migrate().await.unwrap();
}
