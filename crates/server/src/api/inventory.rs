//! `PUT /v1/inventory`.

use axum::{body::Body, extract::State, http::HeaderMap};
use chrono::{DateTime, Datelike, Utc};
use model::{
    inventory::{Inventory, InventoryReceipt},
    limits, text,
};

use store::{StoreError, team::Identity};
use tokio::time::Instant;

use crate::{
    auth::Caller,
    body,
    commit::{BUSY_PAUSE, BUSY_TIMEOUT},
    error::ApiError,
    extract::Json,
    state::App,
};

/// Stores what sessions had loaded and what a machine has installed.
pub(crate) async fn put(
    State(app): State<App>,
    Caller(caller): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<InventoryReceipt>, ApiError> {
    let mut memory = app.memory.share(caller.org);
    let inventory = body::read(&app, &mut memory, &headers, body, |bytes| {
        count(&bytes)?;
        let mut inventory: Inventory = serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::BadRequest(format!("the inventory cannot be read: {error}")))?;
        check(&mut inventory)?;
        Ok(inventory)
    })
    .await?;
    let receipt = store(&app, &caller, &inventory).await?;
    if receipt.changed > 0 {
        app.stale.notify_one();
    }
    Ok(Json(receipt))
}

/// Stores an inventory. While the member is busy it is tried again, without a connection in between.
async fn store(app: &App, caller: &Identity, inventory: &Inventory) -> Result<InventoryReceipt, ApiError> {
    let give_up = Instant::now() + BUSY_TIMEOUT;
    loop {
        let working = app.shares.work(caller.org).await?;
        let stored = app
            .store
            .inventory_put(caller.org, caller.member, inventory, app.now())
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

/// Refuses a body with too many tools or sessions before anything is made of it.
fn count(bytes: &[u8]) -> Result<(), ApiError> {
    for (name, unit) in [
        (br#""tool_id""#.as_slice(), "tools"),
        (br#""session_id""#, "sessions"),
    ] {
        if memchr::memmem::find_iter(bytes, name)
            .nth(limits::INVENTORY_TOOLS)
            .is_some()
        {
            return Err(ApiError::TooLarge {
                what: "the inventory",
                limit: limits::INVENTORY_TOOLS,
                unit,
            });
        }
    }
    Ok(())
}

fn check(inventory: &mut Inventory) -> Result<(), ApiError> {
    let tools = inventory
        .sessions
        .iter()
        .map(|session| session.tools.len())
        .sum::<usize>()
        + inventory
            .machine
            .as_ref()
            .map_or(0, |machine| machine.tools.len());
    if tools > limits::INVENTORY_TOOLS {
        return Err(ApiError::TooLarge {
            what: "the inventory",
            limit: limits::INVENTORY_TOOLS,
            unit: "tools",
        });
    }
    for session in &mut inventory.sessions {
        name("session_id", &mut session.session_id)?;
        time(session.observed_at)?;
        for tool in &session.tools {
            if tool.context_bytes > limits::CONTEXT_BYTES {
                return Err(ApiError::BadRequest(format!(
                    "`context_bytes` is 0 to {}",
                    limits::CONTEXT_BYTES
                )));
            }
        }
        if let Some(project) = &mut session.project {
            name("project", project)?;
        }
    }
    if let Some(machine) = &mut inventory.machine {
        name("machine_id", &mut machine.machine_id)?;
        time(machine.observed_at)?;
        for tool in &mut machine.tools {
            if let Some(source) = &mut tool.source {
                name("source", source)?;
            }
            if let Some(description) = &mut tool.description {
                *description = text::clean(text::truncate_bytes(description, 1_024)).into_owned();
            }
        }
    }
    Ok(())
}

/// A time that the database can compare and count days from.
fn time(observed_at: DateTime<Utc>) -> Result<(), ApiError> {
    if !(1..=9_999).contains(&observed_at.year()) {
        return Err(ApiError::BadRequest(
            "`observed_at` is a time of the years 1 to 9999".into(),
        ));
    }
    Ok(())
}

fn name(field: &str, value: &mut String) -> Result<(), ApiError> {
    if value.is_empty() || value.chars().count() > limits::NAME_CHARS {
        return Err(ApiError::BadRequest(format!(
            "`{field}` has 1 to {} characters",
            limits::NAME_CHARS
        )));
    }
    *value = text::clean(value).into_owned();
    Ok(())
}
