//! The errors of the store. Each message says what happened and what to do next.
//!
//! Handles SQLSTATEs, not HTTP: the server maps the predicates of [`StoreError`] to a status.

use std::error::Error;
use std::io;
use std::time::Duration;

use deadpool_postgres::{HookError, PoolError, TimeoutType};
use model::MemberId;
use thiserror::Error;
use tokio_postgres::error::SqlState;

/// The oldest PostgreSQL with all features that toolhub uses (`security_invoker`, `wal_compression = lz4`).
pub const MIN_POSTGRES_MAJOR: u32 = 15;

/// An error of the store.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address could not be understood. Carries no part of the address, which may hold a password.
    #[error(
        "the database address cannot be used: {reason}. Write postgresql://user:password@host:5432/database"
    )]
    BadUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// Certificates could not be loaded.
    #[error("TLS to the database cannot be set up: {reason}")]
    Certificates {
        /// Which file or setting, and why.
        reason: String,
    },
    /// Nothing usable answers at the address.
    #[error(
        "the database at {address} cannot be reached: {reason}. Check that it runs and that the address is right"
    )]
    Unavailable {
        /// Address without password.
        address: String,
        /// The message of the driver or of the system.
        reason: String,
        /// The driver's error, when there was one (there is none after a timeout).
        #[source]
        source: Option<tokio_postgres::Error>,
    },
    /// Every connection was in use for too long.
    #[error("all {size} database connections were busy for {}. Try again; if it persists, raise the pool size or find the slow statement", seconds(.waited))]
    PoolTimeout {
        /// How long the caller waited.
        waited: Duration,
        /// Connections in the pool.
        size: usize,
    },
    /// The database did not answer in time. Whether the work was committed is not known.
    #[error("the database did not answer within {}. Try again: events that are stored already are counted as duplicates", seconds(.waited))]
    NoAnswer {
        /// How long the caller waited.
        waited: Duration,
    },
    /// The data of these members is being deleted, or another report of them is being stored: they are locked. Nothing
    /// was waited for.
    #[error("the data of this member is being changed by another request. Try again")]
    MembersBusy(Vec<MemberId>),
    /// The reader of an export took nothing for too long.
    #[error("nobody read the export for {}. Ask again", seconds(.0))]
    Stalled(Duration),
    /// As many long requests run as may at the same time.
    #[error("{0}")]
    TooMany(String),
    /// The server is older than toolhub supports.
    #[error(
        "the database runs PostgreSQL {found}, toolhub needs {MIN_POSTGRES_MAJOR} or newer. Upgrade the server, or let toolhub run its own by leaving the database address out"
    )]
    ServerTooOld {
        /// The server's version as it reports it.
        found: String,
    },
    /// The schema was written by a newer toolhub.
    #[error(
        "the database has schema version {database}, this toolhub knows versions up to {binary}. Upgrade toolhub; an older one could damage newer data"
    )]
    SchemaNewer {
        /// Version of the newest migration applied.
        database: i32,
        /// Version of the newest migration in this program.
        binary: i32,
    },
    /// Migrations are missing in the database.
    #[error("the database has {}, this toolhub needs version {binary}. Run `toolhub admin migrate`", schema_words(.database))]
    SchemaOlder {
        /// Version of the newest migration applied; `None` in an empty database.
        database: Option<i32>,
        /// Version of the newest migration in this program.
        binary: i32,
    },
    /// A migration failed, or an applied one differs from this program's.
    #[error("the schema cannot be migrated: {reason}")]
    Migration {
        /// Which migration, and why.
        reason: String,
        /// refinery's error.
        #[source]
        source: Box<refinery::Error>,
    },
    /// An advisory lock was granted and is not there: a pooler moved us to another session.
    #[error(
        "the lock for {purpose} was lost after it was granted. Connect directly to PostgreSQL instead of through a transaction-mode pooler (PgBouncer)"
    )]
    LockLost {
        /// What the lock is for.
        purpose: &'static str,
    },
    /// A pooler between toolhub and PostgreSQL that sessions do not survive. A whole sentence, with what to set.
    #[error("{0}")]
    Pooler(String),
    /// A statement failed. The SQLSTATE is in [`StoreError::sqlstate`].
    #[error("a database statement failed: {}", chain(.0))]
    Query(#[source] tokio_postgres::Error),
    /// A cursor that no page of the list gave.
    #[error("invalid cursor; start again without it")]
    Cursor,
    /// An argument is invalid.
    #[error("{0}")]
    Invalid(String),
    /// It does not exist, or belongs to another org. A whole sentence: "no member `ann`".
    #[error("{0}")]
    NotFound(String),
    /// It exists already.
    #[error("{0} exists already")]
    Exists(String),
    /// The actor may not do that.
    #[error("{0}")]
    NotAllowed(String),
    /// The current state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The run of a CI provider is not trusted.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// A login has no token, or not yet.
    #[error(transparent)]
    NoToken(#[from] NoToken),
    /// A stored value that this program does not understand.
    #[error("the database column `{0}` holds a value that this toolhub does not know. Upgrade toolhub")]
    Unreadable(&'static str),
    /// The system gave no random bytes.
    #[error("the system has no random bytes for a token: {0}")]
    Randomness(String),
}

/// Why a login has no token. The codes are those of RFC 8628, section 3.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// The person has not decided yet.
    #[error("the login waits for its confirmation in a browser")]
    Pending,
    /// The machine asks too often.
    #[error("the login waits for its confirmation in a browser; ask less often, 5 s more each time")]
    SlowDown,
    /// The person has denied it.
    #[error("the login was denied in the browser")]
    Denied,
    /// The code has expired, was used, or never was.
    #[error("the code of the login has expired or was used; begin another login")]
    Expired,
}

impl NoToken {
    /// Stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            NoToken::Pending => "authorization_pending",
            NoToken::SlowDown => "slow_down",
            NoToken::Denied => "access_denied",
            NoToken::Expired => "expired_token",
        }
    }
}

