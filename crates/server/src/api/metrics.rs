//! `GET /metrics`: the Prometheus text format.

use std::{sync::OnceLock, time::Duration};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use metrics::Unit::{self, Bytes, Count, Seconds};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use model::IngestResult;

use crate::state::App;

/// How long the database may take for its part of the answer.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(1);

const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
const EVENTS: &[f64] = &[1.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 2_000.0, 5_000.0];
const BATCHES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// The recorder of this process: installed at the first call.
pub(crate) fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let full = |name: &str| Matcher::Full(name.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets(SECONDS)
            .and_then(|it| it.set_buckets_for_metric(full("toolhub_batch_events"), EVENTS))
            .and_then(|it| it.set_buckets_for_metric(full("toolhub_commit_batches"), BATCHES))
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        // Fails when the process has another recorder already; this one then stays empty.
        let _ = metrics::set_global_recorder(recorder);
        describe();
        register();
        handle
    })
}

fn describe() {
    let histograms: [(&'static str, Unit, &'static str); 5] = [
        (
            "toolhub_request_seconds",
            Seconds,
            "Time to answer a request, by route",
        ),
        ("toolhub_batch_events", Count, "Events in an upload"),
        (
            "toolhub_commit_batches",
            Count,
            "Uploads that share a transaction",
        ),
        (
            "toolhub_commit_seconds",
            Seconds,
            "Time of an ingest transaction, by result",
        ),
        (
            "toolhub_refresh_seconds",
            Seconds,
            "Time of a refresh that this process did, by view",
        ),
    ];
    for (name, unit, text) in histograms {
        metrics::describe_histogram!(name, unit, text);
    }
    let counters: [(&'static str, &'static str); 10] = [
        (
            "toolhub_requests_total",
            "Answered requests, by method, route and status",
        ),
        (
            "toolhub_events_total",
            "Events of uploads, by the field of the receipt that counts them",
        ),
        (
            "toolhub_shed_total",
            "Requests that were answered 503 to bound the load, by reason",
        ),
        (
            "toolhub_rate_limited_total",
            "Requests that were answered 429 for their rate, by limit",
        ),
        (
            "toolhub_shares_refused_total",
            "Requests that were answered 429 because the token or the org has too many",
        ),
        (
            "toolhub_bodies_refused_total",
            "Bodies that were answered 503 for lack of memory",
        ),
        (
            "toolhub_connections_refused_total",
            "Connections that were closed at once",
        ),
        (
            "toolhub_refresh_failures_total",
            "Refreshes of this process that failed",
        ),
        (
            "toolhub_refresh_rows_total",
            "Rows that refreshes of this process changed, by view",
        ),
        ("toolhub_panics_total", "Handlers that panicked"),
    ];
    for (name, text) in counters {
        metrics::describe_counter!(name, Count, text);
    }
    let gauges: [(&'static str, Unit, &'static str); 14] = [
        ("toolhub_build_info", Count, "Always 1; the version is a label"),
        (
            "toolhub_requests_in_flight",
            Count,
            "Requests that are being answered",
        ),
        (
            "toolhub_pool_connections_max",
            Count,
            "Connections to the database that this process may have",
        ),
        (
            "toolhub_pool_connections_in_use",
            Count,
            "Connections of the pool that are in use",
        ),
        (
            "toolhub_pool_waiting",
            Count,
            "Requests that wait for a connection",
        ),
        ("toolhub_draining", Count, "1 while the process shuts down"),
        (
            "toolhub_durable",
            Count,
            "1 when acknowledged events survive a power cut",
        ),
        (
            "toolhub_database_up",
            Count,
            "1 when the database answered this request for metrics in time",
        ),
        (
            "toolhub_database_info",
            Count,
            "Always 1; version, and whether toolhub runs it, are labels",
        ),
        ("toolhub_database_bytes", Bytes, "Size of the database on disk"),
        (
            "toolhub_database_deadlocks",
            Count,
            "Deadlocks since the database's statistics began",
        ),
        (
            "toolhub_database_connections",
            Count,
            "Connections of all programs to the database",
        ),
        (
            "toolhub_refresh_age_seconds",
            Seconds,
            "Since the latest refresh of any process, by view",
        ),
        (
            "toolhub_boards_waiting_seconds",
            Seconds,
            "Since when the oldest change waits to be in the boards",
        ),
    ];
    for (name, unit, text) in gauges {
        metrics::describe_gauge!(name, unit, text);
    }
}

