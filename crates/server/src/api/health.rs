//! `/livez` and `/readyz`.

use std::{
    any::Any,
    time::{Duration, Instant},
};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use store::StoreError;

use crate::{error::ApiError, state::App};

/// How long all checks together may take, for a database that does not answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an upload may wait for the boards before the server counts as degraded. A refresh that fails is tried again
/// after a minute.
const MAX_WAITING: Duration = Duration::from_secs(120);

/// The process runs. Does not use the database, so that a slow one does not get the process killed.
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// Requests are served, and an operator should look.
    Degraded,
    /// Requests cannot be served.
    Failed,
    /// Not checked, because an earlier check failed.
    Unknown,
}

/// One check, with the time that it took.
#[derive(Clone, Debug, Serialize)]
struct Check {
    check: &'static str,
    status: Status,
    ms: f64,
    detail: String,
}

impl Check {
    fn new(check: &'static str, since: Instant, status: Status, detail: impl Into<String>) -> Check {
        // Microseconds are precise enough, and shorter.
        let ms = (since.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        Check {
            check,
            status,
            ms,
            detail: detail.into(),
        }
    }
}

/// Requests can be served: 200, or 503 with what is missing. One line for each check.
pub(crate) async fn readyz(State(app): State<App>) -> Response {
    let draining = app.is_draining();
    let checks = checks(&app).await;
    let ready = !draining && checks.iter().all(|check| check.status != Status::Failed);
    let degraded = checks.iter().any(|check| check.status == Status::Degraded);
    let detail = |name| {
        checks
            .iter()
            .find(|check| check.check == name)
            .map_or("unknown", |check| check.detail.as_str())
    };
    let head = json!({
        "ready": ready,
        "degraded": degraded,
        "draining": draining,
        "database": detail("database"),
        "schema": detail("schema"),
        "durable": app.durable,
    })
    .to_string();
    let lines: Vec<String> = checks
        .iter()
        .filter_map(|check| serde_json::to_string(check).ok())
        .collect();
    let body = format!(
        "{},\"checks\":[\n{}\n]}}\n",
        head.trim_end_matches('}'),
        lines.join(",\n")
    );
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Each check in its order: after one that fails, the database is not asked further.
async fn checks(app: &App) -> Vec<Check> {
    let deadline = tokio::time::Instant::now() + CHECK_TIMEOUT;
    let mut checks = Vec::new();
    let mut started = Instant::now();

    let answered = tokio::time::timeout_at(deadline, app.store.ping()).await;
    checks.push(match &answered {
        Ok(Ok(())) => Check::new("database", started, Status::Ok, "ok"),
        Ok(Err(_)) => Check::new("database", started, Status::Failed, "unreachable"),
        Err(_) => Check::new("database", started, Status::Failed, "no answer within 1 s"),
    });
    let mut goes_on = matches!(answered, Ok(Ok(())));

    started = Instant::now();
    checks.push(match asked(goes_on, deadline, app.store.check_schema()).await {
        Some(Ok(())) => Check::new("schema", started, Status::Ok, "ok"),
        Some(Err(error)) if !error.is_temporary() => {
            Check::new("schema", started, Status::Failed, "not this program's")
        }
        _ => unknown("schema", started, goes_on),
    });
    goes_on &= is_ok(&checks);

    started = Instant::now();
    let pool = app.store.pool_status();
    let used = format!(
        "{} of {} connections in use, {} waiting",
        pool.in_use, pool.max_size, pool.waiting
    );
    let full = pool.in_use >= pool.max_size && pool.waiting > 0;
    let status = if full { Status::Degraded } else { Status::Ok };
    checks.push(Check::new("pool", started, status, used));

    started = Instant::now();
    checks.push(match asked(goes_on, deadline, app.store.is_writable()).await {
        Some(Ok(true)) => Check::new("writable", started, Status::Ok, "ok"),
        Some(Ok(false)) => Check::new("writable", started, Status::Failed, "the database is read-only"),
        _ => unknown("writable", started, goes_on),
    });
    goes_on &= is_ok(&checks);

    started = Instant::now();
    checks.push(match asked(goes_on, deadline, app.store.lag()).await {
        Some(Ok(lag)) => {
            let waiting = lag.waiting;
            let age = lag.boards_age.map_or("never refreshed".to_owned(), |age| {
                format!("refreshed {} s ago", age.as_secs())
            });
            let (status, detail) = if lag.last_error.is_some() {
                (Status::Degraded, format!("the latest refresh failed; {age}"))
            } else if waiting > MAX_WAITING {
                (
                    Status::Degraded,
                    format!("changes wait for {} s; {age}", waiting.as_secs()),
                )
            } else {
                (Status::Ok, age)
            };
            Check::new("refresh", started, status, detail)
        }
        // Requests are served all the same.
        _ if goes_on => Check::new("refresh", started, Status::Degraded, "no answer in time"),
        _ => Check::new("refresh", started, Status::Unknown, "not checked"),
    });
    checks
}

/// The answer to a question, unless an earlier one failed or it does not come in time.
async fn asked<T>(
    goes_on: bool,
    deadline: tokio::time::Instant,
    question: impl Future<Output = Result<T, StoreError>>,
) -> Option<Result<T, StoreError>> {
    if goes_on {
        tokio::time::timeout_at(deadline, question).await.ok()
    } else {
        None
    }
}

/// A check without an answer: it failed, or it was not made.
fn unknown(check: &'static str, since: Instant, was_asked: bool) -> Check {
    let status = if was_asked {
        Status::Failed
    } else {
        Status::Unknown
    };
    Check::new(check, since, status, "unknown")
}

fn is_ok(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.status != Status::Failed)
}

/// A handler panicked: the request fails, the process goes on.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let cause = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic")
        .to_owned();
    metrics::counter!("toolhub_panics_total").increment(1);
    ApiError::Internal { cause }.into_response()
}
