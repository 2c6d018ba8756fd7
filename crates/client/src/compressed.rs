//! Logs that their agent has compressed: Codex turns older rollouts into `.jsonl.zst`. They are decompressed as they
//! are read, so that memory holds a window and one line, never the file.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sources::{FileFacts, LogReader};
use zstd::stream::read::Decoder;

use crate::report::Problem;

/// Greatest window of a frame, as a power of two: 128 MiB, what the format's own tools accept.
const MAX_WINDOW_LOG: u32 = 27;

/// A file that tells how many of its bytes were read: progress is measured against its size, not against what is in it.
struct Counted<'a> {
    file: File,
    read: &'a (dyn Fn(u64) + Sync),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        (self.read)(bytes as u64);
        Ok(bytes)
    }
}

/// True for the name of a compressed log.
pub(crate) fn is_compressed(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.ends_with(".jsonl.zst"))
}

/// Reads a compressed log. What comes before a damaged place counts; the damage is a problem.
pub(crate) fn read(
    path: &Path,
    file: File,
    mut reader: LogReader,
    chunk: &mut [u8],
    read: &(dyn Fn(u64) + Sync),
) -> (FileFacts, Option<Problem>) {
    let feed = || -> io::Result<()> {
        let mut decoder = Decoder::new(Counted { file, read })?;
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        loop {
            match decoder.read(chunk) {
                Ok(0) => return Ok(()),
                Ok(bytes) => reader.feed(&chunk[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    let problem = feed().err().map(|error| {
        let detail = format!("{error}; what comes before was read");
        Problem::of_file(path, "unreadable", &detail)
    });
    (reader.finish(), problem)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use sources::{Options, Prices};

    use super::*;

    fn rollout(calls: usize) -> Vec<u8> {
        let mut text =
            br#"{"timestamp":"2026-08-02T03:00:00.000Z","type":"session_meta","payload":{"id":"s"}}"#
                .to_vec();
        for call in 0..calls {
            let line = format!(
                "\n{{\"timestamp\":\"2026-08-02T03:00:01.000Z\",\"type\":\"response_item\",\"payload\":{{\"type\":\"function_call\",\"name\":\"shell\",\"call_id\":\"call_{call:x}f{}\"}}}}",
                call * 7919
            );
            text.extend_from_slice(line.as_bytes());
        }
        text.push(b'\n');
        text
    }

    /// Events, the problem, and the bytes that were told to be read.
    fn read_bytes(bytes: &[u8]) -> (usize, Option<Problem>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollout-x.jsonl.zst");
        std::fs::write(&path, bytes).unwrap();
        let reader = LogReader::new("rollout-x.jsonl.zst", None, &Options::default());
        let told = AtomicU64::new(0);
        let count = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        let file = File::open(&path).unwrap();
        let (facts, problem) = read(&path, file, reader, &mut [0; 4_096], &count);
        let events = sources::join(vec![facts], &Prices::builtin(), &mut |_| None)
            .events()
            .len();
        (events, problem, told.into_inner())
    }

    #[test]
    fn a_compressed_rollout_is_read_frame_by_frame_and_its_own_bytes_are_told() {
        let (first, second) = (rollout(300), rollout(0));
        let frames = [first, second].map(|text| zstd::encode_all(&text[..], 3).unwrap());
        let file = frames.concat();
        let (events, problem, told) = read_bytes(&file);
        assert_eq!((events, problem, told), (300, None, file.len() as u64));
    }

    #[test]
    fn what_comes_before_a_damaged_place_counts() {
        let whole = zstd::encode_all(&rollout(50_000)[..], 3).unwrap();
        let (events, problem, _) = read_bytes(&whole[..whole.len() / 2]);
        assert!(events > 1_000 && events < 50_000, "{events}");
        assert_eq!(problem.expect("the damage is told").code, "unreadable");
        let (events, problem, _) = read_bytes(b"not compressed at all");
        assert!(events == 0 && problem.is_some());
    }
}
