//! Bounds on open connections: how many there are, how many one address has, and how long one may hold an answer that
//! its client does not read.
//!
//! Beyond the bound some more are accepted that only ask probes: a server that is full is still alive.

use std::{
    future::{Ready, ready},
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum_server::accept::Accept;
use ipnet::IpNet;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_io_timeout::TimeoutStream;
use tower_http::add_extension::AddExtension;

use crate::{
    config::Config,
    counts::{Counted, Counts},
    rates::subscriber,
};

/// Connections beyond the bound that only probes may use.
const PROBES: usize = 32;

/// What a connection may ask, as an extension of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Everything.
    Any,
    /// Probes: all other places are taken.
    Probes,
}

/// Accepts connections up to the bounds.
#[derive(Clone)]
pub(crate) struct Capped {
    free: Arc<Semaphore>,
    free_for_probes: Arc<Semaphore>,
    by_address: Counts<IpAddr>,
    config: Arc<Config>,
}

impl Capped {
    pub(crate) fn new(config: &Config) -> Capped {
        Capped {
            free: Arc::new(Semaphore::new(config.connections)),
            free_for_probes: Arc::new(Semaphore::new(PROBES)),
            by_address: Counts::default(),
            config: Arc::new(config.clone()),
        }
    }

    /// The place of a connection from an address; `None` when it has none.
    fn place(&self, peer: IpAddr) -> Option<(Place, Held)> {
        let counted = if is_proxy(&self.config.trusted_proxies, peer) {
            None
        } else {
            let most = self.config.address_connections;
            Some(self.by_address.enter(subscriber(peer), most)?)
        };
        let (place, permit) = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => (Place::Any, permit),
            Err(_) => {
                let permit = Arc::clone(&self.free_for_probes).try_acquire_owned().ok()?;
                (Place::Probes, permit)
            }
        };
        Some((
            place,
            Held {
                _permit: permit,
                _counted: counted,
            },
        ))
    }
}

/// A proxy brings the connections of many clients.
fn is_proxy(trusted: &[IpNet], peer: IpAddr) -> bool {
    trusted.iter().any(|net| net.contains(&peer.to_canonical()))
}

impl<S> Accept<TcpStream, S> for Capped {
    type Stream = Connection;
    type Service = AddExtension<S, Place>;
    type Future = Ready<io::Result<(Connection, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = stream.peer_addr().and_then(|peer| {
            let (place, held) = self.place(peer.ip()).ok_or_else(|| {
                metrics::counter!("toolhub_connections_refused_total").increment(1);
                io::Error::other("too many connections")
            })?;
            stream.set_nodelay(true)?;
            let mut stream = TimeoutStream::new(stream);
            let stall = Some(self.config.stall_timeout);
            #[cfg(feature = "planted-bugs")]
            let stall = stall.filter(|_| !store::planted::is("no_write_timeout"));
            stream.set_write_timeout(stall);
            Ok((
                Connection {
                    stream: Box::pin(stream),
                    _held: held,
                },
                AddExtension::new(service, place),
            ))
        });
        ready(accepted)
    }
}

/// What a connection holds until it closes.
struct Held {
    _permit: OwnedSemaphorePermit,
    _counted: Option<Counted<IpAddr>>,
}

/// A connection that ends when its client reads nothing for too long, and frees its place then.
pub(crate) struct Connection {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    _held: Held,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
