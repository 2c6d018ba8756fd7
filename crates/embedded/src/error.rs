//! Why the embedded server could not be used; each text names the next step.

use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

use crate::MIN_POSTGRES_MAJOR;

/// An error of the embedded server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// The environment has no home directory to put data under.
    #[error("there is no home directory to keep the database in; name a directory with --data-dir")]
    NoHome,
    /// A file or directory could not be used.
    #[error("{} cannot be {doing}: {reason}. Check its permissions, or choose another directory with --data-dir", .path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// What was tried: "created", "read", "locked" …
        doing: &'static str,
        /// The system's words.
        reason: String,
    },
    /// No usable PostgreSQL on this machine, and none could be downloaded.
    #[error("no PostgreSQL {} was found on this machine{}. Install it (Debian and Ubuntu: apt install postgresql; macOS: brew install postgresql@17), set TOOLHUB_PG_BIN to the directory that holds its `postgres` and `initdb`, or give --database-url", wanted(*.major), and_no_download(.download))]
    NoPostgres {
        /// Major version an existing data directory asks for; `None` for any that is new enough.
        major: Option<u32>,
        /// Why the download failed; `None` when this program cannot download.
        download: Option<String>,
    },
    /// The directory given explicitly does not hold a usable PostgreSQL.
    #[error("TOOLHUB_PG_BIN={} is not usable: {reason}", .path.display())]
    BadBinaries {
        /// The directory given.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The data directory was made by another major version.
    #[error("the data in {} belongs to PostgreSQL {data}, the server at {} is PostgreSQL {server}. {}To move the data to {server}, use pg_upgrade or dump and restore", .path.display(), .binaries.display(), or_install(*.data))]
    OtherMajor {
        /// The data directory.
        path: PathBuf,
        /// Its major version.
        data: u32,
        /// The directory of the binaries.
        binaries: PathBuf,
        /// Their major version.
        server: u32,
    },
    /// Another process runs the server of this directory.
    #[error("the data directory {} is in use by another toolhub server (process {pid}). Stop it, or choose another directory with --data-dir", .path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// Its holder, or "unknown" in the instant before it has signed.
        pid: String,
    },
    /// PostgreSQL refuses to run as root and there is no account to run it under.
    #[error(
        "PostgreSQL does not run as root, and there is no account to run it under: {reason}. Create one (useradd --system toolhub) or set TOOLHUB_PG_USER"
    )]
    NoAccount {
        /// Which accounts were tried.
        reason: String,
    },
    /// The account that runs PostgreSQL cannot get to a path.
    #[error("PostgreSQL runs as {account}, which cannot enter {}. Allow it (chmod o+x {0}), or choose another directory with --data-dir", .blocked.display())]
    NotTraversable {
        /// The account's name or number.
        account: String,
        /// The outermost directory that refuses it.
        blocked: PathBuf,
    },
    /// The data belongs to another account, and this process is not root.
    #[error("{} belongs to another account (uid {owner}); run toolhub as that account or as root, or choose another directory with --data-dir", .path.display())]
    NotOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// One of PostgreSQL's programs failed.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// Its name.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        output: String,
    },
    /// A program that copies databases is missing, or older than the database.
    #[error("no {program} of PostgreSQL {least} or newer was found on this machine{}. Install it (Debian and Ubuntu: apt install postgresql-client-{least}), or set TOOLHUB_PG_BIN to the directory that holds it", only(*.found))]
    NoProgram {
        /// Its name.
        program: &'static str,
        /// The lowest major version that can do it.
        least: u32,
        /// The newest that was found.
        found: Option<u32>,
    },
    /// The server did not come up.
    #[error("PostgreSQL did not start in {}: {reason}", .path.display())]
    NotStarted {
        /// The data directory.
        path: PathBuf,
        /// How it ended, and the end of its log.
        reason: String,
    },
    /// The server of an earlier, killed process is still there and does not stop.
    #[error(
        "the PostgreSQL of an earlier toolhub (process {pid}) does not stop. End it with `kill -QUIT {pid}` and start again"
    )]
    DoesNotStop {
        /// Its process id.
        pid: i32,
    },
    /// The server runs without forcing its log to disk.
    #[error("PostgreSQL in {} runs with fsync = {found}; toolhub acknowledges only what survives a crash. Remove the setting (ALTER SYSTEM RESET fsync, and local.conf)", .path.display())]
    NotDurable {
        /// The data directory.
        path: PathBuf,
        /// The setting found.
        found: String,
    },
    /// The started server could not be connected to.
    #[error("the embedded PostgreSQL has started and cannot be connected to: {reason}")]
    NotConnected {
        /// The driver's words.
        reason: String,
    },
}

fn wanted(major: Option<u32>) -> String {
    match major {
        Some(major) => major.to_string(),
        None => format!("{MIN_POSTGRES_MAJOR} or newer"),
    }
}

fn only(found: Option<u32>) -> String {
    found.map(|found| format!(", only {found}")).unwrap_or_default()
}

/// Data older than toolhub supports has to be moved, whatever is installed.
fn or_install(data: u32) -> String {
    if data < MIN_POSTGRES_MAJOR {
        return String::new();
    }
    format!("Install PostgreSQL {data} or set TOOLHUB_PG_BIN to the directory of its programs. ")
}

fn and_no_download(reason: &Option<String>) -> String {
    reason
        .as_ref()
        .map(|reason| format!(", and it could not be downloaded ({reason})"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_postgres_the_way_to_get_one_is_told() {
        let error = EmbeddedError::NoPostgres {
            major: None,
            download: Some("no network".to_owned()),
        }
        .to_string();
        for part in [
            "15 or newer",
            "(no network)",
            "apt install",
            "brew install",
            "TOOLHUB_PG_BIN",
            "--database-url",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn data_too_old_for_toolhub_is_not_answered_with_installing_an_old_server() {
        let other = |data| EmbeddedError::OtherMajor {
            path: "/d".into(),
            data,
            binaries: "/b".into(),
            server: 17,
        };
        assert!(other(16).to_string().contains("Install PostgreSQL 16"));
        let error = other(13).to_string();
        assert!(
            error.contains("PostgreSQL 13") && error.contains("PostgreSQL 17"),
            "{error}"
        );
        assert!(!error.contains("Install"), "{error}");
    }
}
