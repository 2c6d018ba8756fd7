//! The account that runs PostgreSQL. PostgreSQL refuses root; started by root, toolhub runs it under another account.
//!
//! Whatever lies in a directory of that account is also written by that account, never by root: otherwise a symbolic
//! link left there would make root write wherever it points.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::error::EmbeddedError;

/// Accounts that are tried when none is named, the most fitting first.
const USUAL: [&str; 3] = ["toolhub", "postgres", "nobody"];

/// The account that runs PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// The one toolhub itself runs as.
    Own,
    /// Another one; only root can do this.
    Other { uid: u32, gid: u32, name: String },
}

impl Account {
    /// Chooses: ourselves unless root; then the owner of the data if it has one, the account named by the operator,
    /// and the usual ones.
    pub(crate) async fn choose(
        data_dir: &Path,
        home: &Path,
        named: Option<&str>,
    ) -> Result<Self, EmbeddedError> {
        let owners =
            [home, data_dir].map(|path| path.metadata().ok().map(|found| (found.uid(), found.gid())));
        let own = rustix::process::geteuid().as_raw();
        if own != 0 {
            return match owners.iter().flatten().next() {
                Some(&(owner, _)) if owner != own && owner != 0 && home.exists() => {
                    Err(EmbeddedError::NotOwner {
                        path: home.to_owned(),
                        owner,
                    })
                }
                _ => Ok(Self::Own),
            };
        }
        if let Some(&(uid, gid)) = owners.iter().flatten().find(|(uid, _)| *uid != 0) {
            return Ok(Self::Other {
                uid,
                gid,
                name: format!("uid {uid}"),
            });
        }
        if let Some(name) = named {
            return Self::by_name(name).await.ok_or_else(|| EmbeddedError::NoAccount {
                reason: format!("TOOLHUB_PG_USER={name} is unknown"),
            });
        }
        for name in USUAL {
            if let Some(account) = Self::by_name(name).await {
                return Ok(account);
            }
        }
        Err(EmbeddedError::NoAccount {
            reason: format!("none of {} exists", USUAL.join(", ")),
        })
    }

    /// Asks `id`, which uses every directory service of the machine; root is never returned.
    async fn by_name(name: &str) -> Option<Self> {
        let ask = async |flag: &str| -> Option<u32> {
            let answer = Command::new("id")
                .args([flag, "--", name])
                .stderr(Stdio::null())
                .output()
                .await
                .ok()?;
            String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
        };
        let uid = ask("-u").await.filter(|uid| *uid != 0)?;
        let gid = ask("-g").await?;
        Some(Self::Other {
            uid,
            gid,
            name: name.to_owned(),
        })
    }

    pub(crate) fn uid(&self) -> u32 {
        match self {
            Self::Own => rustix::process::geteuid().as_raw(),
            Self::Other { uid, .. } => *uid,
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Own => format!("uid {}", self.uid()),
            Self::Other { name, .. } => name.clone(),
        }
    }

    /// A command run as this account in `directory`, in English, without the environment's `PG…` settings, and out
    /// of reach of the terminal's Ctrl-C, which is for toolhub to answer.
    pub(crate) fn command(&self, program: impl AsRef<Path>, directory: &Path) -> Command {
        let mut command = Command::new(program.as_ref());
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("PG")) {
            command.env_remove(key);
        }
        command
            .env("LC_ALL", "C")
            .current_dir(directory)
            .stdin(Stdio::null())
            .process_group(0);
        if let Self::Other { uid, gid, .. } = self {
            // The standard library also drops root's supplementary groups.
            command.uid(*uid).gid(*gid);
        }
        command
    }

    /// Runs a line of `sh` as this account and returns what it printed.
    async fn shell(
        &self,
        directory: &Path,
        script: &str,
        arguments: &[&Path],
    ) -> std::io::Result<std::process::Output> {
        self.command("/bin/sh", directory)
            .arg("-c")
            .arg(script)
            .arg("sh")
            .args(arguments)
            .output()
            .await
    }

    /// Creates a directory that only this account (and root) may enter; an existing one is left as it is.
    pub(crate) async fn make_private_directory(&self, path: &Path) -> Result<(), EmbeddedError> {
        let made = self
            .shell(Path::new("/"), r#"[ -d "$1" ] || mkdir -m 700 "$1""#, &[path])
            .await;
        done(made, path, "created")
    }

    /// Writes a file that only this account (and root) may read, replacing what was there in one step.
    pub(crate) async fn write_private_file(&self, path: &Path, content: &str) -> Result<(), EmbeddedError> {
        let script = r#"umask 077 && cat >"$1.new" && mv -f "$1.new" "$1""#;
        let written = async {
            let mut child = self
                .command("/bin/sh", Path::new("/"))
                .args(["-c", script, "sh"])
                .arg(path)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                // A child that ended early says why on stderr, which is the better message.
                let _ = stdin.write_all(content.as_bytes()).await;
            }
            child.wait_with_output().await
        };
        done(written.await, path, "written")
    }

    /// Creates an empty file if there is none, and removes nothing.
    pub(crate) async fn touch(&self, path: &Path) -> Result<(), EmbeddedError> {
        done(
            self.shell(Path::new("/"), r#"umask 077 && : >>"$1""#, &[path])
                .await,
            path,
            "written",
        )
    }

    /// Refuses a path this account cannot get to, naming the outermost directory that stops it.
    pub(crate) async fn check_can_enter(&self, path: &Path) -> Result<(), EmbeddedError> {
        let mut steps: Vec<&Path> = path.ancestors().collect();
        steps.reverse();
        let script = r#"for step; do [ -x "$step" ] || { printf %s "$step"; exit 1; }; done"#;
        match self.shell(Path::new("/"), script, &steps).await {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(EmbeddedError::NotTraversable {
                account: self.name(),
                blocked: PathBuf::from(String::from_utf8_lossy(&output.stdout).into_owned()),
            }),
            Err(error) => Err(EmbeddedError::Path {
                path: PathBuf::from("/bin/sh"),
                doing: "run",
                reason: format!("{error} (as {})", self.name()),
            }),
        }
    }
}

fn done(
    result: std::io::Result<std::process::Output>,
    path: &Path,
    doing: &'static str,
) -> Result<(), EmbeddedError> {
    let reason = match result {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(EmbeddedError::Path {
        path: path.to_owned(),
        doing,
        reason,
    })
}
