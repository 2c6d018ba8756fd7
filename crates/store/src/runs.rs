//! The calls of a CI run: those of its sessions, by tool.

use model::{
    MemberId, MicroUsd, OrgId,
    api::{MAX_RUN_TOOLS, RunTool},
};
use tokio_postgres::Row;

use crate::{Store, StoreError, scores::share, session::plan_for_any_org};

impl Store {
    /// The calls that a member made in these sessions: all together, then by tool, the `first` tools before others.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn run_tools(
        &self,
        org: OrgId,
        member: MemberId,
        sessions: &[String],
        first: &[&str],
    ) -> Result<(RunTool, Vec<RunTool>), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        plan_for_any_org(&transaction).await?;
        let statement = transaction
            .prepare_cached(include_str!("runs/run_tools.sql"))
            .await?;
        let limit = i64::from(MAX_RUN_TOOLS) + 1;
        let rows = transaction
            .query(&statement, &[&org.0, &member.0, &sessions, &first, &limit])
            .await?;
        transaction.commit().await?;
        let mut tools = rows
            .iter()
            .map(read)
            .collect::<Result<Vec<RunTool>, StoreError>>()?;
        let totals = if tools.is_empty() {
            RunTool::default()
        } else {
            tools.remove(0)
        };
        Ok((totals, tools))
    }
}

fn read(row: &Row) -> Result<RunTool, StoreError> {
    let cost: Option<i64> = row.try_get("cost_micro_usd")?;
    let (events, successes, failures): (i64, i64, i64) = (
        row.try_get("events")?,
        row.try_get("successes")?,
        row.try_get("failures")?,
    );
    Ok(RunTool {
        tool_id: row.try_get("tool_id")?,
        events,
        successes,
        failures,
        abandoned: row.try_get("abandoned")?,
        unknown: row.try_get("unknown")?,
        success_rate: share(successes, events),
        decided_rate: share(successes, successes + failures),
        cost_usd: cost.map(|cost| MicroUsd(cost).as_usd()),
        median_duration_ms: row.try_get("median_duration_ms")?,
        max_duration_ms: row.try_get("max_duration_ms")?,
    })
}
