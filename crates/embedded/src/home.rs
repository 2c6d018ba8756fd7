//! The files of an embedded server: what lies where under the data directory.
//!
//! ```text
//! <data directory>/postgres/    0700, belongs to the account that runs PostgreSQL
//!     lock                      locked by the toolhub process that runs the server; contains its process id
//!     data/                     PostgreSQL's own directory
//!     run/                      the Unix socket
//!     password                  of the role `toolhub`, for connections over loopback
//!     postgres.log
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::error::EmbeddedError;

/// The longest path of a Unix socket, in bytes: 107 on Linux, 103 on macOS and the BSDs.
const LONGEST_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The socket's file name. The port is part of it and means nothing else, as there is one server per directory.
const SOCKET: &str = ".s.PGSQL.5432";

/// Where an embedded server keeps its things.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    data_dir: PathBuf,
    root: PathBuf,
}

impl Home {
    /// In `data_dir`, which is created if it is missing; nothing else is touched yet.
    pub(crate) fn in_data_dir(data_dir: &Path) -> Result<Self, EmbeddedError> {
        if !data_dir.exists() {
            std::fs::create_dir_all(data_dir).map_err(|error| path_error(data_dir, "created", &error))?;
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(data_dir, private)
                .map_err(|error| path_error(data_dir, "created", &error))?;
        }
        Self::existing(data_dir)
    }

    /// In a `data_dir` that is there.
    pub(crate) fn existing(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let data_dir = data_dir
            .canonicalize()
            .map_err(|error| path_error(data_dir, "read", &error))?;
        let root = data_dir.join("postgres");
        Ok(Self { data_dir, root })
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(crate) fn password(&self) -> PathBuf {
        self.root.join("password")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run().join(SOCKET)
    }

    /// Whether the socket's path is short enough for the system; else the server listens on loopback.
    pub(crate) fn has_room_for_socket(&self) -> bool {
        self.socket().as_os_str().len() <= LONGEST_SOCKET_PATH
    }

    /// Creates what is missing, for `account` and closed to others.
    pub(crate) async fn prepare(&self, account: &Account) -> Result<(), EmbeddedError> {
        if let Account::Other { uid, gid, .. } = account {
            self.hand_over(*uid, *gid, account).await?;
        }
        if !self.root.exists() && self.owner_of_data_dir()? != account.uid() {
            // Only root gets here: the data directory is its own, and holds other things, too.
            std::fs::create_dir(&self.root).map_err(|error| path_error(&self.root, "created", &error))?;
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&self.root, private)
                .map_err(|error| path_error(&self.root, "created", &error))?;
            if let Account::Other { uid, gid, .. } = account {
                chown(&self.root, Some(*uid), Some(*gid))
                    .map_err(|error| path_error(&self.root, "handed over", &error))?;
            }
        }
        account.make_private_directory(&self.root).await?;
        account.check_can_enter(&self.root).await?;
        account.make_private_directory(&self.run()).await?;
        account.touch(&self.lock_file()).await
    }

    /// Gives root's data directory to the account, if nothing else lies in it.
    async fn hand_over(&self, uid: u32, gid: u32, account: &Account) -> Result<(), EmbeddedError> {
        if self.root.metadata().is_ok_and(|home| home.uid() == 0) {
            // It was put there as root, from a backup perhaps. Handing over what root did not make itself could
            // give away a file that a link points to.
            return Err(EmbeddedError::Path {
                path: self.root.clone(),
                doing: "used",
                reason: format!(
                    "it belongs to root, and PostgreSQL runs as {}: chown -R {uid}:{gid} {}",
                    account.name(),
                    self.root.display()
                ),
            });
        }
        if self.owner_of_data_dir()? == 0 && self.holds_nothing_else()? {
            chown(&self.data_dir, Some(uid), Some(gid))
                .map_err(|error| path_error(&self.data_dir, "handed over", &error))?;
        }
        account.check_can_enter(&self.data_dir).await
    }

    fn owner_of_data_dir(&self) -> Result<u32, EmbeddedError> {
        Ok(self
            .data_dir
            .metadata()
            .map_err(|error| path_error(&self.data_dir, "read", &error))?
            .uid())
    }

    fn holds_nothing_else(&self) -> Result<bool, EmbeddedError> {
        let entries =
            std::fs::read_dir(&self.data_dir).map_err(|error| path_error(&self.data_dir, "read", &error))?;
        Ok(entries.flatten().all(|entry| entry.path() == self.root))
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Takes the directory for this process until the returned lock is dropped; the system releases it when the
    /// process dies, however it dies.
    pub(crate) fn lock(&self) -> Result<Lock, EmbeddedError> {
        let path = self.lock_file();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(|error| path_error(&path, "opened", &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let pid = if pid.trim().is_empty() {
                    "unknown"
                } else {
                    pid.trim()
                }
                .to_owned();
                return Err(EmbeddedError::InUse {
                    path: self.data_dir.clone(),
                    pid,
                });
            }
            Err(TryLockError::Error(error)) => return Err(path_error(&path, "locked", &error)),
        }
        let sign = |file: &mut File| -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        sign(&mut file).map_err(|error| path_error(&path, "written", &error))?;
        Ok(Lock { _file: file })
    }
}

/// The exclusive hold on a data directory.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

pub(crate) fn path_error(path: &Path, doing: &'static str, error: &std::io::Error) -> EmbeddedError {
    EmbeddedError::Path {
        path: path.to_owned(),
        doing,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_has_no_room_for_a_socket() {
        let home = |length: usize| {
            let data_dir = PathBuf::from(format!("/{}", "x".repeat(length)));
            let root = data_dir.join("postgres");
            Home { data_dir, root }
        };
        assert!(home(20).has_room_for_socket());
        assert!(!home(90).has_room_for_socket());
    }
}
