//! One embedded server for all test processes of a user.
//!
//! ```text
//! <place>/lock                  locked while a process finds or starts the server
//! <place>/current               the name of the server in use
//! <place>/<name>/users/<pid>    one file per process that uses it
//! <place>/<name>/server/        its data directory
//! ```
//!
//! A guardian process runs next to the server: a shell that checks once a second which users are alive. When there has
//! been none for some seconds it closes the server's pipe, which stops it, and removes the directory. Tests need no
//! clean-up, and a killed test leaves nothing behind.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use embedded::{EmbeddedError, EmbeddedOptions, EmbeddedServer, running_url};
use store::session::Session;

/// `$1` is the directory of the server, `$2` how many seconds it may be idle. The standard output is the server's pipe.
/// Moving `users` aside and checking again closes the race with a new user.
const GUARDIAN: &str = r#"
cd /
any_user() {
    found=
    for user in "$1"/*; do
        if kill -0 "${user##*/}" 2>/dev/null; then found=1; else rm -f "$user"; fi
    done
    [ -n "$found" ]
}
idle=0
while [ "$idle" -lt "$2" ]; do
    sleep 1
    if any_user "$1/users"; then idle=0; else idle=$((idle + 1)); fi
    if [ "$idle" -ge "$2" ] && mv "$1/users" "$1/closed" && any_user "$1/closed"; then
        mv "$1/closed" "$1/users"
        idle=0
    fi
done
exec >&-
left=60
while [ -e "$1/server/postgres/data/postmaster.pid" ] && [ "$left" -gt 0 ]; do
    sleep 1
    left=$((left - 1))
done
rm -rf "$1"
"#;

/// Seconds without a user after which the server stops: longer than the pause between two test binaries.
const IDLE: &str = "10";

/// The address of the maintenance database of the server under `place`, started if there is none.
pub(crate) async fn url(place: &Path) -> Result<String, EmbeddedError> {
    let _turn = turn(place).await?;
    let current = place.join("current");
    if let Ok(name) = std::fs::read_to_string(&current)
        && let Some(url) = join(&place.join(name.trim())).await
    {
        return Ok(url);
    }
    remove_dead(place);
    let name = format!("{}-{}", crate::seconds_since_1970(), std::process::id());
    let url = start(&place.join(&name)).await?;
    std::fs::write(&current, &name).map_err(|error| path_error(&current, &error))?;
    Ok(url)
}

/// Registers as a user of a running server; `None` if it does not run or is about to stop.
async fn join(server: &Path) -> Option<String> {
    let user = server.join("users").join(std::process::id().to_string());
    File::create(&user).ok()?;
    let url = running_url(&data_dir(server)).ok()??;
    Session::connect(&url, "toolhub tests", &crate::LIMITS)
        .await
        .ok()?;
    Some(crate::with_database(&url, "postgres"))
}

async fn start(server: &Path) -> Result<String, EmbeddedError> {
    let users = server.join("users");
    std::fs::create_dir_all(&users).map_err(|error| path_error(&users, &error))?;
    std::fs::set_permissions(server, Permissions::from_mode(0o711))
        .map_err(|error| path_error(server, &error))?;
    let user = users.join(std::process::id().to_string());
    File::create(&user).map_err(|error| path_error(&user, &error))?;

    let (reader, writer) = std::io::pipe().map_err(|error| path_error(server, &error))?;
    Command::new("/bin/sh")
        .args(["-c", GUARDIAN, "sh"])
        .arg(server)
        .arg(IDLE)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| path_error(Path::new("/bin/sh"), &error))?;
    let options = EmbeddedOptions {
        // Every test has its own pool, on as many threads as the machine has processors.
        settings: vec![("max_connections".to_owned(), "500".to_owned())],
        ..EmbeddedOptions::from_env(data_dir(server))
    };
    let running = EmbeddedServer::start_until_closed(options, reader).await?;
    let url = crate::with_database(&running.url(), "postgres");
    running.detach();
    Ok(url)
}

fn data_dir(server: &Path) -> PathBuf {
    server.join("server")
}

/// Waits until no other process finds or starts the server.
async fn turn(place: &Path) -> Result<File, EmbeddedError> {
    let path = place.join("lock");
    let file = File::create(&path).map_err(|error| path_error(&path, &error))?;
    while file.try_lock().is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(file)
}

/// Removes the files of servers whose guardian was killed.
fn remove_dead(place: &Path) {
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let server = entry.path();
        let runs = || matches!(running_url(&data_dir(&server)), Ok(Some(_)));
        if server.join("users").is_dir() && !runs() {
            let _ = std::fs::remove_dir_all(&server);
        }
    }
}

fn path_error(path: &Path, error: &std::io::Error) -> EmbeddedError {
    EmbeddedError::Path {
        path: path.to_owned(),
        doing: "used",
        reason: error.to_string(),
    }
}
