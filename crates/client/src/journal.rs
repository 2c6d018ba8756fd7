//! What this machine remembers of its uploads to a server, and the journal: which events the server has acknowledged, in
//! case the run is killed.
//!
//! One file per server and token: a header, then blocks. A block is the number of its fingerprints (u32, little
//! endian), the CRC-32 of their bytes (u32), and the fingerprints. A block is appended only after the receipt was
//! verified. The first damaged block ends the journal: at worst events are sent again, and the server reports them as
//! duplicates. A run that completes removes the file.

use std::{
    collections::HashSet,
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use model::token::Token;
use sha2::{Digest, Sha256};

use crate::{Environment, Error, plan::Fingerprint};

const HEADER: &[u8; 8] = b"thjrnl1\n";
/// A batch has at most a few thousand events; a larger count means damage.
const MAX_BLOCK_EVENTS: u32 = 1 << 20;

/// Longest wait for another upload of the same server and token.
const MAX_WAIT: Duration = Duration::from_secs(600);
/// Interval between two requests for prices of uploads that have nothing new.
const PRICE_INTERVAL: Duration = Duration::from_secs(3_600);
/// Interval between two looks at whether it has ended.
const WAIT_INTERVAL: Duration = Duration::from_millis(50);

/// The journal of one server and token. Only the holder of the [`Lock`] opens it.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    acknowledged: HashSet<Fingerprint>,
}

/// One upload at a time: the system releases the lock when its process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// The state files of one server and token.
#[derive(Clone, Debug)]
pub(crate) struct UploadState {
    folder: PathBuf,
    name: String,
}

impl UploadState {
    /// The state of a server and a token. The file name is a hash and reveals neither.
    pub(crate) fn of(environment: &Environment, url: &str, token: &Token) -> Result<UploadState, Error> {
        let mut digest = Sha256::new();
        digest.update(url.as_bytes());
        digest.update([0]);
        digest.update(token.hash().0);
        let name = model::text::hex(&digest.finalize()[..8]);
        Ok(UploadState {
            folder: environment.state_dir()?.join("journal"),
            name,
        })
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }

    /// What the server has of this machine's logs: see [`crate::sent`].
    pub(crate) fn sent(&self) -> PathBuf {
        self.file("sent")
    }

    /// Waits until no other upload to this server with this token runs. `waiting` is called once if one does. `None`
    /// when it does not end in time.
    pub(crate) async fn lock(&self, waiting: impl FnOnce()) -> Result<Option<Lock>, Error> {
        fs::create_dir_all(&self.folder).map_err(Error::file(&self.folder))?;
        // The file stays: who waits for a removed one would not see the next holder.
        let path = self.file("lock");
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::file(&path))?;
        let mut waiting = Some(waiting);
        let started = tokio::time::Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Lock { _file: file })),
                Err(TryLockError::WouldBlock) if started.elapsed() > MAX_WAIT => return Ok(None),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(Error::File { path, source }),
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            tokio::time::sleep(WAIT_INTERVAL).await;
        }
    }

    /// Models that had no price in the last complete upload.
    pub(crate) fn unpriced(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("unpriced")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// True when it is time to ask whether a model has a price now: an upload that has nothing new asks once an hour.
    pub(crate) fn is_price_due(&self) -> bool {
        let asked = fs::metadata(self.file("unpriced")).and_then(|file| file.modified());
        asked.is_ok_and(|asked| asked.elapsed().is_ok_and(|elapsed| elapsed > PRICE_INTERVAL))
            && !self.unpriced().is_empty()
    }

    /// Records that the server was asked for prices.
    pub(crate) fn set_price_asked(&self) -> Result<(), Error> {
        let path = self.file("unpriced");
        let file = File::options()
            .append(true)
            .open(&path)
            .map_err(Error::file(&path))?;
        file.set_modified(SystemTime::now()).map_err(Error::file(&path))
    }

    /// Records the models that had no price, so that the logs are read again when they have one.
    pub(crate) fn set_unpriced<'a>(&self, models: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let path = self.file("unpriced");
        let text: String = models.map(|model| format!("{model}\n")).collect();
        if text.is_empty() && !path.exists() {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(Error::file(&self.folder))?;
        fs::write(&path, text).map_err(Error::file(&path))
    }

    /// Removes what earlier uploads recorded, so that everything is sent again.
    pub(crate) fn forget(&self) -> Result<(), Error> {
        for part in ["sent", "unpriced", "journal"] {
            let path = self.file(part);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::File { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Journal {
    /// Opens the journal and reads what an earlier run left.
    pub(crate) fn open(state: &UploadState) -> Result<Journal, Error> {
        fs::create_dir_all(&state.folder).map_err(Error::file(&state.folder))?;
        let path = state.file("journal");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::file(&path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::file(&path))?;
        let (acknowledged, valid) = read(&bytes);
        start_at(&mut file, valid).map_err(Error::file(&path))?;
        Ok(Journal {
            file,
            path,
            acknowledged,
        })
    }

    /// What the server has acknowledged in this run and in those that it goes on with.
    pub(crate) fn acknowledged(&self) -> &HashSet<Fingerprint> {
        &self.acknowledged
    }

    /// Records what the server has acknowledged.
    pub(crate) fn append(&mut self, events: &[Fingerprint]) -> Result<(), Error> {
        let Ok(count) = u32::try_from(events.len()) else {
            return Ok(());
        };
        if count == 0 {
            return Ok(());
        }
        let prints: Vec<u8> = events.iter().flat_map(|print| print.0).collect();
        let mut block = Vec::with_capacity(8 + prints.len());
        block.extend(count.to_le_bytes());
        block.extend(crc32fast::hash(&prints).to_le_bytes());
        block.extend(prints);
        self.acknowledged.extend(events);
        self.file.write_all(&block).map_err(Error::file(&self.path))
    }

    /// Removes the journal of a complete run.
    pub(crate) fn remove(self) -> Result<(), Error> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::File {
                path: self.path,
                source,
            }),
            _ => Ok(()),
        }
    }
}

/// Truncates a damaged journal, so that new blocks can be read.
fn start_at(file: &mut File, valid: usize) -> io::Result<()> {
    let end = if valid == 0 {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(HEADER)?;
        HEADER.len()
    } else {
        valid
    };
    let end = u64::try_from(end).map_err(io::Error::other)?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end)).map(drop)
}

