//! `toolhub admin backup` and `toolhub admin restore`.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Store, StoreError, migrate};

use super::{Done, done};
use crate::{
    database::{Database, DatabaseArgs},
    talk,
};

/// The file that says what a backup holds. It is written last: a backup without it is not complete.
const MANIFEST: &str = "toolhub.json";
/// What `pg_dump` wrote, in the directory format.
const DUMP: &str = "dump";

#[derive(Debug, Deserialize, Serialize)]
struct Manifest {
    /// Version of the program that made the backup.
    toolhub: String,
    /// Version of the schema.
    schema: i32,
    /// Major version of `pg_dump`.
    pg_dump: u32,
    /// When it began: everything that was acknowledged before is in it.
    taken_at: DateTime<Utc>,
}

/// Writes everything in the database, as of one moment, into a new directory.
pub(super) async fn backup(database: &Database, into: &Path, now: DateTime<Utc>) -> anyhow::Result<Done> {
    let store = &database.store;
    let schema = store.schema_version().await?.unwrap_or_default();
    let server = store.server_major().await?;
    create_empty(into)?;
    let pg_dump = embedded::dump(&database.url, server, &into.join(DUMP)).await?;
    let manifest = Manifest {
        toolhub: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        pg_dump,
        taken_at: now,
    };
    let path = into.join(MANIFEST);
    let text = serde_json::to_string_pretty(&manifest)? + "\n";
    fs::write(&path, text)
        .and_then(|()| fs::File::open(&path)?.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let bytes = size(into)?;
    done(
        format!(
            "wrote a backup to {}: {} kB, schema version {schema}",
            into.display(),
            bytes.div_ceil(1_000)
        ),
        json!({ "directory": into, "bytes": bytes, "schema": schema, "taken_at": now }),
    )
}

/// Makes the directory, closed to others, because a backup holds everything. An existing one must be empty.
fn create_empty(directory: &Path) -> anyhow::Result<()> {
    match fs::read_dir(directory) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("{} is not empty. Name a new directory", directory.display());
            }
            Ok(())
        }
        Err(_) => fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(directory)
            .with_context(|| format!("cannot create {}", directory.display())),
    }
}

fn size(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    let mut folders: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            let found = entry.metadata()?;
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += found.len();
            }
        }
    }
    Ok(bytes)
}

/// Fills an empty data directory, or an empty external database, with a backup.
pub(super) async fn restore(arguments: &DatabaseArgs, from: &Path) -> anyhow::Result<Done> {
    let manifest = read_manifest(from)?;
    let newest = migrate::newest_version();
    if manifest.schema > newest {
        return Err(StoreError::SchemaNewer {
            database: manifest.schema,
            binary: newest,
        }
        .into());
    }
    let database = arguments.open_empty().await?;
    let restored = fill(&database, &manifest, from).await;
    database.close().await?;
    restored
}

async fn fill(database: &Database, manifest: &Manifest, from: &Path) -> anyhow::Result<Done> {
    let store: &Store = &database.store;
    if let Some(version) = store.schema_version().await? {
        bail!(
            "the database at {} is not empty: it has schema version {version}. Restore into a new data directory or an \
             empty database",
            store.address()
        );
    }
    let least = store.server_major().await?.max(manifest.pg_dump);
    embedded::restore(&database.url, least, &from.join(DUMP)).await?;
    let migrated = store.migrate().await?;
    store.analyze().await?;
    let orgs = store.org_count().await?;
    talk::note("database roles of readers are not part of a backup: see `toolhub admin reader`");
    done(
        format!(
            "restored the backup of {} (orgs: {orgs}, schema version: {})",
            manifest.taken_at.format("%Y-%m-%d %H:%M:%S UTC"),
            migrated.to.unwrap_or_default()
        ),
        json!({
            "taken_at": manifest.taken_at,
            "orgs": orgs,
            "schema": migrated.to,
            "applied": migrated.applied,
        }),
    )
}

fn read_manifest(from: &Path) -> anyhow::Result<Manifest> {
    let path = from.join(MANIFEST);
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}: {} is no backup of `toolhub admin backup`, or was not finished",
            path.display(),
            from.display()
        )
    })?;
    serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))
}
