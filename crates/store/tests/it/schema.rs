//! Rules that the whole schema keeps.

use std::collections::BTreeSet;

use store::{
    privacy::{COLUMNS, EXPORTED},
    readers::READABLE,
};
use testing::TestDatabase;
use tokio_postgres::{Client, NoTls};

async fn connect(database: &TestDatabase) -> Client {
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn column(client: &Client, sql: &str) -> BTreeSet<String> {
    client
        .query(&format!("select answer.value from ({sql}) answer (value)"), &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get("value"))
        .collect()
}

const OURS: &str = "c.relnamespace = 'public'::regnamespace and c.relname <> 'refinery_schema_history'";

#[tokio::test]
async fn every_column_is_classed_and_no_class_is_left_without_its_column() {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    let sql = format!(
        "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid\n\
         where {OURS} and c.relkind in ('r', 'm', 'v', 'p') and a.attnum > 0 and not a.attisdropped"
    );
    let found = column(&client, &sql).await;
    let classed: BTreeSet<String> = COLUMNS
        .iter()
        .flat_map(|(table, columns)| columns.iter().map(move |(column, _)| format!("{table}.{column}")))
        .collect();
    assert_eq!(found, classed);
    assert!(
        COLUMNS.is_sorted_by_key(|(table, _)| *table),
        "in the order of the tables' names"
    );
}

#[tokio::test]
async fn what_belongs_to_an_org_has_it_first_in_its_key_and_is_under_row_security() {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    let tables = format!(
        "from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'\n\
         where {OURS} and c.relkind in ('r', 'p')"
    );
    let all = column(&client, &format!("select c.relname {tables}")).await;
    assert!(all.len() >= 14, "{all:?}");
    let first = column(
        &client,
        &format!(
            "select c.relname {tables} and exists (\n\
             select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indkey[0] = a.attnum)"
        ),
    )
    .await;
    assert_eq!(all, first, "org_id is the first column of every primary key");
    let secured = column(
        &client,
        &format!("select c.relname {tables} and c.relrowsecurity"),
    )
    .await;
    assert_eq!(all, secured, "row security is enabled");
    let policies = column(
        &client,
        "select tablename::text from pg_policies where policyname = 'readers'",
    )
    .await;
    let readable: BTreeSet<String> = READABLE
        .iter()
        .filter(|name| **name != "reader_scores")
        .map(|name| (*name).to_owned())
        .collect();
    assert_eq!(
        policies, readable,
        "a reader sees rows of these tables and no others"
    );
}

#[tokio::test]
async fn every_table_that_knows_a_member_is_exported() {
    let database = TestDatabase::new().await;
    let client = connect(&database).await;
    let sql = format!(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid\n\
         where {OURS} and c.relkind in ('r', 'p') and a.attname in ('member_id', 'actor_id', 'subject_id')"
    );
    let exported: BTreeSet<String> = EXPORTED.iter().map(|(table, _)| (*table).to_owned()).collect();
    assert_eq!(column(&client, &sql).await, exported);
}

/// The files of a folder and all below it.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found
}

#[test]
fn no_statement_changes_what_the_audit_log_holds() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut inserts = 0;
    for file in files(&source) {
        let text = std::fs::read_to_string(&file).unwrap().to_lowercase();
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        inserts += text.matches("insert into audit_log").count();
        for change in [
            "update audit_log",
            "delete from audit_log",
            "truncate audit_log",
            "drop table audit_log",
        ] {
            assert!(!text.contains(change), "{}: {change}", file.display());
        }
    }
    assert_eq!(inserts, 1, "one statement writes it");
}
