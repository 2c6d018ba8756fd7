//! `/v1/device-logins`: the login of a machine that has no token yet, in the manner of RFC 8628.

use axum::{Extension, extract::State, http::StatusCode};
use model::{
    administration::{
        DEVICE_LOGIN_MINUTES, DEVICE_LOGIN_SECONDS, DeviceLogin, DeviceLoginRequest, DeviceTokenRequest,
        IssuedToken, MACHINE_CHARS,
    },
    team::Scope,
    text,
    token::{PageSecret, Secret},
};
use store::{StoreError, device_logins, device_logins::NoToken};

use super::tokens;
use crate::{
    address::ClientAddress,
    error::ApiError,
    extract::{Input, Json},
    rates::subscriber,
    state::App,
};

/// Seconds after which a machine may ask again when too many logins wait.
const RETRY_SECONDS: u32 = 60;

/// Begins a login.
pub(crate) async fn create(
    State(app): State<App>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Input(request): Input<DeviceLoginRequest>,
) -> Result<(StatusCode, Json<DeviceLogin>), ApiError> {
    let machine = request.machine.unwrap_or_else(|| "an unnamed machine".to_owned());
    if machine.is_empty() || machine.chars().count() > MACHINE_CHARS {
        return Err(ApiError::BadRequest(format!(
            "`machine` has 1 to {MACHINE_CHARS} characters"
        )));
    }
    let mut scopes = request.scopes.unwrap_or_else(|| vec![Scope::Upload, Scope::Read]);
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(ApiError::BadRequest(
            "`scopes` has at least one of upload, read, admin".into(),
        ));
    }
    let login = device_logins::DeviceLogin {
        machine: &text::clean(&machine),
        scopes: &scopes,
        address: address.map(subscriber),
    };
    let codes = app.store.device_login_start(&login, app.now()).await?;
    let codes = codes.ok_or(ApiError::TooManyRequests {
        retry_after: RETRY_SECONDS,
    })?;
    let user_code = codes.user.reveal();
    Ok((
        StatusCode::CREATED,
        Json(DeviceLogin {
            device_code: Secret::new(codes.device.reveal()),
            path: format!("/me/device?code={user_code}"),
            user_code,
            expires_in: DEVICE_LOGIN_MINUTES * 60,
            interval: DEVICE_LOGIN_SECONDS.unsigned_abs(),
        }),
    ))
}

/// Answers the token of a login that was confirmed, once.
pub(crate) async fn token(
    State(app): State<App>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Input(request): Input<DeviceTokenRequest>,
) -> Result<Json<IssuedToken>, ApiError> {
    let now = app.now();
    let found = match PageSecret::parse(request.device_code.reveal()) {
        Some(code) => app.store.device_login_token(&code, address, now).await,
        None => Err(NoToken::Expired.into()),
    };
    if let Err(StoreError::NoToken(NoToken::Expired)) = &found {
        app.rates.charge_refused(address);
    }
    let (org, issued) = found?;
    Ok(Json(tokens::issued(&app, org, issued).await?))
}
