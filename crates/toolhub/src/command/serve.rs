//! `toolhub serve`: the server.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use chrono::{DateTime, Utc};
use clap::Args;
use client::environment;
use ipnet::IpNet;
use model::team::{MemberKind, Role, Scope};
use server::config::{Issuer, Rate};
use store::{Store, team::NewToken};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args::listen_address,
    database::{Database, DatabaseArgs},
    talk,
};

/// Run the server
///
/// Without a database URL it starts an embedded PostgreSQL. The first start creates an org and its owner, and stores the
/// token of the owner for the commands of this machine.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Address to listen on: an address or a host name, and a port
    #[arg(
        long,
        env = "TOOLHUB_LISTEN",
        default_value = "127.0.0.1:7700",
        value_name = "ADDRESS",
        value_parser = listen_address
    )]
    listen: SocketAddr,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Allow a database that does not sync commits to disk; receipts then have `"durable": false`
    #[arg(long)]
    allow_not_durable: bool,
    /// At shutdown, answer 503 on /readyz for this many seconds before closing the listener
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    drain_grace: u64,
    /// Speak TLS, with the certificate (and those that lead to its root) in this PEM file; a renewed one is read within
    /// a minute [default: none, for a proxy that speaks TLS]
    #[arg(
        long,
        env = "TOOLHUB_TLS_CERTIFICATE",
        value_name = "FILE",
        requires = "tls_key"
    )]
    tls_certificate: Option<PathBuf>,
    /// Private key of the certificate, in PEM [default: none]
    #[arg(
        long,
        env = "TOOLHUB_TLS_KEY",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    tls_key: Option<PathBuf>,
    /// URL under which clients reach the server: in invitations, and the audience of CI identity tokens [default: none]
    #[arg(long, env = "TOOLHUB_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Additional trusted OIDC issuer: github=URL or gitlab=URL (repeatable) [default: only github.com and gitlab.com]
    #[arg(long, value_name = "ISSUER")]
    oidc_issuer: Vec<Issuer>,
    /// Network of trusted proxies, such as 10.0.0.0/8, whose X-Forwarded-For is used (repeatable) [default: none]
    #[arg(
        long,
        env = "TOOLHUB_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "NETWORK"
    )]
    trusted_proxy: Vec<IpNet>,
    /// Rate limit per token and process, as RATE/BURST in requests per second
    #[arg(long, default_value = "200/2000", value_name = "RATE")]
    token_rate: Rate,
    /// Rate limit per client address and process, as RATE/BURST in requests per second
    #[arg(long, default_value = "1000/10000", value_name = "RATE")]
    address_rate: Rate,
}

impl Serve {
    pub(crate) async fn run(self, json: bool) -> anyhow::Result<()> {
        talk::log_to_stderr(json);
        let listener = listen(self.listen)?;
        let address = listener.local_addr()?;
        let tls = self.tls_certificate.zip(self.tls_key);
        let tls = tls.map(|(certificate, key)| server::TlsFiles { certificate, key });
        let database = self.database.open().await?;
        if database.embedded.is_some()
            && let Err(error) = first_run(
                &database.store,
                &local_url(address, tls.is_some(), self.public_url.as_deref()),
                environment::now(),
            )
            .await
        {
            database.close().await?;
            return Err(error);
        }
        let mut config = server::Config {
            allow_not_durable: self.allow_not_durable,
            embedded: database.embedded.is_some(),
            drain_grace: Duration::from_secs(self.drain_grace),
            public_url: self.public_url,
            tls,
            trusted_proxies: self.trusted_proxy,
            token_rate: self.token_rate,
            address_rate: self.address_rate,
            ..server::Config::default()
        };
        config.oidc_issuers.extend(self.oidc_issuer);
        serve(database, listener, config).await
    }
}

/// Binds the address. An error says what to do.
pub(crate) fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "cannot listen on {address}: another program uses it. Stop it, or choose another address with --listen"
        ),
        std::io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("cannot listen on {address}: not permitted. Choose a port above 1023 with --listen")
        }
        _ => anyhow::anyhow!("cannot listen on {address}: {error}. Choose another address with --listen"),
    })
}

async fn serve(mut database: Database, listener: TcpListener, config: server::Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = server::serve(database.store.clone(), listener, config, async {
        let _ = stopped.await;
    });
    tokio::pin!(serving);
    let mut stop = Some(stop);
    let outcome = loop {
        tokio::select! {
            outcome = &mut serving => break outcome.map_err(anyhow::Error::from),
            how = ended(&mut database), if stop.is_some() => {
                break Err(anyhow::anyhow!("the embedded PostgreSQL stopped. {how}\nEvents that were acknowledged are stored. Fix the cause, then start again"));
            }
            _ = async { tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} } } => {
                match stop.take() {
                    Some(stop) => { let _ = stop.send(()); }
                    // A second signal stops at once; acknowledged events are committed.
                    None => break Ok(()),
                }
            }
        }
    };
    database.close().await?;
    outcome
}

async fn ended(database: &mut Database) -> String {
    match &mut database.embedded {
        Some(server) => server.ended().await,
        None => std::future::pending().await,
    }
}

/// Creates the first org and its owner, and stores the token of the owner for the commands of this machine.
async fn first_run(store: &Store, url: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
    if store.org_count().await? > 0 {
        return Ok(());
    }
    let handle = owner_handle();
    let org = store.org_create(FIRST_ORG, now).await?;
    let member = store
        .member_add(org, &handle, MemberKind::Person, Role::Owner, now)
        .await?;
    let new = NewToken {
        name: "first run",
        scopes: &[Scope::Upload, Scope::Read, Scope::Admin],
        expires_at: None,
    };
    let token = store.token_create(org, member, &new, now).await?;
    match client::credentials::save(url, &token, FIRST_ORG, &handle) {
        Ok(saved) => tracing::info!(
            "created the org `{FIRST_ORG}` with its owner `{handle}`; the token for {url} is in {}",
            saved.display()
        ),
        // A server without a writable home serves all the same.
        Err(error) => tracing::warn!(
            "created the org `{FIRST_ORG}` with its owner `{handle}`, but cannot store the token: {error}. Create one \
             with `toolhub admin token create --org {FIRST_ORG} --member {handle} --scope upload,read,admin`"
        ),
    }
    Ok(())
}

const FIRST_ORG: &str = "home";

/// The URL of the server for commands on this machine. A certificate is that of the public URL, not of an address.
fn local_url(address: SocketAddr, tls: bool, public: Option<&str>) -> String {
    if tls {
        public.map_or_else(|| format!("https://localhost:{}", address.port()), str::to_owned)
    } else if address.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

fn owner_handle() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| model::team::check_handle(name).is_ok())
        .unwrap_or_else(|| "owner".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_port_in_use_says_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address).unwrap_err().to_string();
        assert!(
            error.contains(&address.to_string()) && error.contains("--listen"),
            "{error}"
        );
    }

    #[test]
    fn a_server_that_listens_on_all_addresses_has_a_loopback_url() {
        let public = Some("https://toolhub.example");
        let all = "0.0.0.0:7700".parse().unwrap();
        assert_eq!(local_url(all, false, public), "http://127.0.0.1:7700");
        let one = "127.0.0.1:9".parse().unwrap();
        assert_eq!(local_url(one, false, public), "http://127.0.0.1:9");
        assert_eq!(local_url(one, true, public), "https://toolhub.example");
        assert_eq!(local_url(one, true, None), "https://localhost:9");
    }
}
