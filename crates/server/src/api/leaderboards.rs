//! `GET /v1/leaderboards/{tools,members,projects}`.

use axum::extract::State;
use model::api::Leaderboard;
use serde::Deserialize;
use store::{
    leaderboards::{Board, BoardFilter, Window},
    refresh::View,
};

use super::{check_kind, page_rows, refresh};
use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Json, PathParam, Query},
    state::App,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    window: Option<String>,
    kind: Option<String>,
    project: Option<String>,
    member: Option<String>,
    min_sample: Option<i64>,
    fresh: Option<bool>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// One board for one window.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    PathParam(board): PathParam,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Leaderboard>, ApiError> {
    let board = match board.as_str() {
        "tools" => Board::Tools,
        "members" => Board::Members,
        "projects" => Board::Projects,
        _ => {
            return Err(ApiError::NotFound(
                "such board; there are tools, members, projects".into(),
            ));
        }
    };
    let window: Window = parameters
        .window
        .as_deref()
        .unwrap_or("30d")
        .parse()
        .map_err(ApiError::BadQuery)?;
    let filter = BoardFilter {
        kind: check_kind(parameters.kind)?,
        project: parameters.project,
        member: parameters.member,
        min_sample: parameters.min_sample.unwrap_or(1),
    };
    let limit = page_rows(parameters.limit)?;
    let as_of = refresh::as_of(&app, caller.org, View::Boards, parameters.fresh).await?;
    let ranking = app
        .store
        .leaderboard(
            caller.org,
            board,
            window,
            &filter,
            parameters.cursor.as_deref(),
            limit,
        )
        .await?;
    Ok(Json(Leaderboard {
        leaderboard: ranking.page.rows,
        next_cursor: ranking.page.next_cursor,
        as_of,
        window: window.as_str().to_owned(),
        first_day: ranking.first_day,
        last_day: Some(ranking.last_day),
    }))
}
