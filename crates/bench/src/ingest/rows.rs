//! The events of a team, in every form that the measurements need.

use std::fmt::Write;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use model::{CallResult, Event, MicroUsd, ToolId, event::Source, wire::EventV1};
use uuid::Uuid;

use super::server::Person;

/// The columns of `usage_events`, in the order in which [`Rows::as_copy`] writes them.
pub(super) const COLUMNS: &str = "org_id, member_id, occurred_at, received_at, duration_ms, cost_micro_usd, outcome, \
    reason, source, upload_id, uuid, tool_id, operation, session_id, project, model, agent, agent_version, git_branch, \
    task_text";

/// Events, those of one member together: a member's uploads follow each other.
pub(super) struct Rows {
    people: Vec<Person>,
    /// Who made the call, by place in `people`.
    rows: Vec<(usize, Event)>,
}

const TOOLS: &[&str] = &[
    "builtin:Bash",
    "builtin:Read",
    "builtin:Edit",
    "builtin:Grep",
    "builtin:Write",
    "builtin:Glob",
    "builtin:WebFetch",
    "builtin:TodoWrite",
    "skill:write-tests",
    "skill:design-md",
    "skill:review-diff",
    "plugin:tidy@dead-code",
    "mcp:linear-server",
    "mcp:github",
    "mcp:postgres",
    "mcp:browser",
    "agent:code-reviewer",
    "agent:explorer",
    "command:review",
    "command:commit",
    "cli:cargo",
    "cli:make",
];

impl Rows {
    /// So many events, the same ones each time.
    pub(super) fn generate(events: usize, people: &[Person]) -> Rows {
        Rows::numbered(0, events, people)
    }

    /// Further ones.
    pub(super) fn generate_after(rows: &Rows, events: usize, people: &[Person]) -> Rows {
        Rows::numbered(rows.len(), events, people)
    }

    fn numbered(first: usize, events: usize, people: &[Person]) -> Rows {
        let start = DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default();
        let each = events.div_ceil(people.len().max(1)).max(1);
        let rows = (first..first + events)
            .map(|n| {
                let mut random = Random(n as u64);
                // 90 days of each member, in the order of time.
                let place = n - first;
                let at = start
                    + TimeDelta::seconds(
                        i64::try_from(place % each * 90 * 86_400 / each).unwrap_or_default(),
                    )
                    + TimeDelta::milliseconds(i64::try_from(random.below(1_000)).unwrap_or_default());
                (place / each, event(n, at, place, &mut random))
            })
            .collect();
        Rows {
            people: people.to_vec(),
            rows,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// As uploads of one member each: a token, how many events, NDJSON.
    pub(super) fn as_bodies(&self, batch: usize) -> Vec<(String, usize, Vec<u8>)> {
        let mut bodies = Vec::new();
        for rows in self.rows.chunk_by(|a, b| a.0 == b.0) {
            for rows in rows.chunks(batch) {
                let mut body = Vec::new();
                for (_, event) in rows {
                    serde_json::to_writer(&mut body, &EventV1(event)).expect("an event is JSON");
                    body.push(b'\n');
                }
                bodies.push((self.people[rows[0].0].token.clone(), rows.len(), body));
            }
        }
        // As they come from many people at once.
        let mut random = Random(7);
        for at in (1..bodies.len()).rev() {
            let other = random.below(at as u64 + 1);
            bodies.swap(at, usize::try_from(other).unwrap_or_default());
        }
        bodies
    }

    /// As the streams of so many `COPY BINARY`, each in pieces of about a megabyte.
    pub(super) fn as_copies(&self, streams: usize) -> Vec<Vec<Bytes>> {
        let part = self.rows.len().div_ceil(streams).max(1);
        self.rows.chunks(part).map(|rows| self.as_copy(rows)).collect()
    }

    fn as_copy(&self, rows: &[(usize, Event)]) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        let mut piece = b"PGCOPY\n\xFF\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        for (person, event) in rows {
            copy_row(&mut piece, &self.people[*person], event);
            if piece.len() > 1 << 20 {
                pieces.push(std::mem::take(&mut piece).into());
            }
        }
        piece.extend((-1_i16).to_be_bytes());
        pieces.push(piece.into());
        pieces
    }

