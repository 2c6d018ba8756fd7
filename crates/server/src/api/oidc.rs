//! `POST /v1/oidc/exchange`: exchanges the identity of a CI run for a token that can upload for half an hour.

use axum::{Extension, extract::State};
use model::administration::{ExchangeRequest, IssuedToken};

use super::tokens;
use crate::{
    address::ClientAddress,
    error::ApiError,
    extract::{Input, Json},
    oidc::VerifyError,
    state::App,
};

/// Verifies the identity token, then exchanges it.
pub(crate) async fn exchange(
    State(app): State<App>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Input(request): Input<ExchangeRequest>,
) -> Result<Json<IssuedToken>, ApiError> {
    let now = app.now();
    let run = match app.verifier.verify(request.token.reveal(), now).await {
        Err(VerifyError::Invalid(why)) => {
            app.rates.charge_refused(address);
            return Err(VerifyError::Invalid(why).into());
        }
        other => other?,
    };
    let exchanged = app
        .store
        .exchange(&run, request.org.as_deref(), address, now)
        .await?;
    let issued = store::team::Issued {
        token: exchanged.token,
        token_id: exchanged.token_id,
    };
    Ok(Json(tokens::issued(&app, exchanged.org, issued).await?))
}
