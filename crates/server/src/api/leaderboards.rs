//! `GET /v1/leaderboards/{tools,members,projects}`.

use axum::extract::State;
use model::api::{
    Board, Leaderboard,
    query::{LeaderboardQuery, ListQuery},
};
use store::names::Name;

use super::{names, refresh};
use crate::{
    auth::Caller,
    deadline::Deadline,
    error::ApiError,
    extract::{Json, PathParam, Query},
    state::App,
};

/// One board for one window.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    deadline: Deadline,
    PathParam(board): PathParam,
    Query(query): Query<LeaderboardQuery>,
) -> Result<Json<Leaderboard>, ApiError> {
    let board: Board = board
        .parse()
        .map_err(|error| ApiError::NotFound(format!("no such board: {error}")))?;
    let as_of = refresh::as_of(&app, caller.org, query.fresh, &deadline).await?;
    let ranking = app.store.leaderboard(caller.org, board, &query).await?;
    let asked = [
        query.member.as_deref().map(Name::Member),
        query.project.as_deref().map(Name::Project),
    ];
    let is_empty = ranking.page.rows.is_empty();
    names::check(&app, &caller, is_empty, query.cursor(), &asked).await?;
    Ok(Json(Leaderboard {
        leaderboard: ranking.page.rows,
        next_cursor: ranking.page.next_cursor,
        as_of,
        window: (query.from.is_none() && query.to.is_none()).then(|| query.window.unwrap_or_default()),
        first_day: ranking.period.first,
        last_day: Some(ranking.period.last),
        previous_first_day: ranking.period.previous.map(|(first, _)| first),
        previous_last_day: ranking.period.previous.map(|(_, last)| last),
    }))
}