/// Why a run was given no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Untrusted {
    /// The identity token was exchanged before.
    #[error("this identity token was exchanged before; each works once. Ask the provider for a fresh one")]
    Replayed,
    /// No org trusts the repository.
    #[error("no org trusts this repository; an admin adds it with `toolhub trusted-publishers add`")]
    Repository,
    /// The owner of the repository has changed.
    #[error(
        "the repository belongs to another owner than the one that is trusted; if that is right, add it anew"
    )]
    Owner,
    /// Another workflow is trusted.
    #[error("this workflow file is not the one that is trusted")]
    Workflow,
    /// Another environment is trusted.
    #[error("this environment is not the one that is trusted")]
    Environment,
    /// Several orgs trust the repository.
    #[error("several orgs trust this repository; name one with `org`")]
    Ambiguous,
    /// The CI member is deactivated, or may not upload any more.
    #[error("the member as which this repository uploads is deactivated, or may not upload any more")]
    Member,
}

impl Untrusted {
    /// Stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Untrusted::Replayed => "identity_replayed",
            Untrusted::Repository => "untrusted_repository",
            Untrusted::Owner => "untrusted_owner",
            Untrusted::Workflow => "untrusted_workflow",
            Untrusted::Environment => "untrusted_environment",
            Untrusted::Ambiguous => "ambiguous_org",
            Untrusted::Member => "untrusted_member",
        }
    }
}

impl StoreError {
    /// An address the driver refuses, without the address.
    pub(crate) fn bad_url(error: &tokio_postgres::Error) -> Self {
        Self::BadUrl { reason: chain(error) }
    }

    /// A connection attempt that failed.
    pub(crate) fn unavailable(address: String, error: tokio_postgres::Error) -> Self {
        Self::Unavailable {
            address,
            reason: chain(&error),
            source: Some(error),
        }
    }

