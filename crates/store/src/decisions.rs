//! What an org has decided about its tools.

use chrono::{DateTime, NaiveDate, Utc};
use model::{
    OrgId,
    api::{
        Decision, DecisionRequest, NOTE_CHARS, ToolDecision,
        query::{DecisionsQuery, ListQuery},
    },
    limits,
};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    page::{self, Page},
    row,
};

impl Store {
    /// Decides about a tool of the catalogue. An earlier decision ends, and stays in the history.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a text is too long, or the last day is past; [`StoreError::NotFound`] when the org
    /// has no such tool.
    pub async fn decide(
        &self,
        act: &Act,
        tool_id: &str,
        request: &DecisionRequest,
    ) -> Result<ToolDecision, StoreError> {
        check(request, act.now.date_naive())?;
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let known = transaction
            .query_opt(
                "-- decisions::decide (tool)\nselect from tools where org_id = $1 and tool_id = $2 for key share",
                &[&act.org.0, &tool_id],
            )
            .await?;
        if known.is_none() {
            return Err(StoreError::NotFound(format!(
                "no tool `{}`; `toolhub dead-weight --verdict all --kind all` lists the catalogue",
                model::text::clean(tool_id)
            )));
        }
        transaction
            .execute(
                include_str!("decisions/end.sql"),
                &[&act.org.0, &tool_id, &act.now],
            )
            .await?;
        transaction
            .execute(
                "-- decisions::decide (insert)\n\
                 insert into tool_decisions (org_id, decision_id, tool_id, decision, note, until, owner, decided_by,\n\
                 \x20   decided_at)\n\
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                &[
                    &act.org.0,
                    &Uuid::now_v7(),
                    &tool_id,
                    &request.decision.as_str(),
                    &request.note,
                    &request.until,
                    &request.owner,
                    &act.name(),
                    &act.now,
                ],
            )
            .await?;
        let details = json!(request);
        audit::record(
            &transaction,
            act,
            Action::ToolDecided,
            Subject::named(tool_id),
            &details,
        )
        .await?;
        transaction.commit().await?;
        Ok(ToolDecision {
            tool_id: tool_id.to_owned(),
            decision: request.decision,
            note: request.note.clone(),
            until: request.until,
            owner: request.owner.clone(),
            decided_by: act.name().to_owned(),
            decided_at: act.now,
            ended_at: None,
            active: true,
        })
    }

    /// Takes the decision about a tool back. It stays in the history.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when nothing is decided about it.
    pub async fn decision_end(&self, act: &Act, tool_id: &str) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let ended = transaction
            .execute(
                include_str!("decisions/end.sql"),
                &[&act.org.0, &tool_id, &act.now],
            )
            .await?;
        if ended == 0 {
            return Err(StoreError::NotFound(format!(
                "nothing is decided about `{}`; `toolhub decide` lists the decisions",
                model::text::clean(tool_id)
            )));
        }
        let subject = Subject::named(tool_id);
        audit::record(&transaction, act, Action::DecisionEnded, subject, &json!({})).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The decisions of an org, newest first: those that stand, and with `history` all.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor.
    pub async fn decision_list(
        &self,
        org: OrgId,
        query: &DecisionsQuery,
        now: DateTime<Utc>,
    ) -> Result<Page<ToolDecision>, StoreError> {
        let limit = query.page_rows();
        let after: Option<Uuid> = page::read_cursor(query.cursor())?;
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("decisions/list.sql")).await?;
        let rows = client
            .query(
                &statement,
                &[
                    &org.0,
                    &query.tool_id,
                    &query.decision.map(Decision::as_str),
                    &query.history.unwrap_or(false),
                    &after,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        Page::from_rows(&rows, limit, |row| {
            let id: Uuid = row.try_get("decision_id")?;
            Ok((read(row, now.date_naive())?, page::cursor(&id)))
        })
    }
}

fn read(row: &Row, today: NaiveDate) -> Result<ToolDecision, StoreError> {
    let until: Option<NaiveDate> = row.try_get("until")?;
    let ended_at: Option<DateTime<Utc>> = row.try_get("ended_at")?;
    Ok(ToolDecision {
        tool_id: row.try_get("tool_id")?,
        decision: row::word(row, "decision")?,
        note: row.try_get("note")?,
        until,
        owner: row.try_get("owner")?,
        decided_by: row.try_get("decided_by")?,
        decided_at: row.try_get("decided_at")?,
        ended_at,
        active: ended_at.is_none() && until.is_none_or(|until| until >= today),
    })
}

fn check(request: &DecisionRequest, today: NaiveDate) -> Result<(), StoreError> {
    let longer =
        |text: &Option<String>, most: usize| text.as_ref().is_some_and(|text| text.chars().count() > most);
    if longer(&request.note, NOTE_CHARS) {
        return Err(StoreError::Invalid(format!(
            "`note` has more than {NOTE_CHARS} characters"
        )));
    }
    if longer(&request.owner, limits::NAME_CHARS) {
        return Err(StoreError::Invalid(format!(
            "`owner` has more than {} characters",
            limits::NAME_CHARS
        )));
    }
    if request.until.is_some_and(|until| until < today) {
        return Err(StoreError::Invalid(format!(
            "`until` is before today, {today} (UTC)"
        )));
    }
    Ok(())
}
