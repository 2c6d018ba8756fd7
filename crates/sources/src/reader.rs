//! Reads the bytes of one file into facts: splits lines, recognises the format, and handles lines that are not JSON.

mod buffer;
mod encoding;

pub use self::buffer::Buffer;
use self::encoding::Encoding;
use crate::{
    Agent, Options, amp, claude, cline, codex, copilot, droid,
    facts::FileFacts,
    gemini,
    json::{Cursor, Index, Malformed},
    kimi, opencode, pi,
    problem::ProblemCode,
    qwen, roo, shape,
    strings::Sym,
    vscode,
};

/// Longest line that is read, in bytes; also the maximum size of a file that is one JSON value. Nothing longer is kept
/// in memory.
pub const LINE_BYTES: usize = 64 * 1024 * 1024;

/// Minimum number of bytes that may be searched for the records of one damaged line.
const SALVAGE_BYTES: usize = 64 * 1024 * 1024;

/// Reads one file, in chunks of any size. Keeps at most one line (or one whole-file value) beside the facts.
#[derive(Debug)]
pub struct LogReader {
    facts: FileFacts,
    options: Options,
    /// The agent that the caller named: only its format is read.
    only: Option<Agent>,
    /// The working directory of records that name none.
    directory: Option<Sym>,
    format: Format,
    encoding: Encoding,
    index: Index,
    /// The beginning of a line whose end has not come yet, or the whole file of a document.
    pending: Vec<u8>,
    /// The line being read is too long; its rest is dropped.
    dropping: bool,
    /// The file is one that an agent keeps next to its transcripts: it contains no call, and is no problem.
    no_transcript: bool,
}

/// How the lines of the file are read.
#[derive(Debug)]
enum Format {
    /// No line was recognised yet.
    Unknown,
    Claude(claude::Reader),
    Codex(codex::Reader),
    Copilot(copilot::Reader),
    Gemini(Box<gemini::Reader>),
    Qwen(qwen::Reader),
    Pi(pi::Reader),
    Kimi(Box<kimi::Reader>),
    VsCode(Box<vscode::Reader>),
    Droid(droid::Reader),
    /// The file is one JSON value over many lines.
    Document,
}

impl LogReader {
    /// A reader for one file. `file` names it in problems; `agent` restricts it to one agent's format, otherwise the
    /// format is recognised by the shape of the records, never by the name of the file.
    pub fn new(file: &str, agent: Option<Agent>, options: &Options) -> LogReader {
        LogReader {
            facts: FileFacts::new(file),
            options: *options,
            only: agent,
            directory: None,
            format: Format::Unknown,
            encoding: Encoding::Unknown(None),
            index: Index::default(),
            pending: Vec::new(),
            dropping: false,
            no_transcript: false,
        }
    }

    /// Sets the working directory of records that name none, where the caller knows it: Gemini CLI stores it next to
    /// its chats.
    pub fn in_directory(mut self, directory: &str) -> LogReader {
        self.directory = self.facts.clean_name(directory);
        self
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.facts.bytes += chunk.len() as u64;
        let (before, chunk) = self.encoding.detect(chunk);
        match &mut self.encoding {
            Encoding::Utf16(decoder) => {
                let text = decoder.decode(chunk);
                self.text(text.as_bytes());
            }
            Encoding::Utf8 => {
                if let Some(byte) = before {
                    self.text(&[byte]);
                }
                self.text(chunk);
            }
            Encoding::Unknown(_) => {}
        }
    }

