//! Database roles for BI tools: they read one org, and nothing that is about a person.
//!
//! A role may read the columns in [`COLUMNS`] that are not personal, of the tables below and of the view
//! `reader_scores`, because row security does not apply to the materialized view. Row security
//! (`migrations/V7__readers.sql`) selects the rows: those of the org that the role's name is bound to.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::OrgId;
use serde_json::json;
use tokio_postgres::error::SqlState;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    privacy::{COLUMNS, Class},
    row, team,
};

/// The tables and views that a reader may read.
pub const READABLE: &[&str] = &[
    "orgs",
    "members",
    "tools",
    "uploads",
    "usage_events",
    "usage_days",
    "session_tools",
    "machine_tools",
    "reader_scores",
];

/// How many connections a role may have at once.
pub const CONNECTIONS: i64 = 3;

/// Seconds after which a statement of a reader, or a pause in its transaction, is ended from outside. A role can lift its
/// own `statement_timeout` of 60 s.
const STATEMENT_SECONDS: f64 = 65.0;

/// Seconds after which a transaction of a reader is ended: its snapshot keeps dead rows.
const TRANSACTION_SECONDS: f64 = 600.0;

/// A role that reads an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The name of the role.
    pub role: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// Makes a database role that reads an org, and returns its password, which is not stored.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the name is none; [`StoreError::Exists`] when the database has the role already;
    /// [`StoreError::NotAllowed`] when toolhub's own role may not create others.
    pub async fn reader_create(&self, act: &Act, role: &str) -> Result<String, StoreError> {
        let form = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !role.starts_with(|c: char| c.is_ascii_lowercase()) || role.len() > 63 || !role.chars().all(form) {
            return Err(StoreError::Invalid(
                "a role's name is 1 to 63 lower-case letters, digits and underscores, and begins with a letter".into(),
            ));
        }
        let password = team::random_text()?;
        let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let mut script = create_script(&transaction, role, &verifier).await?;
        for (table, columns) in COLUMNS {
            if READABLE.contains(table) {
                script.push_str(&grant_script(&transaction, role, table, columns).await?);
            }
        }
        match transaction.batch_execute(&script).await {
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_OBJECT) => {
                return Err(StoreError::Exists(format!("the database role `{role}`")));
            }
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                return Err(StoreError::NotAllowed(
                    "toolhub's own database role may not create roles: let a superuser run `alter role … createrole` \
                     for it, and take that back afterwards"
                        .into(),
                ));
            }
            other => other?,
        }
        transaction
            .execute(
                "-- readers::reader_create\ninsert into org_readers (org_id, role_name, created_at) values ($1, $2, $3)",
                &[&act.org.0, &role, &act.now],
            )
            .await?;
        audit::record(
            &transaction,
            act,
            Action::ReaderCreated,
            Subject::named(role),
            &json!({}),
        )
        .await?;
        transaction.commit().await?;
        Ok(password)
    }

    /// Removes a database role that reads an org.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has no such reader.
    pub async fn reader_remove(&self, act: &Act, role: &str) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let found = transaction
            .query_opt(
                "-- readers::reader_remove\n\
                 delete from org_readers where org_id = $1 and role_name = $2\n\
                 returning format('drop owned by %1$I; drop role %1$I', role_name)",
                &[&act.org.0, &role],
            )
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("no reader `{role}`")))?;
        transaction.batch_execute(row::only(&found)?).await?;
        audit::record(
            &transaction,
            act,
            Action::ReaderRemoved,
            Subject::named(role),
            &json!({}),
        )
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Ends sessions of readers that run longer, or are more, than a reader may. Returns their roles.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn readers_end_sessions(&self) -> Result<Vec<String>, StoreError> {
        self.end_sessions(STATEMENT_SECONDS).await
    }

    /// As [`Store::readers_end_sessions`], with another limit of a statement's seconds.
    #[doc(hidden)]
    pub async fn end_sessions(&self, statement_seconds: f64) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("readers/end_sessions.sql"))
            .await?;
        let rows = client
            .query(
                &statement,
                &[&statement_seconds, &TRANSACTION_SECONDS, &CONNECTIONS],
            )
            .await?;
        rows.iter().map(|row| Ok(row.try_get("role_name")?)).collect()
    }

    /// The database roles that read an org.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn reader_list(&self, org: OrgId) -> Result<Vec<Reader>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "-- readers::reader_list\n\
                 select role_name, created_at from org_readers where org_id = $1 order by role_name",
                &[&org.0],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Reader {
                    role: row.try_get("role_name")?,
                    created_at: row.try_get("created_at")?,
                })
            })
            .collect()
    }
}

/// The statements that make a role. The server quotes: a role's name cannot be a parameter of them. Only the verifier of
/// the password travels and is logged.
async fn create_script(
    transaction: &Transaction<'_>,
    role: &str,
    verifier: &str,
) -> Result<String, StoreError> {
    let row = transaction
        .query_one(
            "-- readers::create_script\n\
             select format(\n\
             \x20   'create role %1$I login nosuperuser nocreatedb nocreaterole nobypassrls noreplication\n\
             \x20        connection limit %3$s password %2$L;\n\
             \x20    grant %1$I to current_user;\n\
             \x20    alter role %1$I set default_transaction_read_only = on;\n\
             \x20    alter role %1$I set statement_timeout = ''60s'';', $1::text, $2::text, $3::bigint)",
            &[&role, &verifier, &CONNECTIONS],
        )
        .await?;
    row::only(&row)
}

/// The statement that lets a role read the columns of a table that are not personal.
async fn grant_script(
    transaction: &Transaction<'_>,
    role: &str,
    table: &str,
    columns: &[(&str, Class)],
) -> Result<String, StoreError> {
    let columns: Vec<&str> = columns
        .iter()
        .filter(|(_, class)| *class != Class::Personal)
        .map(|(column, _)| *column)
        .collect();
    let statement = transaction
        .prepare_cached(
            "-- readers::grant_script\n\
             select format('grant select (%s) on %I to %I;', string_agg(quote_ident(c), ', '), $2::text, $1::text)\n\
             from unnest($3::text[]) c",
        )
        .await?;
    row::only(
        &transaction
            .query_one(&statement, &[&role, &table, &columns])
            .await?,
    )
}
