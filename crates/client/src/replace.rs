//! Replacing a file as a whole: a reader sees the old content or the new one, after a crash too.

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    path::Path,
};

/// Writes a file, and the folders above it, readable by its owner only, or with these permissions. A temporary file has
/// mode 0600 from its first byte.
pub(crate) fn replace(path: &Path, content: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".toolhub-").tempfile_in(folder)?;
    file.write_all(content)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error).map(drop)
}