    /// Takes the next bytes of the text.
    fn text(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !matches!(self.format, Format::Document)
            && let Some(end) = memchr::memchr(b'\n', rest)
        {
            self.facts.line += 1;
            if self.pending.is_empty() && !self.dropping {
                self.line(&rest[..end]);
            } else {
                self.keep(&rest[..end]);
                let mut line = std::mem::take(&mut self.pending);
                if std::mem::take(&mut self.dropping) {
                    self.too_large();
                } else {
                    self.line(&line);
                }
                if self.pending.is_empty() {
                    line.clear();
                    self.pending = line;
                }
            }
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    /// The facts of the whole file. A last line without a line end that is not JSON is half-written: it is counted
    /// as unfinished and read the next time.
    pub fn finish(mut self) -> FileFacts {
        match &self.encoding {
            Encoding::Utf16(decoder) if decoder.is_cut() => self.keep("\u{FFFD}".as_bytes()),
            Encoding::Unknown(Some(byte)) => {
                let byte = *byte;
                self.keep(&[byte]);
            }
            _ => {}
        }
        let rest = std::mem::take(&mut self.pending);
        if self.dropping {
            self.facts.line += 1;
            self.too_large();
        } else if matches!(self.format, Format::Document) {
            self.facts.lines = memchr::memchr_iter(b'\n', &rest).count() as u64 + 1;
            self.facts.line = 0;
            self.document(&rest);
        } else if !trim(&rest, self.facts.line).is_empty() {
            self.facts.line += 1;
            let line = trim(&rest, self.facts.line - 1);
            self.facts.lines += 1;
            // The complete records before the unfinished part are read now.
            if self.record(line).is_err() && self.salvage(line) == 0 {
                self.facts.lines -= 1;
                self.facts.unfinished_lines = 1;
            }
        }
        self.facts.line = 0;
        match &mut self.format {
            Format::Kimi(reader) => reader.finish(&mut self.facts),
            Format::VsCode(reader) => reader.finish(&mut self.facts),
            _ => {}
        }
        if self.facts.agent.is_none() && self.facts.lines > 0 && !self.no_transcript {
            let wanted = self.only.map_or_else(String::new, |agent| format!(" of {agent}"));
            let detail = format!("no line is a record{wanted} that is known; nothing was read from the file");
            self.facts.problem(ProblemCode::UnknownFormat, detail);
        }
        self.facts.shrink();
        self.facts
    }

    /// Keeps the beginning of a line, or more of a document, unless it gets too long.
    fn keep(&mut self, bytes: &[u8]) {
        if self.dropping {
            return;
        }
        if self.pending.len() + bytes.len() > LINE_BYTES {
            self.dropping = true;
            self.pending = Vec::new();
        } else {
            self.pending.extend_from_slice(bytes);
        }
    }

    fn too_large(&mut self) {
        self.facts.lines += 1;
        let detail = format!("longer than {} MiB; it was skipped", LINE_BYTES / (1024 * 1024));
        self.facts.problem(ProblemCode::TooLarge, detail);
    }

    /// Reads a line that has its end.
    fn line(&mut self, line: &[u8]) {
        let text = trim(line, self.facts.line - 1);
        if matches!(self.format, Format::Unknown) && matches!(text, b"{" | b"[") {
            self.format = Format::Document;
            self.pending = line.to_vec();
            self.pending.push(b'\n');
            return;
        }
        if text.is_empty() {
            return;
        }
        self.facts.lines += 1;
        if let Err(malformed) = self.record(text) {
            let detail = match self.salvage(text) {
                0 => explain(malformed),
                1 => "the line is damaged; the one complete record on it was read".to_owned(),
                read => format!("the line is damaged; the {read} complete records on it were read"),
            };
            self.facts.problem(ProblemCode::InvalidJson, detail);
        }
    }

    /// Reads every complete record of a line that is not exactly one, and returns how many there were: two programs
    /// wrote at once, one was stopped in the middle of a line, or a crash left NUL bytes.
    ///
    /// A record is an object that neither `,` nor a closing bracket follows: those follow the values inside of a
    /// record that was cut.
    fn salvage(&mut self, line: &[u8]) -> u64 {
        let (mut read, mut at) = (0, 0);
        // Every possible start of an object requires a scan of the rest of the line: a hostile line has many.
        let mut work = SALVAGE_BYTES.max(8 * line.len());
        while let Some(next) = memchr::memmem::find(&line[at..], b"{\"") {
            at += next;
            let rest = &line[at..];
            let Some(left) = work.checked_sub(rest.len()) else {
                break;
            };
            work = left;
            let mut cursor = self.index.of(rest);
            if cursor.skip().is_err() {
                at += 1;
                continue;
            }
            let length = cursor.position();
            let follows = rest[length..].iter().find(|byte| !byte.is_ascii_whitespace());
            let whole = !matches!(follows, Some(b',' | b']' | b'}'));
            let record = &rest[..length];
            if whole && (at == 0 || self.is_record(record)) && self.record(record).is_ok() {
                read += 1;
                at += length;
            } else {
                at += 1;
            }
        }
        read
    }

    /// True for an object that is a record of its own, not the last value inside of one that was cut.
    fn is_record(&mut self, object: &[u8]) -> bool {
        let Ok(agent) = shape::recognise(self.index.of(object)) else {
            return false;
        };
        match (agent, self.facts.agent) {
            (Some(agent), known) => known.is_none_or(|known| known == agent),
            // Not every one of these records identifies its agent.
            (None, Some(Agent::ClaudeCode | Agent::Codex | Agent::CopilotCli) | None) => false,
            (None, Some(Agent::VsCodeCopilot)) => shape::is_change(self.index.of(object)),
            (None, Some(_)) => shape::has_type(self.index.of(object)),
        }
    }

    /// Reads the one record of a line, blanks around it left out.
    fn record(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let mut cursor = self.index.of(line);
        if let Some(only) = self.only.filter(|_| line.starts_with(b"["))
            && let Some(read) = messages(cursor, only, &self.options, &mut self.facts)
        {
            return read;
        }
        if !line.starts_with(b"{") {
            cursor.skip()?;
            cursor.end()?;
            self.facts.problem(
                ProblemCode::NotAnObject,
                "the line is JSON but not an object; it was skipped",
            );
            return Ok(());
        }
        if matches!(self.format, Format::Unknown) {
            let agent = shape::recognise(cursor)?.filter(|agent| self.only.is_none_or(|only| only == *agent));
            let Some(agent) = agent else {
                self.no_transcript |= shape::is_journal(cursor);
                self.facts.ignore(None, None);
                return Ok(());
            };
            self.facts.agent = Some(agent);
            match agent {
                Agent::ClaudeCode => self.format = Format::Claude(claude::Reader::new(&self.options)),
                Agent::Codex => self.format = Format::Codex(codex::Reader::new(&self.options)),
                Agent::CopilotCli => self.format = Format::Copilot(copilot::Reader::new(&self.options)),
                Agent::OpenCode => return opencode::document(cursor, &self.options, &mut self.facts),
                Agent::GeminiCli => {
                    let reader = gemini::Reader::new(&self.options, self.directory);
                    self.format = Format::Gemini(Box::new(reader));
                }
                Agent::QwenCode => self.format = Format::Qwen(qwen::Reader::new(&self.options)),
                Agent::Pi => self.format = Format::Pi(pi::Reader::new(&self.options)),
                Agent::KimiCli => {
                    let path = self.facts.file.clone();
                    let reader = kimi::Reader::new(&self.options, &path, &mut self.facts);
                    self.format = Format::Kimi(Box::new(reader));
                }
                Agent::Droid => self.format = Format::Droid(droid::Reader::new(&self.options)),
                Agent::Cline => {
                    return cline::session(cursor, &self.options, self.directory, &mut self.facts);
                }
                Agent::Amp => return amp::document(cursor, &self.options, &mut self.facts),
                Agent::VsCodeCopilot => {
                    let reader = vscode::Reader::new(&self.options, self.directory);
                    self.format = Format::VsCode(Box::new(reader));
                }
                // No record identifies these agents: their files are documents, or a database.
                Agent::RooCode | Agent::KiloCode | Agent::Cursor => {}
            }
        }
        match &mut self.format {
            Format::Claude(reader) => reader.line(cursor, &mut self.facts),
            Format::Codex(reader) => reader.line(cursor, &mut self.facts),
            Format::Copilot(reader) => reader.line(cursor, &mut self.facts),
            Format::Gemini(reader) => reader.record(cursor, &mut self.facts),
            Format::Qwen(reader) => reader.line(cursor, &mut self.facts),
            Format::Pi(reader) => reader.line(cursor, &mut self.facts),
            Format::Kimi(reader) => reader.line(cursor, &mut self.facts),
            Format::Droid(reader) => reader.line(cursor, &mut self.facts),
            Format::VsCode(reader) => reader.line(cursor, &mut self.facts),
            Format::Unknown | Format::Document => Ok(()),
        }
    }

    /// Reads a file that is one value over many lines.
    fn document(&mut self, document: &[u8]) {
        let document = trim(document, 0);
        let cursor = self.index.of(document);
        let read = shape::recognise(cursor).and_then(|agent| {
            if let Some(only) = self.only.filter(|_| document.starts_with(b"["))
                && let Some(read) = messages(cursor, only, &self.options, &mut self.facts)
            {
                return read;
            }
            let agent = agent.filter(|agent| self.only.is_none_or(|only| only == *agent));
            self.facts.agent = agent;
            match agent {
                Some(Agent::OpenCode) => opencode::document(cursor, &self.options, &mut self.facts),
                Some(Agent::Cline) => cline::session(cursor, &self.options, self.directory, &mut self.facts),
                Some(Agent::Amp) => amp::document(cursor, &self.options, &mut self.facts),
                Some(Agent::VsCodeCopilot) => {
                    let mut reader = vscode::Reader::new(&self.options, self.directory);
                    reader.session(cursor, &mut self.facts)?;
                    reader.finish(&mut self.facts);
                    Ok(())
                }
                Some(Agent::GeminiCli) => {
                    gemini::Reader::new(&self.options, self.directory).record(cursor, &mut self.facts)
                }
                Some(Agent::Codex) => codex::Reader::new(&self.options).document(cursor, &mut self.facts),
                _ => Ok(()),
            }
        });
        match read {
            Ok(()) => {}
            // The program that writes it has not finished.
            Err(Malformed::Incomplete) => {
                self.facts.unfinished_lines = 1;
                self.facts.lines = 0;
            }
            Err(malformed) => self.facts.problem(ProblemCode::InvalidJson, explain(malformed)),
        }
    }
}

/// Reads an array of messages, which only the place of the file identifies; `None` for agents that write none.
fn messages(
    array: Cursor<'_>,
    agent: Agent,
    options: &Options,
    facts: &mut FileFacts,
) -> Option<Result<(), Malformed>> {
    match agent {
        Agent::RooCode | Agent::KiloCode => Some(roo::document(array, agent, options, facts)),
        Agent::Cline => Some(cline::task(array, options, facts)),
        _ => None,
    }
}

/// A line without the blanks around it and, if it is the first, without a byte order mark.
fn trim(line: &[u8], lines_before: u64) -> &[u8] {
    let line = if lines_before == 0 {
        line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
    } else {
        line
    };
    line.trim_ascii()
}

fn explain(malformed: Malformed) -> String {
    match malformed {
        Malformed::Incomplete => "not JSON: it ends in the middle; the line was skipped".to_owned(),
        Malformed::Syntax(at) => format!("not JSON at byte {}; the line was skipped", at + 1),
        Malformed::Trailing(at) => {
            format!(
                "more than one JSON value: another begins at byte {}; the line was skipped",
                at + 1
            )
        }
    }
}
