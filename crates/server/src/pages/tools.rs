//! `/tools`: the board of tools.

use axum::response::Response;
use model::api::{Board, query::LeaderboardQuery};

use super::{boards, view::PageQuery, visit::Visit};
use crate::error::ApiError;

/// The page.
pub(crate) async fn get(visit: Visit, query: PageQuery<LeaderboardQuery>) -> Result<Response, ApiError> {
    boards::page(&visit, query, Board::Tools, "Tools", "/tools").await
}
