//! The session logs of the sample team over the last 30 days. They depend only on the current time.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, Utc, Weekday};

use super::{
    random::Random,
    session::{File, Session, Slot, session},
    team::{MEMBERS, Member},
};
use model::team::MemberKind;

/// How many days the logs cover.
pub(crate) const DAYS: u32 = 30;

const SEED: u64 = 2_026;

/// The logs of one member.
pub(crate) struct MemberLogs {
    /// The member.
    pub(crate) member: &'static Member,
    /// The home directory of the member, with the logs below `.claude/projects`.
    pub(crate) home: PathBuf,
    /// The number of log files.
    pub(crate) files: usize,
}

/// Writes the logs of the whole team below `dir`, as `<handle>/.claude/projects/<folder>/<session>.jsonl`.
///
/// # Errors
/// When a folder or file cannot be written.
pub(crate) fn write(dir: &Path, now: DateTime<Utc>) -> io::Result<Vec<MemberLogs>> {
    let mut random = Random::new(SEED);
    MEMBERS
        .iter()
        .map(|member| {
            let home = dir.join(member.handle);
            let projects = home.join(".claude").join("projects");
            let mut files = 0;
            for session in sessions(member, now, random.split()) {
                let folder = projects.join(&session.folder);
                for File { path, text } in &session.files {
                    let path = folder.join(path);
                    fs::create_dir_all(path.parent().unwrap_or(&folder))?;
                    fs::write(path, text)?;
                    files += 1;
                }
            }
            Ok(MemberLogs { member, home, files })
        })
        .collect()
}

/// The sessions of one member, oldest first.
fn sessions(member: &Member, now: DateTime<Utc>, mut random: Random) -> Vec<Session> {
    let mut sessions = Vec::new();
    for days_ago in (0..DAYS).rev() {
        let mut random = random.split();
        let day = (now - TimeDelta::days(i64::from(days_ago))).date_naive();
        let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        let (count, first_minute, last_minute) = match (member.kind, weekend) {
            (MemberKind::Ci, _) => (random.between(2, 5), 0, 24 * 60 - 1),
            (MemberKind::Person, true) => (u32::from(random.chance(15)), 9 * 60, 20 * 60),
            (MemberKind::Person, false) => (random.between(1, 4), 7 * 60, 18 * 60),
        };
        for _ in 0..count {
            let random = &mut random.split();
            let minute = random.between(first_minute, last_minute);
            let begin = day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::minutes(i64::from(minute));
            // Skip sessions that would begin in the future or in the last hour.
            if begin + TimeDelta::hours(1) > now {
                continue;
            }
            sessions.push(session(
                member,
                &Slot {
                    begin,
                    days_ago,
                    now,
                    open: false,
                },
                random.split(),
            ));
        }
    }
    if member.handle == MEMBERS[0].handle {
        // A command is identified by session and line, so that a copy would be another call.
        let original = sessions
            .iter()
            .find(|session| !session.files[0].text.contains("<command-name>"));
        if let Some(original) = original {
            sessions.push(fork(original, random.uuid()));
        }
        let begin = now - TimeDelta::minutes(6);
        sessions.push(session(
            member,
            &Slot {
                begin,
                days_ago: 0,
                now,
                open: true,
            },
            random.split(),
        ));
    }
    sessions
}

/// The result of `claude --fork-session`: a second file that begins with the lines of the first, with the same call ids
/// and a new session id. The uploader must count each call once.
fn fork(original: &Session, id: String) -> Session {
    let lines: Vec<&str> = original.files[0].text.split_inclusive('\n').collect();
    let copied = lines[..lines.len() * 3 / 5].concat();
    Session {
        folder: original.folder.clone(),
        files: vec![File {
            path: format!("{id}.jsonl"),
            text: copied.replace(&original.id, &id),
        }],
        id,
    }
}

#[cfg(test)]
mod tests;
