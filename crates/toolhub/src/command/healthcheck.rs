use std::time::Duration;

use clap::Args;
use client::{Error, Exit, Server, healthcheck};

use crate::{context::Context, talk};

/// Check that a server is ready: exit code 0, or 1 with the reason
///
/// Without --url it asks the server of this machine. It needs no token, so it can be the health check of a container.
#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// Address that the server of this machine listens on, where --url is not given
    #[arg(
        long,
        env = "TOOLHUB_LISTEN",
        default_value = "127.0.0.1:7700",
        value_name = "ADDRESS"
    )]
    listen: String,
    /// Wait at most SECONDS for the answer
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

impl Healthcheck {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let url = context
            .given_url()
            .map_or_else(|| local_url(&self.listen), str::to_owned);
        let server = Server::new(&url, None)?;
        let health = healthcheck::check(&server, Duration::from_secs(self.timeout)).await;
        if context.json {
            if let Some(body) = &health.body {
                talk::answer_json(body)?;
            }
        } else {
            let shown: String = health.lines.iter().map(|line| format!("{line}\n")).collect();
            talk::answer(&model::text::clean_prose(&shown))?;
        }
        if health.ready {
            return Ok(Exit::Done);
        }
        talk::error(&format!("{} is not ready: {}", server.url(), health.reason));
        Ok(Exit::Failed)
    }
}

/// The address under which this machine reaches what listens there.
fn local_url(listen: &str) -> String {
    let (host, port) = listen.rsplit_once(':').unwrap_or((listen, "7700"));
    let host = match host {
        "0.0.0.0" | "" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    format!("http://{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_on_all_addresses_is_asked_on_loopback() {
        assert_eq!(local_url("0.0.0.0:7700"), "http://127.0.0.1:7700");
        assert_eq!(local_url("[::]:80"), "http://[::1]:80");
        assert_eq!(local_url("10.0.0.7:7700"), "http://10.0.0.7:7700");
    }
}
