//! `GET /metrics`: the Prometheus text format.

use std::sync::OnceLock;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::state::App;

/// The recorder of this process: installed at the first call.
pub(crate) fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&[
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
            ])
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        // Fails when the process has another recorder already; this one then stays empty.
        let _ = metrics::set_global_recorder(recorder);
        handle
    })
}

/// What the process has counted, and the state of its pool.
pub(crate) async fn get(State(app): State<App>) -> Response {
    let pool = app.store.pool_status();
    for (name, value) in [
        ("toolhub_pool_connections_max", pool.max_size),
        ("toolhub_pool_connections_in_use", pool.in_use),
        ("toolhub_pool_waiting", pool.waiting),
    ] {
        metrics::gauge!(name).set(u32::try_from(value).unwrap_or(u32::MAX));
    }
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        recorder().render(),
    )
        .into_response()
}
