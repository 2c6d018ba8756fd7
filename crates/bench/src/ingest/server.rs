//! The throw-away PostgreSQL, the server on it, and what both spend.

use std::{
    fs::Permissions,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use embedded::{EmbeddedOptions, EmbeddedServer};
use model::team::{MemberKind, Role, Scope};
use store::{PoolOptions, Store, team::NewToken};
use tokio_postgres::{Client, NoTls};

use super::Figure;

/// Whose events are sent.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) org: i64,
    pub(super) member: i64,
    pub(super) token: String,
}

const PEOPLE: usize = 40;

/// Processor time, so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// PostgreSQL, without the two sessions that refresh the boards.
    pub(super) postgres: Duration,
    /// Those two.
    pub(super) refresh: Duration,
    pub(super) toolhub: Duration,
}

/// PostgreSQL and toolhub, each a process of its own.
pub(super) struct Machine {
    postgres: Option<EmbeddedServer>,
    toolhub: Child,
    /// The processes of the sessions that refresh the boards.
    refreshers: Vec<u32>,
    url: String,
    database_url: String,
    pub(super) people: Vec<Person>,
    _place: tempfile::TempDir,
}

impl Machine {
    pub(super) async fn start(program: Option<&Path>) -> anyhow::Result<Machine> {
        // An error means that the same provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let place = tempfile::Builder::new().prefix("th").tempdir()?;
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o755))?;
        let postgres = EmbeddedServer::start(EmbeddedOptions::from_env(place.path())).await?;
        let database_url = postgres.url();
        let store = Store::connect(&database_url, PoolOptions::default()).await?;
        store.migrate().await?;
        let people = people(&store).await?;
        store.close();
        let program = match program {
            Some(program) => program.to_owned(),
            None => std::env::current_exe()?.with_file_name("toolhub"),
        };
        let (toolhub, url) = serve(&program, &database_url)?;
        let refreshers = refreshers(&database_url).await?;
        Ok(Machine {
            postgres: Some(postgres),
            toolhub,
            refreshers,
            url,
            database_url,
            people,
            _place: place,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// What it runs on.
    pub(super) async fn description(&self, sql: &Client) -> anyhow::Result<String> {
        let row = sql
            .query_one(
                "select split_part(version(), ' on ', 1) as version, current_setting('shared_buffers') as buffers,
                    current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync",
                &[],
            )
            .await?;
        let cores = std::thread::available_parallelism()?;
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(format!(
            "{}, shared_buffers {}, synchronous_commit {}, fsync {}; {cores} cores, load {}",
            row.get::<_, String>("version"),
            row.get::<_, String>("buffers"),
            row.get::<_, String>("commit"),
            row.get::<_, String>("fsync"),
            load.split(' ').next().unwrap_or_default()
        ))
    }

    /// Processor time of all processes of PostgreSQL, and of toolhub.
    pub(super) fn spent(&self) -> anyhow::Result<Spent> {
        let parent = self
            .postgres
            .as_ref()
            .map_or(0, |postgres| postgres.pid().unsigned_abs());
        let (mut ticks, mut refresh) = (0, 0);
        for entry in std::fs::read_dir("/proc")? {
            let Some(pid) = entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            // A process that ends while we look has been counted, or will be, by its parent.
            let Some(stat) = Stat::of(pid) else { continue };
            if pid == parent {
                ticks += stat.own + stat.ended_children;
            } else if self.refreshers.contains(&pid) {
                refresh += stat.own;
            } else if stat.parent == parent {
                ticks += stat.own;
            }
        }
        let toolhub = Stat::of(self.toolhub.id()).context("toolhub has ended")?;
        Ok(Spent {
            postgres: of_ticks(ticks),
            refresh: of_ticks(refresh),
            toolhub: of_ticks(toolhub.own),
        })
    }

    /// What was found since `before`.
    pub(super) fn figure(&self, before: (Instant, Spent), rows: usize) -> anyhow::Result<Figure> {
        let took = before.0.elapsed();
        let now = self.spent()?;
        Ok(Figure {
            rows,
            took,
            spent: Spent {
                postgres: now.postgres.saturating_sub(before.1.postgres),
                refresh: now.refresh.saturating_sub(before.1.refresh),
                toolhub: now.toolhub.saturating_sub(before.1.toolhub),
            },
        })
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.toolhub.kill()?;
        self.toolhub.wait()?;
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await?;
        }
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.toolhub.kill();
        let _ = self.toolhub.wait();
    }
}

async fn people(store: &Store) -> anyhow::Result<Vec<Person>> {
    let now = DateTime::<Utc>::from(std::time::SystemTime::now());
    let org = store.org_create("bench", now).await?;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        let member = store
            .member_add(org, &format!("m{n}"), MemberKind::Person, Role::Member, now)
            .await?;
        let new = NewToken {
            name: "bench",
            scopes: &[Scope::Upload],
            expires_at: None,
        };
        let token = store.token_create(org, member, &new, now).await?;
        people.push(Person {
            org: org.0,
            member: member.0,
            token: token.reveal().to_owned(),
        });
    }
    Ok(people)
}

/// The processes of the sessions in which the server refreshes the boards. It keeps both open.
async fn refreshers(database_url: &str) -> anyhow::Result<Vec<u32>> {
    let (sql, connection) = tokio_postgres::connect(database_url, NoTls).await?;
    let connection = tokio::spawn(connection);
    for _ in 0..100 {
        let found = sql
            .query(
                "select pid from pg_stat_activity where application_name in ('toolhub refresh', 'toolhub refresh lock')",
                &[],
            )
            .await?;
        if found.len() == 2 {
            connection.abort();
            return Ok(found
                .iter()
                .map(|row| row.get::<_, i32>("pid").unsigned_abs())
                .collect());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the server has no sessions that refresh the boards")
}

fn serve(program: &Path, database_url: &str) -> anyhow::Result<(Child, String)> {
    let mut child = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--database-url", database_url])
        .env("NO_COLOR", "1")
        .env("TOOLHUB_LOG", "warn,toolhub=info")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| {
            format!(
                "{} cannot be started: build it with the same profile",
                program.display()
            )
        })?;
    let stderr = child.stderr.take().context("it is piped")?;
    let mut lines = BufReader::new(stderr).lines();
    for line in lines.by_ref() {
        let line = line?;
        if let Some((_, address)) = line.split_once("listening on ") {
            let url = address.trim().to_owned();
            // Keep reading its log, so that its pipe never fills.
            std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
            return Ok((child, url));
        }
    }
    child.kill()?;
    bail!("toolhub did not start")
}

/// What `/proc/<pid>/stat` says (proc(5)), in ticks of a hundredth of a second.
struct Stat {
    parent: u32,
    own: u64,
    ended_children: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Stat> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name is in parentheses and may contain anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |at: usize| fields.get(at).copied();
        let ticks = |at: usize| field(at)?.parse::<u64>().ok();
        Some(Stat {
            parent: field(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            ended_children: ticks(13)? + ticks(14)?,
        })
    }
}

fn of_ticks(ticks: u64) -> Duration {
    // USER_HZ is 100 on every Linux of today.
    Duration::from_millis(ticks * 10)
}
