//! The server process: started, watched, stopped, and recognised when an earlier toolhub left it behind.

use std::io::{PipeReader, PipeWriter, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::EmbeddedError;
use crate::home::Home;

/// How long the server may take to come up; recovery after a crash replays up to `max_wal_size` of log.
const START_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a fast shutdown may take: it writes a checkpoint.
const FAST_STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an immediate shutdown may take: it writes nothing.
const IMMEDIATE_STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval between checks of a state.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// A log larger than this many bytes is rotated at a start.
const MAX_LOG_BYTES: u64 = 8 << 20;

/// Started by `sh` in PostgreSQL's directory: `$1` the log, the rest the server's command line.
///
/// The script leaves a watcher process next to the server. It reads the standard input, a pipe whose other end we hold. When
/// this process ends without a message, even by `kill -9`, the watcher reads the end of the pipe and stops the server. It has no parent
/// here, so that the server does not take it for one of its children; `$$` is the shell's process, which becomes the
/// server's. A line on the pipe ends the watcher.
const LAUNCH: &str = r#"
exec 3<&0 </dev/null >>"$1" 2>&1
shift
( ( read -r word <&3 || kill -INT $$ ) & )
exec 3<&-
exec "$@"
"#;

/// A running server.
#[derive(Debug)]
pub(crate) struct Postmaster {
    pid: Pid,
    child: Child,
    /// Our end of the watcher's pipe; closing it stops the server.
    lifeline: Option<PipeWriter>,
    /// The size of the log before this start.
    log_before: u64,
}

/// Who keeps the server alive.
#[derive(Debug)]
pub(crate) enum Lifeline {
    /// This process: the server stops when the process ends.
    OwnPipe,
    /// The processes that have the write end of this pipe open: the server stops when the last of them closes it.
    Given(PipeReader),
}

impl Postmaster {
    /// Starts the server with further `settings` and waits until it accepts connections.
    pub(crate) async fn start(
        home: &Home,
        binaries: &Binaries,
        account: &Account,
        lifeline: &Lifeline,
        settings: &[(String, String)],
    ) -> Result<Self, EmbeddedError> {
        rotate_large_log(home);
        let log_before = std::fs::metadata(home.log()).map_or(0, |log| log.len());
        let not_started = |reason: String| EmbeddedError::NotStarted {
            path: home.data_dir().to_owned(),
            reason,
        };
        let (input, lifeline) = match lifeline {
            Lifeline::OwnPipe => {
                let (reader, writer) = std::io::pipe().map_err(|error| not_started(error.to_string()))?;
                (reader, Some(writer))
            }
            Lifeline::Given(reader) => (
                reader
                    .try_clone()
                    .map_err(|error| not_started(error.to_string()))?,
                None,
            ),
        };
        let mut child = account
            .command("/bin/sh", &home.data())
            .args(["-c", LAUNCH, "sh"])
            .arg(home.log())
            .arg(binaries.program("postgres"))
            .arg("-D")
            .arg(home.data())
            .args(
                settings
                    .iter()
                    .flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]),
            )
            .stdin(Stdio::from(input))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| not_started(format!("/bin/sh cannot be run as {}: {error}", account.name())))?;
        let pid = child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .ok_or_else(|| not_started("it ended at once".to_owned()))?;

        let started = Instant::now();
        let mut next_notice = Duration::from_secs(5);
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(not_started(end_of_log(home, log_before, status)));
            }
            if PidFile::read(&home.data()).is_some_and(|file| file.pid == pid && file.ready) {
                return Ok(Self {
                    pid,
                    child,
                    lifeline,
                    log_before,
                });
            }
            if started.elapsed() > START_TIMEOUT {
                let _ = kill_process(pid, Signal::QUIT);
                let seconds = START_TIMEOUT.as_secs();
                return Err(not_started(format!(
                    "not ready after {seconds} s; see {}",
                    home.log().display()
                )));
            }
            if started.elapsed() > next_notice {
                tracing::info!(
                    seconds = next_notice.as_secs(),
                    "waiting for PostgreSQL, which recovers from a crash"
                );
                next_notice *= 2;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Ends the server: open transactions are rolled back, everything committed is written out.
    pub(crate) async fn stop(mut self) -> Result<(), EmbeddedError> {
        for (signal, limit) in [
            (Signal::INT, FAST_STOP_TIMEOUT),
            (Signal::QUIT, IMMEDIATE_STOP_TIMEOUT),
        ] {
            let _ = kill_process(self.pid, signal);
            if tokio::time::timeout(limit, self.child.wait()).await.is_ok() {
                self.dismiss_watcher();
                return Ok(());
            }
            tracing::warn!(
                pid = self.pid.as_raw_pid(),
                ?signal,
                "PostgreSQL has not stopped yet"
            );
        }
        Err(EmbeddedError::DoesNotStop {
            pid: self.pid.as_raw_pid(),
        })
    }

    /// Waits for the server to end by itself. Returns why it did, as far as its log says.
    pub(crate) async fn ended(&mut self, home: &Home) -> String {
        let status = self.child.wait().await;
        self.dismiss_watcher();
        match status {
            Ok(status) => end_of_log(home, self.log_before, status),
            Err(error) => error.to_string(),
        }
    }

    /// The process number may soon be reused: the watcher must not signal it.
    fn dismiss_watcher(&mut self) {
        use std::io::Write;

        if let Some(mut lifeline) = self.lifeline.take() {
            // It fails only when the watcher is gone already.
            let _ = lifeline.write_all(b"gone\n");
        }
    }

    /// Releases the server without stopping it: its pipe is open elsewhere.
    pub(crate) fn detach(self) {}
}

