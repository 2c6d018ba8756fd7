//! `/v1/tokens`.

use axum::{extract::State, http::StatusCode};

use crate::{auth::Caller, error::ApiError, state::App};

/// Revokes the token of the request: what `toolhub logout` does.
pub(crate) async fn revoke_current(
    State(app): State<App>,
    Caller(identity): Caller,
) -> Result<StatusCode, ApiError> {
    app.store
        .token_revoke(identity.org, identity.token_id, app.now())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
