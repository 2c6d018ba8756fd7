//! The real program as a process of its own: to be killed, stopped and looked at from outside.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::{Instant, timeout},
};

/// Longer than anything here takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// `toolhub`, built from these sources. The first call of a process builds it where it is not up to date.
///
/// # Panics
/// When it cannot be built.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // A package has no path to the programs of another one; they are beside its own tests.
        let test = std::env::current_exe().expect("a test is a program");
        let folder = test
            .ancestors()
            .nth(2)
            .expect("tests are in <target>/<profile>/deps");
        let target = folder.parent().expect("a profile is in a target folder");
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(other) => other,
        };
        let mut cargo = std::process::Command::new(env!("CARGO"));
        // What cargo tells this test about its package: build scripts that read it would run again, and with them
        // half of the dependencies would be built again, here and in the next `cargo test`.
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
            {
                cargo.env_remove(name);
            }
        }
        cargo
            // The same selection as that of `cargo test --workspace`, which has built it by now: another one would
            // give the libraries other features, and build them all a second time.
            .args([
                "build",
                "--quiet",
                "--workspace",
                "--bin",
                "toolhub",
                "--test",
                "it",
            ])
            .args(["--profile", profile, "--target-dir"])
            .arg(target)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if cfg!(feature = "planted-bugs") {
            cargo.args(["--features", "toolhub/planted-bugs,toolhub-e2e/planted-bugs"]);
        }
        let built = cargo.status().expect("cargo runs");
        assert!(built.success(), "toolhub cannot be built");
        folder.join("toolhub")
    })
}

/// `toolhub` with these arguments, with nothing from the environment of the test.
pub(crate) fn toolhub(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("NO_COLOR", "1")
        .env("TOOLHUB_LOG", "warn,toolhub=info")
        .current_dir(home)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for name in ["PATH", "TMPDIR", "TOOLHUB_PG_BIN", "TOOLHUB_PLANTED_BUG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// `toolhub serve`. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: Log,
}

type Log = Arc<Mutex<String>>;

impl Server {
    /// Starts a server on a port of its own.
    ///
    /// # Panics
    /// When it ends before it listens.
    pub(crate) async fn start(database_url: &str) -> Server {
        Server::start_with(database_url, &[]).await
    }

    /// Starts a server with further arguments.
    ///
    /// # Panics
    /// When it ends before it listens.
    pub(crate) async fn start_with(database_url: &str, more: &[&str]) -> Server {
        match Server::try_start(database_url, more).await {
            Ok(server) => server,
            Err(log) => panic!("the server did not start:\n{log}"),
        }
    }

    /// Starts a server with further arguments; its log when it ends before it listens.
    ///
    /// # Errors
    /// The log.
    pub(crate) async fn try_start(database_url: &str, more: &[&str]) -> Result<Server, String> {
        Server::try_start_with(database_url, more, None).await
    }

    /// Starts a server with further arguments, and another log than it has by itself.
    ///
    /// # Errors
    /// The log, when it ends before it listens.
    pub(crate) async fn try_start_with(
        database_url: &str,
        more: &[&str],
        log: Option<&str>,
    ) -> Result<Server, String> {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--database-url", database_url];
        let mut command = toolhub(&std::env::temp_dir(), &[&arguments, more].concat());
        if let Some(log) = log {
            command.env("TOOLHUB_LOG", log);
        }
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server can be started");
        let log = Log::default();
        let (found, mut listening) = watch::channel(None);
        let stderr = child.stderr.take().expect("it is piped");
        tokio::spawn({
            let log = Arc::clone(&log);
            async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let listening = line.split_once("listening on http");
                    if let Some((_, address)) = listening.and_then(|(_, rest)| rest.split_once("://")) {
                        // In a JSON log the message ends with a quote.
                        let address = address.trim().split('"').next().unwrap_or_default();
                        let _ = found.send(address.parse().ok());
                    }
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        // An error of the channel means that the log has ended: so has the server.
        let address = timeout(DEADLINE, listening.wait_for(Option::is_some))
            .await
            .expect("the server listens or ends")
            .ok()
            .and_then(|address| *address);
        match address {
            Some(address) => Ok(Server { child, address, log }),
            None => {
                let status = child.wait().await;
                let log = log.lock().unwrap_or_else(PoisonError::into_inner);
                Err(format!("{log}{status:?}"))
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it has ended.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the server runs")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Kills it with SIGKILL, and waits until it has ended.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("a process can be killed");
    }

    /// How it ends, within a limit.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) async fn exit(&mut self, within: Duration) -> ExitStatus {
        match timeout(within, self.child.wait()).await {
            Ok(status) => status.expect("a child can be waited for"),
            Err(_) => panic!("the server still runs after {within:?}:\n{}", self.log()),
        }
    }

    /// Resets its peak memory, and answers its current memory, in bytes.
    pub(crate) fn begin_memory_watch(&self) -> u64 {
        // Linux: 5 resets the peak (proc(5)).
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5");
        self.memory("VmRSS:")
    }

    /// The peak memory since [`Server::begin_memory_watch`], in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the server runs on Linux");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .expect("the kernel counts memory");
        let kib = line.trim().trim_end_matches(" kB").parse::<u64>();
        kib.expect("a number of kB") * 1024
    }

    /// How many files and sockets it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    /// Waits until `/readyz` says that it can serve; how long that took.
    ///
    /// # Panics
    /// When it never does.
    pub(crate) async fn ready(&self) -> Duration {
        let http = http();
        let started = Instant::now();
        until("the server is ready", async || {
            let answer = http.get(format!("{}/readyz", self.url())).send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        started.elapsed()
    }
}

/// Sends a signal to a process of ours.
///
/// # Panics
/// When there is no such process.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    kill_process(pid, signal).expect("the process is ours");
}

/// Lets this process, and those that it starts from now on, have so many files open.
///
/// # Panics
/// When the system does not allow it.
pub(crate) fn allow_open_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let raised = Rlimit {
            current: Some(count),
            ..limit
        };
        setrlimit(Resource::Nofile, raised).unwrap_or_else(|error| {
            panic!("{count} open files are needed, and {limit:?} is allowed: {error}")
        });
    }
}

/// A client that waits for no answer longer than [`DEADLINE`] and keeps no proxy between.
pub(crate) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(DEADLINE)
        .build()
        .expect("an HTTP client can be made")
}

/// Waits until something holds.
///
/// # Panics
/// When it does not within [`DEADLINE`].
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