/// Stops the server that an earlier, killed toolhub left on this directory, if there is one, and removes what a
/// killed server leaves. The caller holds the directory's lock, so no living toolhub uses it.
pub(crate) async fn stop_leftover(home: &Home) -> Result<(), EmbeddedError> {
    let data = home.data();
    if let Some(file) = PidFile::read(&data)
        && is_postmaster_of(file.pid, &data)
    {
        let pid = file.pid.as_raw_pid();
        tracing::warn!(pid, "stopping the PostgreSQL that an earlier toolhub left behind");
        let mut stopped = false;
        for (signal, limit) in [
            (Signal::INT, FAST_STOP_TIMEOUT),
            (Signal::QUIT, IMMEDIATE_STOP_TIMEOUT),
        ] {
            let _ = kill_process(file.pid, signal);
            let deadline = Instant::now() + limit;
            while is_postmaster_of(file.pid, &data) && Instant::now() < deadline {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            stopped = !is_postmaster_of(file.pid, &data);
            if stopped {
                break;
            }
        }
        if !stopped {
            return Err(EmbeddedError::DoesNotStop { pid });
        }
    }
    // No server runs on this directory, so these name a dead process. Its number may be in use again by something
    // else, which PostgreSQL would take for a running server and refuse to start.
    for stale in [
        data.join("postmaster.pid"),
        home.socket(),
        lock_of(&home.socket()),
    ] {
        match std::fs::remove_file(&stale) {
            Ok(()) => tracing::debug!(file = %stale.display(), "removed what a killed PostgreSQL left"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(super::home::path_error(&stale, "removed", &error)),
        }
    }
    Ok(())
}

fn lock_of(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// What a server writes about itself into `postmaster.pid`: its process, the directory, the start, the port, the
/// socket's directory, the address, the shared memory and the status, each on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PidFile {
    pub(crate) pid: Pid,
    pub(crate) port: Option<u16>,
    pub(crate) listens_on_loopback: bool,
    pub(crate) ready: bool,
}

impl PidFile {
    /// Reads the file in PostgreSQL's directory; `None` if it is missing or not complete enough to name a process.
    pub(crate) fn read(data: &Path) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let line = |number: usize| lines.get(number - 1).copied().unwrap_or_default();
        let pid = line(1)
            .parse()
            .ok()
            .filter(|pid: &i32| *pid > 0)
            .and_then(Pid::from_raw)?;
        Some(Self {
            pid,
            port: line(4).parse().ok(),
            listens_on_loopback: !line(6).is_empty(),
            ready: line(8) == "ready",
        })
    }
}

/// Whether the process is a PostgreSQL that serves `data`. A process number alone proves nothing: after a restart of
/// the machine it may belong to any process.
pub(crate) fn is_postmaster_of(pid: Pid, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_pid()));
    if process.parent().is_some_and(|proc| proc.join("self").exists()) {
        // The server's working directory is the one it serves. A zombie has none.
        let program = std::fs::read_link(process.join("exe")).unwrap_or_default();
        let serves = std::fs::read_link(process.join("cwd")).unwrap_or_default();
        let name = program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // An upgrade of the package replaces the program under a running server.
        return name.trim_end_matches(" (deleted)") == "postgres" && serves == data;
    }
    let listing = std::process::Command::new("ps")
        .args(["-o", "command=", "-p", &pid.as_raw_pid().to_string()])
        .output();
    listing.is_ok_and(|listing| {
        let command = String::from_utf8_lossy(&listing.stdout).into_owned();
        command.contains("postgres") && command.contains(&format!("-D {}", data.display()))
    })
}

