//! What a server has of this machine's logs, so that a later upload reads only the logs that changed and sends only what
//! is new in them.
//!
//! One file per server and token, replaced as a whole at the end of a complete upload: a line of JSON, then the
//! fingerprints of what the server has acknowledged, 8 bytes each. Losing or damaging it loses nothing: the next upload
//! reads and sends everything again, and the server counts each call once.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{Error, find, plan::Fingerprint, replace::replace};

/// Most events that are remembered (32 MB). Beyond it all are forgotten, and sent once more when their logs change.
const MAX_FINGERPRINTS: usize = 4_000_000;

/// A file that was written less than this before it was looked at may be written again without a change of its times:
/// file systems count in ticks of the kernel's clock.
const TICK: Duration = Duration::from_millis(50);

/// The first line of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Header {
    /// What else decides which events a log gives: project rules, options, the version of this program. With another
    /// basis every log is read again.
    basis: String,
    /// The number of fingerprints that follow, and the CRC-32 of their bytes.
    count: usize,
    checksum: u32,
    /// The state in which each log was read, by path.
    logs: BTreeMap<String, String>,
}

/// What a server has.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// The state in which each log was read, by path.
    pub(crate) logs: BTreeMap<String, String>,
    /// What the server has acknowledged.
    pub(crate) acknowledged: HashSet<Fingerprint>,
}

/// The logs that a server has, without the events: enough to see that nothing is new.
pub(crate) fn logs(path: &Path, basis: &str) -> BTreeMap<String, String> {
    let header = File::open(path)
        .ok()
        .and_then(|file| header(&mut BufReader::new(file)));
    header
        .filter(|header| header.basis == basis)
        .map(|header| header.logs)
        .unwrap_or_default()
}

impl Sent {
    /// What an earlier upload has kept; nothing where it is missing or damaged. What was acknowledged stays so with any
    /// basis.
    pub(crate) fn load(path: &Path, basis: &str) -> Sent {
        let read = || {
            let mut reader = BufReader::new(File::open(path).ok()?);
            let header = header(&mut reader)?;
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).ok()?;
            let (prints, rest) = bytes.as_chunks();
            let whole =
                rest.is_empty() && prints.len() == header.count && crc32fast::hash(&bytes) == header.checksum;
            whole.then(|| Sent {
                logs: if header.basis == basis {
                    header.logs
                } else {
                    BTreeMap::new()
                },
                acknowledged: prints.iter().map(|&print| Fingerprint(print)).collect(),
            })
        };
        read().unwrap_or_default()
    }

    /// Replaces what the file at `path` holds.
    pub(crate) fn keep(self, path: &Path, basis: &str) -> Result<(), Error> {
        let bytes: Vec<u8> = if self.acknowledged.len() > MAX_FINGERPRINTS {
            Vec::new()
        } else {
            self.acknowledged.iter().flat_map(|print| print.0).collect()
        };
        let header = Header {
            basis: basis.to_owned(),
            count: bytes.len() / 8,
            checksum: crc32fast::hash(&bytes),
            logs: self.logs,
        };
        let mut content = serde_json::to_vec(&header).map_err(|error| Error::Output(error.into()))?;
        content.push(b'\n');
        content.extend(bytes);
        replace(path, &content, None).map_err(Error::file(path))
    }
}

fn header(reader: &mut impl BufRead) -> Option<Header> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(&line).ok()
}

/// The state of a log: which file it is, its size, and when its content and its inode were last written. Any write
/// changes it, and so do a replacement, a rename over it and a restored copy, whatever time that copy claims. That of a
/// log that is being written is never equal to another. `None` for a log that is gone or whose path is not text; such a
/// log is read.
pub(crate) fn state(path: &Path) -> Option<(String, String)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (mut state, mut written) = state_of(path)?;
    if let Some((wal, wal_written)) = find::wal(path).and_then(|wal| state_of(&wal)) {
        state = format!("{state} {wal}");
        written = written.max(wal_written);
    }
    if now.checked_sub(written).is_some_and(|age| age < TICK) {
        state = format!("{state} at {:x}", now.as_nanos());
    }
    Some((path.to_str()?.to_owned(), state))
}

