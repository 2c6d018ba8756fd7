//! `GET /v1/dead-weight`.

use axum::extract::State;
use model::api::{
    DeadWeight,
    query::{DeadWeightQuery, ListQuery},
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

/// Tools of the catalogue without an event in the window; with `verdict`, others too.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    deadline: Deadline,
    Query(query): Query<DeadWeightQuery>,
) -> Result<Json<DeadWeight>, ApiError> {
    let as_of = refresh::as_of(&app, caller.org, query.fresh, &deadline).await?;
    let data_since = app.store.data_since(caller.org).await?;
    let known_days = data_since.map_or(0, |first| (app.now().date_naive() - first).num_days());
    let query = query.with_default_days(known_days);
    let page = app.store.dead_weight(caller.org, &query).await?;
    let groups = app.store.dead_weight_groups(caller.org, &query).await?;
    let asked = [
        query.member.as_deref().map(Name::Member),
        query.project.as_deref().map(Name::Project),
    ];
    names::check(&app, &caller, page.rows.is_empty(), query.cursor(), &asked).await?;
    Ok(Json(DeadWeight {
        dead_weight: page.rows,
        groups,
        next_cursor: page.next_cursor,
        as_of,
        days: query.days(),
        data_since,
    }))
}
