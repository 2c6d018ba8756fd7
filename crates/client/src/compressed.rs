//! Logs that are compressed: Codex turns older rollouts into `.jsonl.zst`, and people keep logs as `.jsonl.gz`. They are
//! decompressed as they are read, so that memory holds a window and one line, never the file.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;
use sources::{Buffer, FileFacts, LogReader};
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
    name(path).is_some_and(|name| name.ends_with(".jsonl.zst") || name.ends_with(".jsonl.gz"))
}

/// True for the name of a file that must be unpacked before it can be read.
pub(crate) fn is_archive(path: &Path) -> bool {
    const ENDS: [&str; 9] = [".gz", ".tgz", ".zst", ".bz2", ".xz", ".zip", ".7z", ".tar", ".br"];
    name(path).is_some_and(|name| ENDS.iter().any(|end| name.to_ascii_lowercase().ends_with(end)))
}

fn name(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}

/// Reads a compressed log. What comes before a damaged place counts; the damage is a problem.
pub(crate) fn read(
    path: &Path,
    file: File,
    mut reader: LogReader,
    buffer: &mut Buffer,
    read: &(dyn Fn(u64) + Sync),
) -> (FileFacts, Option<Problem>) {
    let file = Counted { file, read };
    let feed = || -> io::Result<()> {
        let mut decoder: Box<dyn Read> = if name(path).is_some_and(|name| name.ends_with(".gz")) {
            // Several members one after the other are one file, as for gzip itself.
            Box::new(MultiGzDecoder::new(file))
        } else {
            let mut decoder = Decoder::new(file)?;
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            Box::new(decoder)
        };
        loop {
            match decoder.read(buffer.space()) {
                Ok(0) => return Ok(()),
                Ok(bytes) => buffer.feed(bytes, &mut reader),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    let problem = feed().err().map(|error| {
        let detail = format!("{error}; what comes before was read");
        Problem::of_file(path, "unreadable", &detail)
    });
    buffer.finish(&mut reader);
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
        read_named("rollout-x.jsonl.zst", bytes)
    }

    fn read_named(name: &str, bytes: &[u8]) -> (usize, Option<Problem>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let reader = LogReader::new(name, None, &Options::default());
        let told = AtomicU64::new(0);
        let count = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        let file = File::open(&path).unwrap();
        let (facts, problem) = read(&path, file, reader, &mut Buffer::default(), &count);
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
    fn a_log_that_gzip_compressed_is_read_to_its_last_member() {
        let members = [rollout(300), rollout(0)].map(|text| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            io::Write::write_all(&mut encoder, &text).unwrap();
            encoder.finish().unwrap()
        });
        let file = members.concat();
        let (events, problem, told) = read_named("rollout-x.jsonl.gz", &file);
        assert_eq!((events, problem, told), (300, None, file.len() as u64));
        let (events, problem, _) = read_named("rollout-x.jsonl.gz", &members[0][..members[0].len() / 2]);
        assert!(events < 300 && problem.is_some(), "{events}");
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
