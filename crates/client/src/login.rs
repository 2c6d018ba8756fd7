//! A login that a person confirms in a browser: this machine needs no token yet.

use std::time::Duration;

use model::{
    administration::{DeviceLogin, DeviceLoginRequest, DeviceTokenRequest, IssuedToken, MACHINE_CHARS},
    team::Scope,
};
use tokio::time::{Instant, sleep};

use crate::{Error, Server, installed, server::Method};

/// What each `slow_down` adds to the interval, by RFC 8628.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// Begins a login for the scopes; without any, the server's default.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn begin(server: &Server, scopes: Option<Vec<Scope>>) -> Result<DeviceLogin, Error> {
    let machine: String = installed::host_name().chars().take(MACHINE_CHARS).collect();
    let request = DeviceLoginRequest {
        machine: Some(machine).filter(|name| !name.is_empty()),
        scopes,
    };
    let body = server
        .send(Method::POST, "/v1/device-logins", &[], Some(&request))
        .await?;
    server.read(&body)
}

/// Asks until the person has decided, or the codes have expired.
///
/// # Errors
/// [`Error::Forbidden`] when the person denied it or did nothing in time.
pub async fn wait(server: &Server, login: &DeviceLogin) -> Result<IssuedToken, Error> {
    let request = DeviceTokenRequest {
        device_code: login.device_code.clone(),
    };
    let deadline = Instant::now() + Duration::from_secs(login.expires_in.into());
    let mut interval = Duration::from_secs(login.interval.max(1).into());
    let not_allowed = |code: &str, detail: &str| Error::Forbidden {
        url: server.url().to_owned(),
        code: code.to_owned(),
        detail: detail.to_owned(),
    };
    while Instant::now() < deadline {
        sleep(interval).await;
        match server
            .send(Method::POST, "/v1/device-logins/token", &[], Some(&request))
            .await
        {
            Ok(body) => return server.read(&body),
            Err(Error::Refused { code, detail, .. }) => match code.as_str() {
                "authorization_pending" => {}
                "slow_down" => interval += SLOW_DOWN,
                _ => return Err(not_allowed(&code, &detail)),
            },
            // The person may still be reading: a server that restarts does not end the login.
            Err(Error::Busy { .. } | Error::Unreachable { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(not_allowed(
        "expired_token",
        "the login was not confirmed in time",
    ))
}