/// The state of a file, and when it was last written or changed otherwise, since 1970.
#[cfg(unix)]
fn state_of(path: &Path) -> Option<(String, Duration)> {
    use std::os::unix::fs::MetadataExt;

    let file = fs::symlink_metadata(path).ok()?;
    let changed = Duration::new(
        file.ctime().try_into().unwrap_or_default(),
        file.ctime_nsec().try_into().unwrap_or_default(),
    );
    let state = format!(
        "{:x}.{:x}.{:x}.{:x}.{:x}.{:x}.{:x}",
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec()
    );
    Some((state, changed))
}

/// The state of a file, and when it was last written, since 1970.
#[cfg(not(unix))]
fn state_of(path: &Path) -> Option<(String, Duration)> {
    let file = fs::symlink_metadata(path).ok()?;
    let since = |time: std::io::Result<SystemTime>| time.ok()?.duration_since(UNIX_EPOCH).ok();
    let (modified, created) = (since(file.modified())?, since(file.created()).unwrap_or_default());
    let state = format!(
        "{:x}.{:x}.{:x}",
        file.len(),
        modified.as_nanos(),
        created.as_nanos()
    );
    Some((state, modified.max(created)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(logs: usize, prints: u64) -> Sent {
        Sent {
            logs: (0..logs)
                .map(|log| (format!("/logs/{log}.jsonl"), format!("{log:x}")))
                .collect(),
            acknowledged: (0..prints)
                .map(|print| Fingerprint(print.to_le_bytes()))
                .collect(),
        }
    }

    #[test]
    fn another_basis_forgets_the_logs_and_keeps_what_was_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sent");
        assert!(Sent::load(&path, "a").acknowledged.is_empty());
        sent(2, 3).keep(&path, "a").unwrap();
        let same = Sent::load(&path, "a");
        assert_eq!((same.logs.len(), same.acknowledged.len()), (2, 3));
        assert_eq!(logs(&path, "a"), same.logs);
        let other = Sent::load(&path, "b");
        assert_eq!((other.logs.len(), other.acknowledged.len()), (0, 3));
        assert!(logs(&path, "b").is_empty());
    }

    /// The state once the file no longer counts as being written.
    async fn settled(path: &Path) -> Option<String> {
        tokio::time::sleep(TICK * 2).await;
        let now = state(path).map(|(_, state)| state);
        assert_eq!(now, state(path).map(|(_, state)| state), "nothing has changed");
        now
    }

    fn set_old(path: &Path) {
        let old = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(old).unwrap();
    }

    #[tokio::test]
    async fn every_change_of_a_file_changes_its_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        let write = |text: &str| fs::write(&path, text).unwrap();
        write("one\n");
        set_old(&path);
        let mut seen = vec![settled(&path).await];
        write("one\ntwo\n");
        seen.push(settled(&path).await);
        write("one\n");
        seen.push(settled(&path).await);
        // Elsewhere than on Unix, a file that claims the old time passes for the old one.
        if cfg!(unix) {
            write("eno\n");
            set_old(&path);
            seen.push(settled(&path).await);
            let other = folder.path().join("t.jsonl");
            fs::write(&other, "one\n").unwrap();
            set_old(&other);
            fs::rename(&other, &path).unwrap();
            seen.push(settled(&path).await);
        }
        fs::remove_file(&path).unwrap();
        seen.push(settled(&path).await);
        let distinct: HashSet<&Option<String>> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{seen:?}");
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_an_empty_one_or_tells_the_truth(at in 0_usize..400, bit in 0_u8..8, cut in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.sent");
            sent(3, 20).keep(&path, "a").unwrap();
            let mut bytes = fs::read(&path).unwrap();
            let at = at % bytes.len();
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] ^= 1 << bit;
            }
            fs::write(&path, bytes).unwrap();
            let read = Sent::load(&path, "a");
            prop_assert!(read.acknowledged.is_subset(&sent(3, 20).acknowledged));
        }
    }
}
