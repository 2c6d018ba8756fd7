//! `GET /v1/savings`.

use axum::extract::State;
use model::api::{
    Saved, Savings, SavingsRow,
    query::{ListQuery, SavingsQuery},
};
use store::names::Name;

use super::{names, refresh};
use crate::{
    auth::Caller,
    deadline::Deadline,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

/// What retired tools saved, against before.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    deadline: Deadline,
    Query(query): Query<SavingsQuery>,
) -> Result<Json<Savings>, ApiError> {
    let as_of = refresh::as_of(&app, caller.org, query.fresh, &deadline).await?;
    let page = app.store.savings(caller.org, &query, app.now()).await?;
    let asked = [query.tool_id.as_deref().map(Name::Tool)];
    names::check(&app, &caller, page.rows.is_empty(), query.cursor(), &asked).await?;
    Ok(Json(Savings {
        total: total(&page.rows),
        savings: page.rows,
        next_cursor: page.next_cursor,
        as_of,
    }))
}

fn total(rows: &[SavingsRow]) -> Saved {
    rows.iter().fold(Saved::default(), |total, row| Saved {
        sessions: total.sessions + row.saved.sessions,
        tokens: match (total.tokens, row.saved.tokens) {
            (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
            (sum, more) => sum.or(more),
        },
        cost_usd: match (total.cost_usd, row.saved.cost_usd) {
            (Some(sum), Some(more)) => Some(sum + more),
            (sum, more) => sum.or(more),
        },
    })
}