/// The fingerprints of a journal, and the number of its valid bytes (0 when the header is wrong).
fn read(bytes: &[u8]) -> (HashSet<Fingerprint>, usize) {
    let mut prints = HashSet::new();
    let Some(mut rest) = bytes.strip_prefix(HEADER.as_slice()) else {
        return (prints, 0);
    };
    while let Some((block, after)) = block(rest) {
        prints.extend(block.as_chunks().0.iter().map(|&bytes| Fingerprint(bytes)));
        rest = after;
    }
    (prints, bytes.len() - rest.len())
}

fn block(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&count, rest) = bytes.split_first_chunk()?;
    let (&sum, rest) = rest.split_first_chunk()?;
    let count = u32::from_le_bytes(count);
    if count > MAX_BLOCK_EVENTS {
        return None;
    }
    let (prints, rest) = rest.split_at_checked(usize::try_from(count).ok()? * 8)?;
    (crc32fast::hash(prints) == u32::from_le_bytes(sum)).then_some((prints, rest))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn state(folder: &Path) -> UploadState {
        UploadState {
            folder: folder.to_owned(),
            name: "a".into(),
        }
    }

    fn prints(range: std::ops::Range<u64>) -> Vec<Fingerprint> {
        range.map(|n| Fingerprint(n.to_le_bytes())).collect()
    }

    fn two_blocks(folder: &Path) -> Vec<u8> {
        let mut journal = Journal::open(&state(folder)).unwrap();
        journal.append(&prints(0..10)).unwrap();
        journal.append(&prints(10..15)).unwrap();
        fs::read(&journal.path).unwrap()
    }

    #[test]
    fn a_killed_run_is_resumed_and_a_complete_one_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        two_blocks(folder.path());
        let journal = Journal::open(&state(folder.path())).unwrap();
        assert_eq!(*journal.acknowledged(), prints(0..15).into_iter().collect());
        journal.remove().unwrap();
        let fresh = Journal::open(&state(folder.path())).unwrap();
        assert!(fresh.acknowledged().is_empty());
    }

    #[tokio::test]
    async fn a_second_upload_waits_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = state(folder.path())
            .lock(|| panic!("nobody else uploads"))
            .await
            .unwrap();
        let (waits, is_waiting) = tokio::sync::oneshot::channel();
        let second = tokio::spawn({
            let state = state(folder.path());
            async move { state.lock(|| waits.send(()).unwrap()).await.unwrap().is_some() }
        });
        is_waiting.await.unwrap();
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap());
    }

    #[test]
    fn a_cut_journal_keeps_its_whole_blocks_and_takes_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let whole = two_blocks(folder.path());
        let path = state(folder.path()).file("journal");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let mut journal = Journal::open(&state(folder.path())).unwrap();
            let known = journal.acknowledged().clone();
            assert!(
                [0, 10].contains(&known.len()),
                "{length} bytes gave {}",
                known.len()
            );
            journal.append(&prints(100..102)).unwrap();
            drop(journal);
            let again = Journal::open(&state(folder.path())).unwrap();
            assert_eq!(again.acknowledged().len(), known.len() + 2);
        }
    }

    #[test]
    fn a_newer_or_foreign_journal_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = state(folder.path()).file("journal");
        for content in [
            &b"thjrnl2\nwhatever"[..],
            b"",
            b"\0\0\0\0\0\0\0\0\0\0",
            b"thjrnl1\n\xFF\xFF\xFF\xFF\0\0\0\0",
        ] {
            fs::write(&path, content).unwrap();
            let journal = Journal::open(&state(folder.path())).unwrap();
            assert!(journal.acknowledged().is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_read_without_a_panic_and_a_flipped_bit_invents_nothing(
            at in 0_usize..144, bit in 0_u8..8, noise in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut bytes = HEADER.to_vec();
            for range in [0..10, 10..15] {
                let body: Vec<u8> = prints(range).iter().flat_map(|print| print.0).collect();
                bytes.extend(u32::try_from(body.len() / 8).unwrap().to_le_bytes());
                bytes.extend(crc32fast::hash(&body).to_le_bytes());
                bytes.extend(body);
            }
            let genuine: HashSet<Fingerprint> = prints(0..15).into_iter().collect();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(read(&bytes).0.is_subset(&genuine));
            let (_, valid) = read(&noise);
            prop_assert!(valid <= noise.len());
        }
    }
}
