//! What responses used in a period, from the days.

use chrono::NaiveDate;
use model::{
    MicroUsd, OrgId,
    api::{
        Period, UnpricedResponses, UsageReport, UsageRow, UsageTotals,
        query::{ListQuery, UsageQuery},
    },
};
use tokio_postgres::{
    GenericClient, IsolationLevel, Row,
    types::{ToSql, Type},
};

use crate::{Store, StoreError, page};

/// No response of an earlier day is stored.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day of the calendar");

impl Store {
    /// What the responses of an org used, by model, member, project or day. Members who opted out of boards are left out
    /// of the rows by member, and where the org hides names, members are shown under pseudonyms and cannot be filtered by.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor; [`StoreError::Invalid`] when the filter would
    /// reveal the member behind a pseudonym, or the days contradict each other.
    pub async fn usage(&self, org: OrgId, query: &UsageQuery) -> Result<UsageReport, StoreError> {
        let limit = query.page_rows();
        let offset: i64 = page::read_cursor(query.cursor())?.unwrap_or(0);
        let by = query.by.unwrap_or_default();
        let mut client = self.client().await?;
        let snapshot = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        crate::session::plan_for_any_org(&snapshot).await?;
        let scope = snapshot
            .query_typed_one(
                include_str!("report/scope.sql"),
                &[(&org.0, Type::INT8), (&query.member, Type::TEXT)],
            )
            .await?;
        let period = Period::of(
            query.window,
            (query.from, query.to),
            None,
            scope.try_get("today")?,
        )
        .map_err(StoreError::Invalid)?;
        if query.member.is_some() && !scope.try_get::<_, bool>("show_names")? {
            return Err(StoreError::Invalid(
                "the org hides names; `member` cannot be asked for".to_owned(),
            ));
        }
        let first = period.first.unwrap_or(FIRST_DAY);
        // A member that the org does not have has no rows: ids begin at 1.
        let member: Option<i64> = query
            .member
            .as_ref()
            .map(|_| scope.try_get("member_id"))
            .transpose()?
            .map(|member: Option<i64>| member.unwrap_or(0));
        let statement = snapshot.prepare_cached(include_str!("report/rows.sql")).await?;
        let by_text = by.as_str();
        let asked = i64::from(limit) + 1;
        let parameters: [&(dyn ToSql + Sync); 9] = [
            &org.0,
            &by_text,
            &first,
            &period.last,
            &offset,
            &asked,
            &member,
            &query.project,
            &query.model,
        ];
        let rows = snapshot.query(&statement, &parameters).await?;
        let next = page::cursor(&(offset + i64::from(limit)));
        let page = page::Page::from_rows(&rows, limit, |row| Ok((read_row(row)?, next.clone())))?;
        let filters: [&(dyn ToSql + Sync); 6] = [
            &org.0,
            &first,
            &period.last,
            &member,
            &query.project,
            &query.model,
        ];
        let statement = snapshot.prepare_cached(include_str!("report/totals.sql")).await?;
        let totals = read_totals(&snapshot.query_one(&statement, &filters).await?)?;
        let statement = snapshot
            .prepare_cached(include_str!("report/unpriced.sql"))
            .await?;
        let unpriced = snapshot.query(&statement, &filters).await?;
        let as_of = scope.try_get("as_of")?;
        snapshot.commit().await?;
        Ok(UsageReport {
            usage: page.rows,
            next_cursor: page.next_cursor,
            totals,
            unpriced: unpriced
                .iter()
                .map(|row| {
                    Ok(UnpricedResponses {
                        model: row.try_get("model")?,
                        responses: row.try_get("responses")?,
                    })
                })
                .collect::<Result<_, StoreError>>()?,
            as_of: Some(as_of),
            window: (query.from.is_none() && query.to.is_none()).then(|| query.window.unwrap_or_default()),
            first_day: period.first,
            last_day: period.last,
        })
    }
}

/// What all responses of an org used in a period.
pub(crate) async fn totals_of(
    client: &impl GenericClient,
    org: OrgId,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<UsageTotals, StoreError> {
    let (member, name): (Option<i64>, Option<&str>) = (None, None);
    let row = client
        .query_one(
            include_str!("report/totals.sql"),
            &[&org.0, &first, &last, &member, &name, &name],
        )
        .await?;
    read_totals(&row)
}

fn read_row(row: &Row) -> Result<UsageRow, StoreError> {
    let subject: String = row.try_get("subject")?;
    Ok(UsageRow {
        subject: (!subject.is_empty()).then_some(subject),
        usage: read_totals(row)?,
    })
}

fn read_totals(row: &Row) -> Result<UsageTotals, StoreError> {
    let responses: i64 = row.try_get("responses")?;
    let costed: i64 = row.try_get("costed")?;
    let cost: i64 = row.try_get("cost_micro_usd")?;
    Ok(UsageTotals {
        responses,
        uncosted_responses: responses - costed,
        usage_cost_usd: (costed > 0).then(|| MicroUsd(cost).as_usd()),
        input_tokens: row.try_get("input_tokens")?,
        output_tokens: row.try_get("output_tokens")?,
        cache_read_tokens: row.try_get("cache_read_tokens")?,
        cache_write_tokens: row.try_get("cache_write_tokens")?,
    })
}