    /// As statements, one per event.
    pub(super) fn as_inserts(&self, table: &str, most: usize) -> Vec<String> {
        let quoted = |text: Option<&str>| text.map_or("null".to_owned(), |text| format!("'{text}'"));
        let number = |value: Option<i64>| value.map_or("null".to_owned(), |value| value.to_string());
        // From every member a few, as in the other measurements.
        let step = (self.rows.len() / most.max(1)).max(1);
        self.rows
            .iter()
            .step_by(step)
            .take(most)
            .map(|(person, event)| {
                let person = &self.people[*person];
                let mut sql = format!(
                    "insert into {table} ({COLUMNS}) values ({}, {}, '{at}', '{at}', {}, {}, '{}', {}, '{}', '{}'",
                    person.org,
                    person.member,
                    number(event.duration_ms),
                    number(event.cost.map(|MicroUsd(micros)| micros)),
                    event.result.outcome(),
                    quoted(event.result.reason().map(model::Reason::as_str)),
                    Source::Jsonl.as_str(),
                    Uuid::nil(),
                    at = event.occurred_at.to_rfc3339(),
                );
                for text in texts(event) {
                    let _ = write!(sql, ", {}", quoted(text));
                }
                sql + ") on conflict do nothing"
            })
            .collect()
    }
}

fn copy_row(out: &mut Vec<u8>, person: &Person, event: &Event) {
    // PostgreSQL counts microseconds from 2000-01-01.
    let micros = |at: DateTime<Utc>| at.timestamp_micros() - 946_684_800_000_000;
    // The number of columns comes first, without a length.
    out.extend(20_i16.to_be_bytes());
    let mut field = |value: Option<&[u8]>| match value {
        None => out.extend((-1_i32).to_be_bytes()),
        Some(bytes) => {
            out.extend(i32::try_from(bytes.len()).unwrap_or_default().to_be_bytes());
            out.extend(bytes);
        }
    };
    field(Some(&person.org.to_be_bytes()));
    field(Some(&person.member.to_be_bytes()));
    field(Some(&micros(event.occurred_at).to_be_bytes()));
    field(Some(&micros(event.occurred_at).to_be_bytes()));
    field(
        event
            .duration_ms
            .map(i64::to_be_bytes)
            .as_ref()
            .map(<[u8; 8]>::as_slice),
    );
    field(
        event
            .cost
            .map(|MicroUsd(micros)| micros.to_be_bytes())
            .as_ref()
            .map(<[u8; 8]>::as_slice),
    );
    field(Some(event.result.outcome().as_str().as_bytes()));
    field(event.result.reason().map(|reason| reason.as_str().as_bytes()));
    field(Some(Source::Jsonl.as_str().as_bytes()));
    field(Some(Uuid::nil().as_bytes()));
    for text in texts(event) {
        field(text.map(str::as_bytes));
    }
}

fn texts(event: &Event) -> [Option<&str>; 10] {
    [
        event.uuid.as_deref(),
        Some(event.tool.as_str()),
        event.operation.as_deref(),
        event.session.as_deref(),
        event.project.as_deref(),
        event.model.as_deref(),
        event.agent.as_deref(),
        event.agent_version.as_deref(),
        event.git_branch.as_deref(),
        event.task_text.as_deref(),
    ]
}

/// A call as session logs have them: an id of 30 characters, a session of two hundred calls, a project or two.
fn event(n: usize, at: DateTime<Utc>, place: usize, random: &mut Random) -> Event {
    let few = random
        .below(TOOLS.len() as u64)
        .min(random.below(TOOLS.len() as u64));
    let tool = TOOLS[usize::try_from(few).unwrap_or_default()];
    let tool = ToolId::parse(tool).expect("a tool of the list");
    let result = match random.below(20) {
        0 => CallResult::new(model::Outcome::Failure, Some(model::Reason::Error))
            .unwrap_or(CallResult::SUCCESS),
        1 => CallResult::UNANSWERED,
        _ => CallResult::SUCCESS,
    };
    let session = place / 200;
    let mut event = Event::new(tool, result, at);
    event.uuid = Some(format!("toolu_01{:016x}{:06x}", random.next(), n & 0xFF_FFFF));
    event.session =
        Some(Uuid::from_u128(0x5e55_0000_0000_4000_8000_0000_0000_0000 + session as u128).to_string());
    event.project = Some(format!("team/project-{}", session % 30));
    event.duration_ms =
        (random.below(10) > 0).then(|| i64::try_from(random.below(30_000)).unwrap_or_default());
    event.cost =
        (random.below(10) > 0).then(|| MicroUsd(i64::try_from(random.below(20_000)).unwrap_or_default()));
    event.model = Some("claude-sonnet-4-5".to_owned());
    event.agent = Some("claude-code".to_owned());
    event.agent_version = Some("2.1.212".to_owned());
    event.git_branch = (random.below(3) > 0).then(|| "main".to_owned());
    event
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}
