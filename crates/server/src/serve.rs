//! Listening, and stopping without losing a request.

use std::net::{SocketAddr, TcpListener};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    middleware::AddExtension,
};
use axum_server::{Handle, Server, accept::Accept, service::SendService, tls_rustls::RustlsAcceptor};
use hyper::body::Incoming;
use hyper_util::rt::TokioTimer;
use store::{Store, StoreError};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::{
    api,
    config::Config,
    connections::Capped,
    readers, retention, router,
    state::App,
    tls::{Certificate, TlsError},
    worker,
};

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database does not sync its commits to disk.
    #[error(
        "the database runs with {setting}: an acknowledged upload could be lost. Set it to `on`, or start with \
         --allow-not-durable, which says so in each receipt"
    )]
    NotDurable {
        /// The setting and its value.
        setting: String,
    },
    /// The database failed at start.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate cannot be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The socket failed.
    #[error("the server stopped: {0}")]
    Io(#[from] std::io::Error),
}

/// Serves until `shutdown` is done, then lets requests in flight finish within [`Config::drain_limit`].
///
/// # Errors
/// When the database is not durable and [`Config::allow_not_durable`] is not set, or the socket fails.
pub async fn serve(
    store: Store,
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let durability = store.durability().await?;
    let durable = durability.is_durable();
    if !durable && !config.allow_not_durable {
        return Err(ServeError::NotDurable {
            setting: durability.to_string(),
        });
    }
    let certificate = config.tls.clone().map(Certificate::load).transpose()?;
    listener.set_nonblocking(true)?;
    let app = App::new(store, config.clone(), durable);
    let (router, _) = router::build(app.clone());
    let refresher = tokio::spawn(worker::run(app.clone()));
    let keeper = tokio::spawn(retention::run(app.clone()));
    let readers = tokio::spawn(readers::run(app.clone()));
    let handle = Handle::new();
    let stopper = tokio::spawn({
        let (handle, app) = (handle.clone(), app.clone());
        async move {
            shutdown.await;
            tracing::info!("shutting down: requests in flight may finish");
            app.start_draining();
            tokio::time::sleep(app.config.drain_grace).await;
            handle.graceful_shutdown(Some(app.config.drain_limit));
        }
    });
    api::metrics::recorder();
    // Under the name of the program, so that the address is logged whatever the log level of the server.
    let scheme = if certificate.is_some() { "https" } else { "http" };
    tracing::info!(target: "toolhub", "listening on {scheme}://{}", listener.local_addr()?);
    let capped = Capped::new(&config);
    let server = axum_server::from_tcp(listener)?.handle(handle);
    let served = match certificate {
        None => run(server.acceptor(capped), router, &config).await,
        Some(certificate) => {
            let acceptor = RustlsAcceptor::new(certificate.served())
                .handshake_timeout(config.header_timeout)
                .acceptor(capped);
            let follower = tokio::spawn(certificate.follow());
            let served = run(server.acceptor(acceptor), router, &config).await;
            follower.abort();
            served
        }
    };
    refresher.abort();
    keeper.abort();
    readers.abort();
    stopper.abort();
    served.map_err(ServeError::Io)
}

/// Answers the connections that an acceptor lets in.
async fn run<A>(server: Server<SocketAddr, A>, router: Router, config: &Config) -> std::io::Result<()>
where
    A: Accept<TcpStream, AddExtension<Router, ConnectInfo<SocketAddr>>> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
    A::Service: SendService<Request<Incoming>> + Send,
    A::Future: Send,
{
    let mut server = server.first_request_timeout(config.header_timeout).http1_only();
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout);
    server
        .serve(router.into_make_service_with_connect_info::<SocketAddr>())
        .await
}
