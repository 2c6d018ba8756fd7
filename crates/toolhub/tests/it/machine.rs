//! A machine of a newcomer: a home with session logs in it, the binary, and nothing else.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than a start takes on the slowest machine that runs tests.
const DEADLINE: Duration = Duration::from_secs(180);

/// A home of its own, and a clean environment.
pub(crate) struct Machine {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// What it answered.
    pub(crate) stdout: String,
    /// What it said beside that.
    pub(crate) stderr: String,
}

/// A user of the machine, whose commands find only their own credentials.
pub(crate) struct Person<'m> {
    machine: &'m Machine,
    /// Their home.
    pub(crate) home: PathBuf,
}

/// A running `toolhub serve`. Dropped, it is killed.
pub(crate) struct Served {
    child: Child,
    log: mpsc::Receiver<String>,
    /// Where it listens.
    pub(crate) url: String,
}

impl Machine {
    /// A machine whose home is empty.
    pub(crate) fn new() -> Machine {
        let folder = tempfile::Builder::new().prefix("toolhub-").tempdir().unwrap();
        // As root PostgreSQL runs under another account, which must get through to its data.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Machine { folder }
    }

    /// A path on it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a session log into a home, the person's own being `home`.
    pub(crate) fn log(&self, home: &str, session: &str, lines: &str) -> PathBuf {
        let folder = self.path(home).join(".claude/projects/-work-api");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{session}.jsonl"));
        fs::write(&path, lines).unwrap();
        path
    }

    /// A command with nothing in its environment but this machine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolhub"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path("home"))
            .env("USER", "ann")
            .env("TMPDIR", self.path("tmp"))
            .env("TOOLHUB_DATA_DIR", self.path("data"))
            .current_dir(self.path("home"))
            .stdin(Stdio::null());
        // Where PostgreSQL is, and where it may be fetched to, is a matter of the real machine.
        for name in ["PATH", "TOOLHUB_PG_BIN", "TOOLHUB_PG_USER", "XDG_CACHE_HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments))
    }

    /// Runs a command that must succeed, and reads what it answers as JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {ended:?}"))
    }

    /// Another user, with an empty home.
    pub(crate) fn person(&self, name: &str) -> Person<'_> {
        fs::create_dir_all(self.path(name)).unwrap();
        Person {
            machine: self,
            home: self.path(name),
        }
    }

    /// Starts the server on a free port.
    #[track_caller]
    pub(crate) fn serve(&self) -> Served {
        self.serve_with(&[])
    }

    /// Starts the server with further arguments.
    #[track_caller]
    pub(crate) fn serve_with(&self, more: &[&str]) -> Served {
        let listen: &[&str] = if more.contains(&"--listen") {
            &[]
        } else {
            &["--listen", "127.0.0.1:0"]
        };
        let mut command = self.command(&[&["serve"], listen, more].concat());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, log) = mpsc::channel();
        // Reads to the end, so that the server never waits for its log to be read.
        thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| send.send(line))
        });
        let (deadline, mut said) = (Instant::now() + DEADLINE, String::new());
        while let Ok(line) = log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some((_, address)) = line.split_once("listening on ") {
                let url = address.split_whitespace().next().unwrap().to_owned();
                return Served { child, log, url };
            }
            said += &format!("{line}\n");
        }
        let _ = child.kill().and_then(|()| child.wait());
        panic!("the server did not come up:\n{said}");
    }
}

impl Person<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.machine.command(arguments);
        command.env("HOME", &self.home).current_dir(&self.home);
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments))
    }

    /// Runs a command that must succeed, and answers what it printed, without the end of the line.
    #[track_caller]
    pub(crate) fn said(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.stdout.trim_end_matches('\n').to_owned()
    }

    /// Runs a command that must succeed, and reads what it answers as JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let said = self.said(&[arguments, &["--json"]].concat());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"))
    }

    /// `toolhub login`, with what comes on standard input.
    pub(crate) fn login(&self, url: &str, input: &str) -> Ended {
        let mut command = self.command(&["login", "--with-token", "--url", url]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ended::from(child.wait_with_output().unwrap())
    }

    /// The file of credentials.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.home.join(".config/toolhub/credentials.toml")
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// How it ended, and what it said: one sentence, or a few, for a person, and neither a backtrace nor debug output.
    #[track_caller]
    pub(crate) fn assert_said(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {:?}", self.stderr);
        }
        for noise in ["panicked", "Error {", "stack backtrace", "Some("] {
            assert!(!self.stderr.contains(noise), "{}", self.stderr);
        }
    }

    fn of(command: &mut Command) -> Ended {
        Ended::from(command.output().unwrap())
    }
}

impl Served {
    /// Asks the server to stop, waits until it has, and answers its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let told = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(told.success());
        let deadline = Instant::now() + DEADLINE;
        // The log ends with the process.
        while self
            .log
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .is_ok()
        {}
        self.child.wait().unwrap().code()
    }

    /// Waits until the server ends by itself. Returns its exit code, and what it logged after it had begun to listen.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let (deadline, mut said) = (Instant::now() + DEADLINE, String::new());
        // The log ends with the process.
        while let Ok(line) = self
            .log
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            said += &format!("{line}\n");
        }
        (self.child.wait().unwrap().code(), said)
    }

    /// Ends the server as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A log in which a skill, an MCP server and a built-in were called, one of them without success.
pub(crate) fn three_calls(session: &str) -> String {
    let call = |n: u32, name: &str, input: &str, error: bool| {
        let id = format!("toolu_{session}_{n}");
        let envelope = format!(
            r#""sessionId":"{session}","cwd":"/home/ann/api","gitBranch":"main","version":"2.1.212","uuid":"{session}-{n}""#
        );
        format!(
            r#"{{"type":"assistant",{envelope},"timestamp":"{}","message":{{"id":"msg_{session}_{n}","role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"{name}","input":{input}}}]}}}}
{{"type":"user",{envelope},"timestamp":"{}","message":{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":"Exit code 1","is_error":{error}}}]}}}}
"#,
            at(n, 0),
            at(n, 750)
        )
    };
    [
        call(1, "Skill", r#"{"skill":"design-md"}"#, false),
        call(2, "mcp__linear__get_issue", "{}", false),
        call(3, "Bash", r#"{"command":"make"}"#, true),
    ]
    .concat()
}

/// A time of yesterday, in the format of a log.
fn at(minute: u32, millis: u32) -> String {
    let day = chrono::DateTime::from(std::time::SystemTime::now() - Duration::from_secs(24 * 3_600));
    let day: chrono::DateTime<chrono::Utc> = day;
    format!("{}T10:{minute:02}:00.{millis:03}Z", day.date_naive())
}

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        thread::park_timeout(Duration::from_millis(50));
    }
}

/// The names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
