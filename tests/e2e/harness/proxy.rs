//! A TCP proxy between two parts of the system, which breaks the connection in the ways in which networks do.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// What the proxy does to the bytes that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkFault {
    /// All bytes pass.
    None,
    /// Open connections are closed immediately, new ones as soon as they are accepted.
    Broken,
    /// Connections stay open, but nothing arrives, in either direction.
    BlackHole,
    /// Requests arrive, answers do not. Connections stay open.
    DropAnswers,
    /// Everything but uploads arrives. Connections stay open.
    DropUploads,
    /// A connection is closed after this many bytes from the client.
    CutAfter(u64),
    /// The answer to every nth upload is dropped, and its connection closed.
    DropEveryNthAnswer(u64),
}

/// Where a proxy forwards to.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    /// A port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A proxy on one loopback port for its whole life. It stops when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    fault: watch::Sender<NetworkFault>,
    upstream: Mutex<Upstream>,
    uploads: AtomicU64,
    ended: AtomicU64,
    answered: AtomicU64,
    dropped: AtomicU64,
    cuts: AtomicU64,
}

impl Proxy {
    /// Starts a proxy without a fault.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub(crate) async fn to(upstream: Upstream) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            fault: watch::Sender::new(NetworkFault::None),
            upstream: Mutex::new(upstream),
            uploads: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
        });
        let accepting = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(relay(client, Arc::clone(&shared)));
                }
            }
        });
        Proxy {
            address,
            shared,
            accepting,
        }
    }

    /// Starts a proxy in front of a database; also answers the address of the database through it.
    ///
    /// # Panics
    /// When the address is not one that [`testing::TestDatabase`] gives.
    pub(crate) async fn to_database(url: &str) -> (Proxy, String) {
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (place, path) = rest.split_once('/').expect("a URL with a database");
        let (user, host) = place.rsplit_once('@').expect("a URL with a user");
        let upstream = if host.starts_with("%2F") {
            Upstream::Unix(PathBuf::from(decoded(host)).join(".s.PGSQL.5432"))
        } else {
            let host = if host.contains(':') {
                host.to_owned()
            } else {
                format!("{host}:5432")
            };
            let address = tokio::net::lookup_host(host)
                .await
                .expect("the host is known")
                .next();
            Upstream::Tcp(address.expect("the host has an address"))
        };
        let proxy = Proxy::to(upstream).await;
        let database = path.split('?').next().unwrap_or_default();
        let url = format!("{scheme}://{user}@{}/{database}?sslmode=disable", proxy.address);
        (proxy, url)
    }

    /// Where it listens, as the address of a server.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the fault, for open connections as well.
    pub(crate) fn set(&self, fault: NetworkFault) {
        self.shared.fault.send_replace(fault);
    }

    /// Sends new connections somewhere else.
    pub(crate) fn lead_to(&self, upstream: Upstream) {
        *self
            .shared
            .upstream
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    /// How many uploads clients have begun.
    pub(crate) fn uploads(&self) -> u64 {
        self.shared.uploads.load(SeqCst)
    }

    /// How many uploads have begun and have neither an answer nor a closed connection.
    pub(crate) fn in_flight(&self) -> u64 {
        self.uploads().saturating_sub(self.shared.ended.load(SeqCst))
    }

    /// How many uploads were dropped by [`NetworkFault::DropUploads`], or answers to them by [`NetworkFault::DropEveryNthAnswer`].
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(SeqCst)
    }

    /// How many connections were closed by [`NetworkFault::CutAfter`].
    pub(crate) fn cuts(&self) -> u64 {
        self.shared.cuts.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(NetworkFault::Broken);
        self.accepting.abort();
    }
}

async fn relay(client: TcpStream, shared: Arc<Shared>) {
    let mut fault = shared.fault.subscribe();
    if *fault.borrow() == NetworkFault::BlackHole {
        let _ = fault.wait_for(|fault| *fault != NetworkFault::BlackHole).await;
        return;
    }
    let upstream = shared
        .upstream
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    match upstream {
        Upstream::Tcp(address) => {
            if let Ok(server) = TcpStream::connect(address).await {
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                between(client, server, &shared).await;
            }
        }
        Upstream::Unix(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                between(client, server, &shared).await;
            }
        }
    }
}

/// Copies bytes until one side closes, or the fault closes the connection.
async fn between(client: TcpStream, server: impl AsyncRead + AsyncWrite, shared: &Shared) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = tokio::io::split(server);
    // An upload has come through this connection, and no answer to it yet.
    let waiting = AtomicBool::new(false);
    let mut fault = shared.fault.subscribe();
    tokio::select! {
        _ = requests(from_client, to_server, shared, &waiting) => {}
        _ = answers(from_server, to_client, shared, &waiting) => {}
        _ = fault.wait_for(|fault| *fault == NetworkFault::Broken) => {}
    }
    if waiting.load(SeqCst) {
        shared.ended.fetch_add(1, SeqCst);
    }
}

async fn requests(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
    waiting: &AtomicBool,
) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    let mut passed = 0_u64;
    let mut lost = false;
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        // Without its head the rest of a request is useless.
        if lost {
            continue;
        }
        let mut piece = &piece[..length];
        let upload = piece.starts_with(b"POST /v1/events");
        if upload {
            shared.uploads.fetch_add(1, SeqCst);
            waiting.store(true, SeqCst);
        }
        let fault = *shared.fault.borrow();
        match fault {
            NetworkFault::DropUploads if upload => {
                shared.dropped.fetch_add(1, SeqCst);
                lost = true;
                continue;
            }
            NetworkFault::BlackHole => continue,
            NetworkFault::CutAfter(most) if passed + piece.len() as u64 > most => {
                let left = usize::try_from(most.saturating_sub(passed)).unwrap_or(usize::MAX);
                piece = &piece[..left.min(piece.len())];
                to.write_all(piece).await?;
                to.flush().await?;
                shared.cuts.fetch_add(1, SeqCst);
                return Ok(());
            }
            _ => {}
        }
        passed += piece.len() as u64;
        to.write_all(piece).await?;
    }
}

async fn answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
    waiting: &AtomicBool,
) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        let piece = &piece[..length];
        let fault = *shared.fault.borrow();
        let of_upload = waiting.load(SeqCst) && piece.starts_with(b"HTTP/1.1 2");
        match fault {
            NetworkFault::BlackHole | NetworkFault::DropAnswers => continue,
            NetworkFault::DropEveryNthAnswer(nth)
                if of_upload && shared.answered.fetch_add(1, SeqCst) % nth == nth - 1 =>
            {
                shared.dropped.fetch_add(1, SeqCst);
                return Ok(());
            }
            _ => {}
        }
        if piece.starts_with(b"HTTP/1.1") && waiting.swap(false, SeqCst) {
            shared.ended.fetch_add(1, SeqCst);
        }
        to.write_all(piece).await?;
    }
}

/// Decodes percent-encoding, as far as file names need it.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_at(2);
        let byte = u8::from_str_radix(code, 16).expect("two digits of hex");
        out.push(char::from(byte));
        out.push_str(rest);
    }
    out
}