/// Counters exist from the start, so that a rate is 0 and not missing before the first event.
fn register() {
    for result in [
        IngestResult::Inserted,
        IngestResult::Upgraded,
        IngestResult::Duplicate,
        IngestResult::Conflict,
        IngestResult::Rejected,
    ] {
        metrics::counter!("toolhub_events_total", "result" => result.as_str()).increment(0);
    }
    for reason in ["connections", "requests", "queue", "time"] {
        metrics::counter!("toolhub_shed_total", "reason" => reason).increment(0);
    }
    for limit in ["token", "address"] {
        metrics::counter!("toolhub_rate_limited_total", "limit" => limit).increment(0);
    }
    for name in [
        "toolhub_shares_refused_total",
        "toolhub_bodies_refused_total",
        "toolhub_connections_refused_total",
        "toolhub_refresh_failures_total",
        "toolhub_panics_total",
    ] {
        metrics::counter!(name).increment(0);
    }
}

/// What the process has counted, and the state of its pool and of the database.
pub(crate) async fn get(State(app): State<App>) -> Response {
    let gauge = |name: &'static str, value: f64| metrics::gauge!(name).set(value);
    let count = |value: usize| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    let flag = |set: bool| f64::from(u8::from(set));
    let pool = app.store.pool_status();
    gauge("toolhub_pool_connections_max", count(pool.max_size));
    gauge("toolhub_pool_connections_in_use", count(pool.in_use));
    gauge("toolhub_pool_waiting", count(pool.waiting));
    let free = app.requests.available_permits();
    gauge(
        "toolhub_requests_in_flight",
        count(app.config.requests.saturating_sub(free)),
    );
    gauge("toolhub_draining", flag(app.is_draining()));
    gauge("toolhub_durable", flag(app.durable));
    metrics::gauge!("toolhub_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let answered = tokio::time::timeout(DATABASE_TIMEOUT, database(&app)).await;
    gauge("toolhub_database_up", flag(matches!(answered, Ok(Ok(())))));
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        recorder().render(),
    )
        .into_response()
}

/// What the database says of itself. The gauges keep their values while it does not answer.
async fn database(app: &App) -> Result<(), store::StoreError> {
    let state = app.store.database_state().await?;
    let kind = if app.config.embedded {
        "embedded"
    } else {
        "external"
    };
    metrics::gauge!("toolhub_database_info", "kind" => kind, "version" => state.version).set(1.0);
    // In kB, which fit 4 TB into the integers that convert without loss.
    let kilobytes = |value: i64| u32::try_from(value / 1024).map_or(f64::MAX, |kib| f64::from(kib) * 1024.0);
    let small = |value: i64| f64::from(i32::try_from(value).unwrap_or(i32::MAX));
    metrics::gauge!("toolhub_database_bytes").set(kilobytes(state.bytes));
    metrics::gauge!("toolhub_database_deadlocks").set(small(state.deadlocks));
    metrics::gauge!("toolhub_database_connections").set(small(state.connections));
    let lag = app.store.lag().await?;
    metrics::gauge!("toolhub_boards_waiting_seconds").set(lag.waiting.as_secs_f64());
    for (view, age) in [("board_scores", lag.boards_age), ("tool_scores", lag.scores_age)] {
        if let Some(age) = age {
            metrics::gauge!("toolhub_refresh_age_seconds", "view" => view).set(age.as_secs_f64());
        }
    }
    Ok(())
}
