//! Database roles for BI tools: they read one org, and nothing that is about a person.
//!
//! What a role may read is made from [`COLUMNS`]: the columns classed public and internal of the tables below, and the
//! view `reader_scores` in place of the materialized view, which knows no row security. Which rows, row security
//! says (`migrations/V7__readers.sql`): those of the org that the role's name is bound to.

use chrono::{DateTime, Utc};
use model::OrgId;
use serde_json::json;
use tokio_postgres::error::SqlState;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    privacy::{COLUMNS, Class},
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

/// A role that reads an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The name of the role.
    pub role: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// Makes a database role that reads an org, and answers its password, which is kept nowhere.
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
        let password = crate::team::random_text()?;
        let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        // Only the verifier travels and is logged. The server quotes, because a role's name cannot be a parameter.
        let mut script: String = transaction
            .query_one(
                "-- readers::create\n\
                 select format(\n\
                 \x20   'create role %1$I login nosuperuser nocreatedb nocreaterole nobypassrls noreplication password %2$L;\n\
                 \x20    alter role %1$I set default_transaction_read_only = on;\n\
                 \x20    alter role %1$I set statement_timeout = ''60s'';', $1::text, $2::text)",
                &[&role, &verifier],
            )
            .await?
            .try_get(0)?;
        for (table, columns) in COLUMNS {
            if !READABLE.contains(table) {
                continue;
            }
            let columns: Vec<&str> = columns
                .iter()
                .filter(|(_, class)| *class != Class::Personal)
                .map(|(column, _)| *column)
                .collect();
            script.push_str(&format!(
                "\ngrant select ({}) on {table} to {role};",
                columns.join(", ")
            ));
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
                "-- readers::bind\ninsert into org_readers (org_id, role_name, created_at) values ($1, $2, $3)",
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
                "-- readers::unbind\n\
                 delete from org_readers where org_id = $1 and role_name = $2\n\
                 returning format('drop owned by %1$I; drop role %1$I', role_name)",
                &[&act.org.0, &role],
            )
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("no reader `{role}`")))?;
        transaction.batch_execute(found.try_get(0)?).await?;
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

    /// The database roles that read an org.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn reader_list(&self, org: OrgId) -> Result<Vec<Reader>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "-- readers::list\n\
                 select role_name, created_at from org_readers where org_id = $1 order by role_name",
                &[&org.0],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Reader {
                    role: row.try_get(0)?,
                    created_at: row.try_get(1)?,
                })
            })
            .collect()
    }
}