    /// The caller's error for an error of the pool.
    pub(crate) fn from_pool(error: PoolError, address: String, waited: Duration, size: usize) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::PoolTimeout { waited, size },
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                Self::unavailable(address, error)
            }
            other => Self::Unavailable {
                address,
                reason: chain(&other),
                source: None,
            },
        }
    }

    /// The five-character SQLSTATE, when the server gave one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.db_state().map(SqlState::code)
    }

    /// A serialization failure or a deadlock (SQLSTATE 40001 or 40P01): the transaction can be retried at once.
    #[must_use]
    pub fn is_serialization_failure(&self) -> bool {
        self.db_state().is_some_and(|state| {
            *state == SqlState::T_R_SERIALIZATION_FAILURE || *state == SqlState::T_R_DEADLOCK_DETECTED
        })
    }

    /// A lock was not had in time (SQLSTATE 55P03).
    pub(crate) fn is_lock_timeout(&self) -> bool {
        self.db_state()
            .is_some_and(|state| *state == SqlState::LOCK_NOT_AVAILABLE)
    }

    /// The same call may succeed later without any change: the database is away, starting, full,
    /// overloaded, read-only after a failover, or two transactions met.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::PoolTimeout { .. } | Self::NoAnswer { .. } | Self::MembersBusy(_) | Self::TooMany(_) => {
                true
            }
            Self::Unavailable { source: None, .. } => true,
            Self::Unavailable {
                source: Some(error), ..
            }
            | Self::Query(error) => match error.code() {
                Some(state) => is_temporary_state(state.code()),
                // Without a SQLSTATE the server sent no error: the connection broke, or the protocol does not match.
                None => error.is_closed() || is_broken_connection(error),
            },
            _ => false,
        }
    }

    fn driver_error(&self) -> Option<&tokio_postgres::Error> {
        match self {
            Self::Query(error)
            | Self::Unavailable {
                source: Some(error), ..
            } => Some(error),
            Self::Migration { source, .. } => source.source()?.downcast_ref(),
            _ => None,
        }
    }

    fn db_state(&self) -> Option<&SqlState> {
        self.driver_error()?.code()
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Query(error)
    }
}

impl From<refinery::Error> for StoreError {
    fn from(error: refinery::Error) -> Self {
        Self::Migration {
            reason: chain(&error),
            source: Box::new(error),
        }
    }
}

/// Classes 08 (connection), 40 (rollback), 53 (resources: full disk, too many connections), 57 (operator: shutdown,
/// starting up, statement timeout) and 58 (system), a lock not had in time, and a primary that turned read-only.
fn is_temporary_state(code: &str) -> bool {
    let class = code.get(..2).unwrap_or_default();
    matches!(class, "08" | "40" | "53" | "57" | "58") || matches!(code, "55P03" | "25006" | "25P03")
}

/// The connection broke. A handshake that ended over a certificate also ends as an I/O error; that one lasts.
fn is_broken_connection(error: &tokio_postgres::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return !matches!(
                io.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            );
        }
        cause = inner.source();
    }
    false
}

/// The error and its causes on one line; the driver alone says little more than "db error".
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

fn seconds(duration: &Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn schema_words(version: &Option<i32>) -> String {
    match version {
        Some(version) => format!("schema version {version}"),
        None => "no toolhub schema yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_temporary_and_what_is_wrong_is_not() {
        for code in [
            "08006", "40001", "40P01", "53100", "53300", "57014", "57P01", "57P03", "55P03", "25006", "58030",
        ] {
            assert!(is_temporary_state(code), "{code}");
        }
        for code in ["23505", "22021", "42P01", "42501", "28P01", "3D000"] {
            assert!(!is_temporary_state(code), "{code}");
        }
    }

    #[test]
    fn versions_are_named_on_both_sides() {
        let newer = StoreError::SchemaNewer {
            database: 9,
            binary: 4,
        }
        .to_string();
        assert!(
            newer.contains('9') && newer.contains('4') && newer.contains("Upgrade toolhub"),
            "{newer}"
        );
        let older = StoreError::SchemaOlder {
            database: None,
            binary: 4,
        }
        .to_string();
        assert!(
            older.contains("no toolhub schema yet") && older.contains("admin migrate"),
            "{older}"
        );
    }
}
