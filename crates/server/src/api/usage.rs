//! `PUT /v1/usage` and `GET /v1/usage`: what the responses of models used, those that call no tool included.

use axum::{body::Body, extract::State, http::HeaderMap};
use model::{
    api::{
        UsageReport,
        query::{ListQuery, UsageQuery},
    },
    limits,
    usage::{Response, Usage, UsageReceipt},
};
use store::{StoreError, names::Name, team::Identity};
use tokio::time::Instant;

use super::names;
use crate::{
    auth::Caller,
    body,
    commit::{BUSY_PAUSE, BUSY_TIMEOUT},
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

/// Stores what responses used. One that cannot be stored costs no other.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(caller): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<UsageReceipt>, ApiError> {
    let mut memory = app.memory.share(caller.org);
    let usage = body::read(&app, &mut memory, &headers, body, |bytes| {
        let responses = memchr::memmem::find_iter(&bytes, br#""response_id""#);
        if responses.take(limits::BATCH_EVENTS + 1).count() > limits::BATCH_EVENTS {
            return Err(ApiError::TooLarge {
                what: "the request",
                limit: limits::BATCH_EVENTS,
                unit: "responses",
            });
        }
        serde_json::from_slice::<Usage>(&bytes)
            .map_err(|error| ApiError::BadRequest(format!("the usage cannot be read: {error}")))
    })
    .await?;
    let now = app.now();
    let mut rejected = (0, None);
    let mut responses = usage.responses;
    responses.retain_mut(|response| match response.check(now) {
        Ok(()) => true,
        Err(why) => {
            rejected.0 += 1;
            rejected.1.get_or_insert(why);
            false
        }
    });
    let mut receipt = store(&app, &caller, &responses, false).await?;
    receipt.received += rejected.0;
    receipt.rejected += rejected.0;
    receipt.rejection = rejected.1.map(str::to_owned).or(receipt.rejection);
    Ok(Json(receipt))
}

/// Stores responses. While another writer has the usage of the org it is tried again, without a connection in between.
pub(super) async fn store(
    app: &App,
    caller: &Identity,
    responses: &[Response],
    is_vendor_cost: bool,
) -> Result<UsageReceipt, ApiError> {
    let give_up = Instant::now() + BUSY_TIMEOUT;
    loop {
        let working = app.shares.work(caller.org).await?;
        let stored = app
            .store
            .usage_put(caller.org, caller.member, responses, is_vendor_cost, app.now())
            .await;
        drop(working);
        match stored {
            Err(StoreError::MembersBusy(_)) if Instant::now() < give_up => {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            done => return Ok(done?),
        }
    }
}

/// What responses used in a period.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<UsageQuery>,
) -> Result<Json<UsageReport>, ApiError> {
    let report = app.store.usage(caller.org, &query).await?;
    let asked = [
        query.member.as_deref().map(Name::Member),
        query.project.as_deref().map(Name::Project),
    ];
    names::check(&app, &caller, report.usage.is_empty(), query.cursor(), &asked).await?;
    Ok(Json(report))
}
