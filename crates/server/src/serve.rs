//! Listening, and stopping without losing a request.

use std::net::TcpListener;

use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use store::{Store, StoreError};

use crate::{api, config::Config, connections::Capped, readers, retention, router, state::App, worker};

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
    let address = listener.local_addr()?;
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(Capped::new(&config))
        .first_request_timeout(config.header_timeout)
        .http1_only()
        .handle(handle);
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout);
    // Under the name of the program, so that the address is logged whatever the log level of the server.
    tracing::info!(target: "toolhub", "listening on http://{address}");
    let served = server
        .serve(router.into_make_service_with_connect_info::<std::net::SocketAddr>())
        .await;
    refresher.abort();
    keeper.abort();
    readers.abort();
    stopper.abort();
    served.map_err(ServeError::Io)
}
