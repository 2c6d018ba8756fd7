//! Orgs and their settings.

use chrono::{DateTime, Utc};
use model::{
    OrgId,
    administration::{LimitsChange, Org, OrgChange, OrgLimits, OrgSettings},
    team::check_slug,
};
use serde_json::json;
use tokio_postgres::error::SqlState;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    names, row,
};

impl Store {
    /// Creates an org: an act of the operator.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the slug is not one; [`StoreError::Exists`] when it is taken.
    pub async fn org_create(&self, slug: &str, now: DateTime<Utc>) -> Result<OrgId, StoreError> {
        check_slug(slug).map_err(|error| StoreError::Invalid(error.to_string()))?;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let row = transaction
            .query_opt(
                "-- team::orgs::org_create\n\
                 insert into orgs (slug, created_at) values ($1, $2) on conflict (slug) do nothing returning org_id",
                &[&slug, &now],
            )
            .await?
            .ok_or_else(|| StoreError::Exists(format!("the org `{slug}`")))?;
        let org = OrgId(row.try_get("org_id")?);
        let act = Act::by_operator(org, now);
        audit::record(
            &transaction,
            &act,
            Action::OrgCreated,
            Subject::named(slug),
            &json!({}),
        )
        .await?;
        transaction.commit().await?;
        Ok(org)
    }

    /// Finds an org by its slug.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn org_find(&self, slug: &str) -> Result<OrgId, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "-- team::orgs::org_find\nselect org_id from orgs where slug = $1",
                &[&slug],
            )
            .await?;
        drop(client);
        match row {
            Some(row) => Ok(OrgId(row.try_get("org_id")?)),
            None => Err(self.unknown_org(slug).await?),
        }
    }

    /// The error about an org that does not exist. It names other orgs: for the operator alone.
    async fn unknown_org(&self, slug: &str) -> Result<StoreError, StoreError> {
        let orgs = self.org_list().await?;
        let nearest = names::nearest(slug, orgs.iter().map(|org| org.org.as_str()));
        let hint = if nearest.is_empty() {
            "`toolhub admin org list` lists the orgs".to_owned()
        } else {
            names::did_you_mean(&nearest)
        };
        Ok(StoreError::NotFound(format!(
            "no org `{}`; {hint}",
            model::text::clean(slug)
        )))
    }

    /// The orgs, by slug: for the operator alone.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn org_list(&self) -> Result<Vec<Org>, StoreError> {
        let client = self.client().await?;
        let rows = client.query(include_str!("orgs/list.sql"), &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(Org {
                    org: row.try_get("slug")?,
                    created_at: row.try_get("created_at")?,
                    retention_days: row.try_get("retention_days")?,
                    members: row.try_get("members")?,
                })
            })
            .collect()
    }

    /// How many orgs there are.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn org_count(&self) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let statement = "-- team::orgs::org_count\nselect count(*) from orgs";
        row::only(&client.query_one(statement, &[]).await?)
    }

    /// The settings of an org.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn org_settings(&self, org: OrgId) -> Result<OrgSettings, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "-- team::orgs::org_settings\n\
                 select slug, task_text_allowed, retention_days, show_names from orgs where org_id = $1",
                &[&org.0],
            )
            .await?;
        Ok(OrgSettings {
            org: row.try_get("slug")?,
            task_text_allowed: row.try_get("task_text_allowed")?,
            retention_days: row.try_get("retention_days")?,
            show_names: row.try_get("show_names")?,
        })
    }

    /// Changes how many new names an org may get in a day: an act of the operator.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when one is negative.
    pub async fn org_limits(&self, act: &Act, change: &LimitsChange) -> Result<OrgLimits, StoreError> {
        let given = [
            change.new_tools_a_day,
            change.new_projects_a_day,
            change.new_sessions_a_day,
        ];
        if given.into_iter().flatten().any(|limit| limit < 0) {
            return Err(StoreError::Invalid(
                "a limit is 0 (nothing new) to 2147483647".into(),
            ));
        }
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let row = transaction
            .query_one(
                "-- team::orgs::org_limits\n\
                 update orgs\n\
                 set new_tools_a_day = coalesce($2, new_tools_a_day),\n\
                 \x20   new_projects_a_day = coalesce($3, new_projects_a_day),\n\
                 \x20   new_sessions_a_day = coalesce($4, new_sessions_a_day)\n\
                 where org_id = $1\n\
                 returning slug, new_tools_a_day, new_projects_a_day, new_sessions_a_day",
                &[&act.org.0, &given[0], &given[1], &given[2]],
            )
            .await?;
        let limits = OrgLimits {
            org: row.try_get("slug")?,
            new_tools_a_day: row.try_get("new_tools_a_day")?,
            new_projects_a_day: row.try_get("new_projects_a_day")?,
            new_sessions_a_day: row.try_get("new_sessions_a_day")?,
        };
        if given.iter().any(Option::is_some) {
            audit::record(
                &transaction,
                act,
                Action::OrgChanged,
                Subject::default(),
                &json!(change),
            )
            .await?;
        }
        transaction.commit().await?;
        Ok(limits)
    }

    /// Changes the settings of an org.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the retention is not 0 (for ever) to 36,500 days, or the slug is not one;
    /// [`StoreError::Exists`] when the slug is taken.
    pub async fn org_change(&self, act: &Act, change: &OrgChange) -> Result<OrgSettings, StoreError> {
        if change
            .retention_days
            .is_some_and(|days| !(0..=36_500).contains(&days))
        {
            return Err(StoreError::Invalid(
                "`retention_days` is 1 to 36500, or 0 for keeping events for ever".into(),
            ));
        }
        if let Some(slug) = &change.org {
            check_slug(slug).map_err(|error| StoreError::Invalid(error.to_string()))?;
        }
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let changed = transaction
            .execute(
                "-- team::orgs::org_change\n\
                 update orgs\n\
                 set task_text_allowed = coalesce($2, task_text_allowed),\n\
                 \x20   retention_days = nullif(coalesce($3, retention_days), 0),\n\
                 \x20   show_names = coalesce($4, show_names),\n\
                 \x20   slug = coalesce($5, slug)\n\
                 where org_id = $1",
                &[
                    &act.org.0,
                    &change.task_text_allowed,
                    &change.retention_days,
                    &change.show_names,
                    &change.org,
                ],
            )
            .await;
        match (changed, &change.org) {
            (Err(error), Some(slug)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                return Err(StoreError::Exists(format!("the org `{slug}`")));
            }
            (changed, _) => changed?,
        };
        let details = json!(change);
        audit::record(
            &transaction,
            act,
            Action::OrgChanged,
            Subject::default(),
            &details,
        )
        .await?;
        transaction.commit().await?;
        drop(client);
        self.org_settings(act.org).await
    }
}
