//! Reads logs through `sources`, in parallel and in chunks: memory holds the facts and one line per reader, never a file.

use std::{
    io::Read,
    num::NonZeroUsize,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use sources::{Buffer, Collected, FileFacts, LogReader, Options, Prices};

use crate::{
    Environment, compressed,
    find::{self, LogFile},
    mcp_servers, opencode,
    project::Projects,
    report::Problem,
    typed_skills,
};

/// Most files read at a time: more need memory and the disk is no faster.
const MAX_READERS: usize = 8;

/// Reads the logs and joins their facts. `progress` gets the number of bytes of each read. A file that cannot be read is
/// a problem, not an error.
pub(crate) fn collect(
    files: &[LogFile],
    options: &Options,
    prices: &Prices,
    projects: &mut Projects,
    environment: &Environment,
    progress: &(dyn Fn(u64) + Sync),
) -> (Collected, Vec<Problem>) {
    // The largest files first, so that the readers finish at about the same time.
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(files[at].bytes));
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<FileRead, Problem>)>> = Mutex::new(Vec::with_capacity(files.len()));
    let readers = thread::available_parallelism()
        .map_or(2, NonZeroUsize::get)
        .clamp(2, MAX_READERS);
    thread::scope(|scope| {
        for _ in 0..readers.min(files.len()) {
            scope.spawn(|| {
                let mut buffer = Buffer::default();
                while let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let facts = read_file(&files[at], options, &mut buffer, progress);
                    done.lock()
                        .expect("no reader panics while it holds the lock")
                        .push((at, facts));
                }
            });
        }
    });
    let mut done = done
        .into_inner()
        .expect("no reader panics while it holds the lock");
    // The result must not depend on the speed of the readers.
    done.sort_by_key(|(at, _)| *at);
    let mut facts = Vec::with_capacity(done.len());
    let mut problems = Vec::new();
    for (at, result) in done {
        match result {
            Ok((mut file, problem)) => {
                typed_skills::mark(&mut file, &files[at].path);
                facts.push(file);
                problems.extend(problem);
            }
            Err(problem) => problems.push(problem),
        }
    }
    mcp_servers::name_tools(&mut facts, files, environment);
    (sources::join_shared(facts, prices, projects), problems)
}

/// The facts of a file, and what they lack.
type FileRead = (FileFacts, Option<Problem>);

fn read_file(
    log: &LogFile,
    options: &Options,
    buffer: &mut Buffer,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<FileRead, Problem> {
    let unreadable = |error: std::io::Error| Problem::of_file(&log.path, "unreadable", &error.to_string());
    let mut file = find::open(&log.path).map_err(unreadable)?;
    let mut reader = LogReader::new(&log.path.to_string_lossy(), log.agent, options);
    if let Some(directory) = &log.directory {
        reader = reader.in_directory(directory);
    }
    buffer.clear();
    if compressed::is_compressed(&log.path) {
        return Ok(compressed::read(&log.path, file, reader, buffer, progress));
    }
    let mut is_begin = true;
    loop {
        let space = buffer.space();
        match file.read(space) {
            Ok(0) => {
                buffer.finish(&mut reader);
                return Ok((reader.finish(), None));
            }
            Ok(bytes) => {
                if std::mem::take(&mut is_begin) && opencode::is_database(&space[..bytes]) {
                    progress(log.bytes);
                    return opencode::read(log, options);
                }
                buffer.feed(bytes, &mut reader);
                progress(bytes as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}
