//! Copies of a database by PostgreSQL's own programs, `pg_dump` and `pg_restore`: of the embedded server, and of any
//! other that an address leads to.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use percent_encoding::percent_decode_str;
use tokio::process::Command;

use crate::binaries::{major_version, usual_directories};
use crate::error::EmbeddedError;

/// Writes the database at `url`, as of one moment, into `directory`, which must not exist. `server` is the major
/// version of the server. Returns that of the program: one of the same or a newer version can restore it.
///
/// # Errors
/// [`EmbeddedError::NoProgram`] or [`EmbeddedError::Program`].
pub async fn dump(url: &str, server: u32, directory: &Path) -> Result<u32, EmbeddedError> {
    let (program, major) = program("pg_dump", server)?;
    let mut command = command(&program, url);
    command
        .args(["--format=directory", "--no-owner", "--no-privileges", "--file"])
        .arg(directory);
    run("pg_dump", command).await?;
    Ok(major)
}

/// Fills the empty database at `url` with what [`dump`] wrote, in one transaction: afterwards everything is there, or
/// nothing. `least` is the major version of the program that wrote it, or of the server if that is newer.
///
/// # Errors
/// [`EmbeddedError::NoProgram`] or [`EmbeddedError::Program`].
pub async fn restore(url: &str, least: u32, directory: &Path) -> Result<(), EmbeddedError> {
    let (program, _) = program("pg_restore", least)?;
    let mut command = command(&program, url);
    command
        .args(["--single-transaction", "--no-owner", "--no-privileges"])
        .arg(directory);
    run("pg_restore", command).await
}

/// The program of the lowest version that is at least `least`: a newer one may write what an older server does not
/// understand.
fn program(name: &'static str, least: u32) -> Result<(PathBuf, u32), EmbeddedError> {
    let named = std::env::var_os("TOOLHUB_PG_BIN").filter(|value| !value.is_empty());
    let mut directories: Vec<PathBuf> = named.map(PathBuf::from).into_iter().collect();
    directories.extend(usual_directories());
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for directory in directories {
        let path = directory.join(name);
        if !path.is_file() {
            continue;
        }
        let answer = std::process::Command::new(&path)
            .arg("--version")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output();
        if let Ok(answer) = answer
            && let Some(major) = major_version(&String::from_utf8_lossy(&answer.stdout))
        {
            found.push((major, path));
        }
    }
    // The first of equals, as with the server's own programs.
    let fit = found
        .iter()
        .filter(|(major, _)| *major >= least)
        .min_by_key(|(major, _)| *major);
    match fit {
        Some((major, path)) => Ok((path.clone(), *major)),
        None => Err(EmbeddedError::NoProgram {
            program: name,
            least,
            found: found.iter().map(|(major, _)| *major).max(),
        }),
    }
}

/// The program, connected to the database. The password is in its environment: arguments are visible to all accounts.
fn command(program: &Path, url: &str) -> Command {
    let (address, password) = without_password(url);
    let mut command = Command::new(program);
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("PG")) {
        command.env_remove(key);
    }
    command
        .env("LC_ALL", "C")
        .args(["--no-password", "--dbname", &address])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    command
}

async fn run(program: &'static str, mut command: Command) -> Result<(), EmbeddedError> {
    let output = command.output().await.map_err(|error| EmbeddedError::Path {
        path: PathBuf::from(program),
        doing: "run",
        reason: error.to_string(),
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(EmbeddedError::Program {
        program,
        status: output.status,
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// The address without its password, and the password.
fn without_password(address: &str) -> (String, Option<String>) {
    match address.split_once("://") {
        Some((scheme, rest)) => of_url(scheme, rest),
        None => of_settings(address),
    }
}

fn of_url(scheme: &str, rest: &str) -> (String, Option<String>) {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let mut password = None;
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, secret)| {
                password = Some(decoded(secret));
                user
            });
            format!("{user}@{host}")
        }
        None => authority.to_owned(),
    };
    let path = match path.split_once('?') {
        Some((path, query)) => {
            let kept: Vec<&str> = query
                .split('&')
                .filter(|setting| match setting.strip_prefix("password=") {
                    Some(secret) => {
                        password = Some(decoded(secret));
                        false
                    }
                    None => true,
                })
                .collect();
            format!("{path}?{}", kept.join("&"))
        }
        None => path.to_owned(),
    };
    (format!("{scheme}://{authority}{path}"), password)
}

/// libpq's `key=value` form: values may be in quotes, and a backslash takes the next character as it is.
fn of_settings(text: &str) -> (String, Option<String>) {
    let mut kept = Vec::new();
    let mut password = None;
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (mut value, mut quoted, mut escaped) = (String::new(), false, false);
        let mut end = after.len();
        for (at, c) in after.char_indices() {
            if escaped {
                value.push(c);
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == '\'' {
                quoted = !quoted;
            } else if c.is_whitespace() && !quoted {
                end = at;
                break;
            } else {
                value.push(c);
            }
        }
        if key.trim() == "password" {
            password = Some(value);
        } else {
            kept.push(format!("{}={}", key.trim(), &after[..end]));
        }
        rest = after[end..].trim_start();
    }
    (kept.join(" "), password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_left_in_an_address() {
        for (address, left, password) in [
            (
                "postgresql://ann:p%40ss@h:5432/d",
                "postgresql://ann@h:5432/d",
                Some("p@ss"),
            ),
            (
                "postgres://ann@h/d?sslmode=require&password=x%20y",
                "postgres://ann@h/d?sslmode=require",
                Some("x y"),
            ),
            (
                "postgresql://toolhub@%2Frun%2Fa/d",
                "postgresql://toolhub@%2Frun%2Fa/d",
                None,
            ),
            ("postgres://h", "postgres://h", None),
            (
                r"host=h password='it\'s = mine' dbname=d",
                "host=h dbname=d",
                Some("it's = mine"),
            ),
            ("host='a b' password = x", "host='a b'", Some("x")),
        ] {
            let (rest, found) = without_password(address);
            assert_eq!((rest.as_str(), found.as_deref()), (left, password), "{address}");
        }
    }

    #[test]
    fn a_version_that_is_not_there_is_named() {
        let error = program("pg_dump", 99).unwrap_err().to_string();
        assert!(error.contains("pg_dump") && error.contains("99"), "{error}");
    }
}
