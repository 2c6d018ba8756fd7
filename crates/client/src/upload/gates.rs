//! Asks the server whether the calls of a run pass its gates.

use std::collections::BTreeSet;

use model::{
    Gate,
    api::{GatesRequest, MAX_RUN_SESSIONS, Run},
};
use reqwest::Method;

use crate::{Error, Server};

/// Judges the events of these sessions, as the server has them.
pub(super) async fn judge(server: &Server, gates: &[Gate], sessions: BTreeSet<String>) -> Result<Run, Error> {
    if sessions.len() > MAX_RUN_SESSIONS {
        return Err(Error::Usage(format!(
            "the events were uploaded, but a run of more than {MAX_RUN_SESSIONS} sessions is not judged: choose them with --since, --project or paths"
        )));
    }
    let request = GatesRequest {
        sessions: sessions.into_iter().collect(),
        gates: gates.iter().map(Gate::to_string).collect(),
    };
    let body = server
        .send(Method::POST, "/v1/gates", &[], Some(&request))
        .await?;
    server.read(&body)
}