fn rotate_large_log(home: &Home) {
    let log = home.log();
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > MAX_LOG_BYTES) {
        // Failing to tidy up is no reason not to start.
        let _ = std::fs::rename(&log, home.root().join("postgres.log.old"));
    }
}

/// How much of the end of a log is read, in bytes.
const MAX_TAIL_BYTES: u64 = 64 << 10;

/// Why the server ended, and what it said since this start.
fn end_of_log(home: &Home, from: u64, status: ExitStatus) -> String {
    let text = tail(&home.log(), from).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(8)..].join("\n  ");
    let cause = cause(&text, home.data_dir())
        .map(|cause| format!("{cause}. "))
        .unwrap_or_default();
    format!(
        "{cause}It ended with {status}. The end of {}:\n  {last}",
        home.log().display()
    )
}

/// The end of a log, from an offset on.
fn tail(log: &Path, from: u64) -> std::io::Result<String> {
    let mut file = std::fs::File::open(log)?;
    let end = file.metadata()?.len();
    // A log that was rotated or truncated meanwhile is read from its beginning.
    let from = if from > end { 0 } else { from };
    file.seek(SeekFrom::Start(from.max(end.saturating_sub(MAX_TAIL_BYTES))))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the log says about the cause, in words and with what to do. The messages of the system are in its language.
fn cause(log: &str, data_dir: &Path) -> Option<String> {
    let last = |needle: &str| log.rfind(needle);
    let causes = [
        (
            last("No space left on device"),
            format!("The disk of {} is full: free some space", data_dir.display()),
        ),
        (
            last("Cannot allocate memory").max(last("out of memory")),
            "The machine has too little memory".to_owned(),
        ),
        (
            last("was terminated by signal 9"),
            "One of its processes was killed, as the system does when memory is short".to_owned(),
        ),
        (
            last("received fast shutdown request")
                .max(last("received immediate shutdown request"))
                .max(last("received smart shutdown request")),
            "Another program told it to stop".to_owned(),
        ),
    ];
    causes
        .into_iter()
        .filter_map(|(at, cause)| Some((at?, cause)))
        .max_by_key(|(at, _)| *at)
        .map(|(_, cause)| cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID_FILE: &str = "4711\n/srv/data\n1790000000\n5432\n/srv/run\n\n  5432001         3\nready   \n";

    #[test]
    fn the_pid_file_is_read_as_postgres_writes_it() {
        let file = PidFile::parse(PID_FILE).unwrap();
        assert_eq!(
            (
                file.pid.as_raw_pid(),
                file.port,
                file.listens_on_loopback,
                file.ready
            ),
            (4711, Some(5432), false, true)
        );
        let starting = PidFile::parse(&PID_FILE.replace("ready", "starting")).unwrap();
        assert!(!starting.ready);
    }

    #[test]
    fn the_end_of_the_log_says_why_and_a_later_cause_counts_more_than_an_earlier_one() {
        let full = "PANIC:  could not write to file \"pg_wal/xlogtemp.7\": No space left on device\n\
                    LOG:  server process (PID 9) was terminated by signal 6: Aborted\n";
        let said = cause(full, Path::new("/srv/data")).unwrap();
        assert!(said.contains("disk of /srv/data is full"), "{said}");
        let stopped = format!("{full}LOG:  database system is ready\nLOG:  received fast shutdown request\n");
        assert!(
            cause(&stopped, Path::new("/d"))
                .unwrap()
                .contains("told it to stop")
        );
        assert_eq!(cause("LOG:  checkpoint complete\n", Path::new("/d")), None);
    }

    #[test]
    fn only_what_was_said_since_the_start_is_read_and_not_all_of_a_long_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "before\nafter\n").unwrap();
        assert_eq!(tail(&log, 7).unwrap(), "after\n");
        assert_eq!(tail(&log, 99).unwrap(), "before\nafter\n");
        std::fs::write(&log, "x".repeat(200_000)).unwrap();
        assert_eq!(tail(&log, 0).unwrap().len(), 65_536);
    }

    #[test]
    fn a_cut_or_foreign_pid_file_is_no_server() {
        for text in ["", "\n", "0\n", "-1\n", "abc\n/srv"] {
            assert_eq!(PidFile::parse(text), None, "{text:?}");
        }
        let only_pid = PidFile::parse("4711").unwrap();
        assert_eq!((only_pid.port, only_pid.ready), (None, false));
    }

    #[test]
    fn a_process_that_is_not_postgres_is_not_taken_for_the_server() {
        let own = Pid::from_raw(std::process::id().cast_signed()).unwrap();
        assert!(!is_postmaster_of(own, &std::env::current_dir().unwrap()));
    }
}
