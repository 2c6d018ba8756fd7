//! `GET /v1/limits`.

use model::limits::Limits;

use crate::extract::Json;

/// The limits of the ingest API.
pub(crate) async fn get() -> Json<Limits> {
    Json(Limits::default())
}
