//! `GET /v1/refresh` and `fresh=true`: waiting until the scores are fresh.

use std::time::Duration;

use model::api::{DeadWeight, Leaderboard, RefreshState, ScoreDetail, Scores};
use server::Config;

use crate::harness::{Hub, sample::event};

/// Takes the locks of both refreshes, as another process does that refreshes for long.
const LOCK: &str = "select pg_advisory_lock(hashtextextended('toolhub.tool_scores', 0)), \
                    pg_advisory_lock(hashtextextended('toolhub.board_scores', 0))";

#[tokio::test]
async fn a_request_may_wait_for_a_refresh_for_longer_than_a_read_may_take() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let other = hub.beside().await;
    other.ask(LOCK).await;
    ann.upload(&[event("call_1", "mcp:linear")]).await;
    let held = async {
        tokio::time::sleep(Config::default().read_timeout + Duration::from_secs(1)).await;
        other.ask("select pg_advisory_unlock_all()").await;
    };
    let (state, scores, board, dead, short, ()) = tokio::join!(
        ann.get("/v1/refresh?wait=25"),
        ann.get("/v1/scores?fresh=true"),
        ann.get("/v1/leaderboards/tools?kind=all&fresh=true"),
        ann.get("/v1/dead-weight?fresh=true"),
        ann.get("/v1/refresh?wait=1"),
        held,
    );
    let short: RefreshState = short.ok();
    assert!(short.pending, "a wait that is too short is answered as it is");
    let (state, scores): (RefreshState, Scores) = (state.ok(), scores.ok());
    assert!(!state.pending, "{state:?}");
    assert_eq!(scores.scores.len(), 1);
    let (board, dead): (Leaderboard, DeadWeight) = (board.ok(), dead.ok());
    assert_eq!(board.leaderboard.len(), 1);
    assert!(dead.as_of.is_some());
    let tool = &scores.scores[0].tool_id;
    let one: ScoreDetail = ann.get(&format!("/v1/scores/{tool}?fresh=true")).await.ok();
    assert_eq!(one.score.tally.events, 1);
}
