//! How the server behaves. One struct; every value has a default that is right for a team.

use std::time::Duration;

/// Settings of the server.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long after the first new event the scores are refreshed: later events of the same burst share the refresh.
    pub refresh_debounce: Duration,
    /// How often the database is asked for events that came through another process.
    pub refresh_poll: Duration,
    /// How long a client may take to send the headers of a request.
    pub header_timeout: Duration,
    /// How long a client may take to send the body of a request.
    pub body_timeout: Duration,
    /// How long a read may take: the database no longer answers at all.
    pub read_timeout: Duration,
    /// How long a write may take once its body is here.
    pub write_timeout: Duration,
    /// Open connections; more are closed at once.
    pub connections: usize,
    /// Requests in flight; more are answered 503.
    pub requests: usize,
    /// How long `/readyz` answers 503 before connections are refused at shutdown, so that a balancer notices.
    pub drain_grace: Duration,
    /// How long requests in flight may take to finish at shutdown.
    pub drain_limit: Duration,
    /// Answer uploads although the database does not sync its writes to disk; receipts then say `durable: false`.
    pub allow_not_durable: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            refresh_debounce: Duration::from_millis(200),
            refresh_poll: Duration::from_secs(2),
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(9),
            write_timeout: Duration::from_secs(25),
            connections: 4_096,
            requests: 512,
            drain_grace: Duration::ZERO,
            drain_limit: Duration::from_secs(25),
            allow_not_durable: false,
        }
    }
}
