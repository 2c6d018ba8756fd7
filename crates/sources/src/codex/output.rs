//! The result of a call: Codex's report about it, and below that the output of the tool itself.

use std::borrow::Cow;

use crate::json::{Index, Raw, Str};

/// How many bytes of a result are read: enough for a report with a long command in it.
const HEAD: usize = 1_024;

/// How many bytes of a refusal are read: its reason comes after the command.
const REFUSAL: usize = 64 * 1_024;

/// A parsed result.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Output {
    /// It begins with a report. Otherwise all of it is in `body`.
    pub(crate) reported: bool,
    pub(crate) exit_code: Option<i64>,
    /// The exit code of a second report below the first: `apply_patch` run as a command writes its own.
    pub(crate) inner_exit_code: Option<i64>,
    pub(crate) seconds: Option<f64>,
    /// The command continues in a session of its own.
    pub(crate) runs_on: bool,
    /// How a script of code mode ended.
    pub(crate) script_failed: bool,
    /// The beginning of what is below the report.
    pub(crate) body: String,
}

impl Output {
    pub(crate) fn of(output: Option<Raw<'_>>) -> Output {
        let Some(output) = output else {
            return Output::default();
        };
        let Some(text) = output.as_str() else {
            let [first, second] = first_texts(output);
            let mut read = Output::reported_in(&first);
            if read.body.trim().is_empty() {
                read.body = second;
            }
            return read;
        };
        if text.0.starts_with(b"{")
            && let Some(wrapped) = Output::wrapped(text)
        {
            return wrapped;
        }
        let head = text.head(HEAD);
        let head = if is_refusal_of_command(&head) {
            text.head(REFUSAL)
        } else {
            head
        };
        Output::reported_in(&head)
    }

    /// `{output, metadata: {exit_code, duration_seconds}}`: the format of results in the first versions.
    fn wrapped(text: Str<'_>) -> Option<Output> {
        let text = text.text();
        let mut read = Output::default();
        let mut inner = None;
        Index::default()
            .of(text.as_bytes())
            .object(|cursor, key| {
                match key {
                    b"output" => inner = cursor.string()?.map(|text| text.head(HEAD).into_owned()),
                    b"metadata" => cursor.object(|cursor, key| {
                        match key {
                            b"exit_code" => {
                                read.exit_code = cursor.number()?.map(|code| i64::from(code != 0.0));
                                read.reported |= read.exit_code.is_some();
                            }
                            b"duration_seconds" => read.seconds = cursor.number()?,
                            _ => cursor.skip()?,
                        }
                        Ok(())
                    })?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })
            .ok()?;
        read.body = inner.filter(|_| read.reported)?;
        Some(read)
    }

    /// Reads the lines of a report down to `Output:`, or to the first line that is no part of one.
    fn reported_in(text: &str) -> Output {
        let mut read = Output::default();
        let mut rest = text;
        let mut in_command = false;
        while !rest.is_empty() {
            let (line, below) = rest.split_once('\n').unwrap_or((rest, ""));
            if read.reported && line.trim_end() == "Output:" {
                rest = below;
                break;
            }
            match read.report_line(line) {
                true => in_command = line.starts_with("Command: "),
                false if in_command => {}
                false => break,
            }
            rest = below;
        }
        read.body = rest.to_owned();
        if read.reported && read.exit_code.is_none() && !read.runs_on {
            read.inner_exit_code = number_after(&read.body, "Exit code: ");
        }
        read
    }

    fn report_line(&mut self, line: &str) -> bool {
        const SILENT: [&str; 5] = [
            "Chunk ID: ",
            "Command: ",
            "Original token count: ",
            "Total output lines: ",
            "Script running with cell ID ",
        ];
        if let Some(code) =
            number_after(line, "Process exited with code ").or_else(|| number_after(line, "Exit code: "))
        {
            self.exit_code = Some(code);
        } else if let Some(seconds) = line
            .strip_prefix("Wall time: ")
            .or_else(|| line.strip_prefix("Wall time "))
        {
            self.seconds = seconds.split(' ').next().and_then(|seconds| seconds.parse().ok());
        } else if line.starts_with("Process running with session") {
            self.runs_on = true;
        } else if line.starts_with("Script failed") {
            self.script_failed = true;
        } else if !(SILENT.iter().any(|label| line.starts_with(label))
            || matches!(line, "Script completed" | "Script terminated"))
        {
            return false;
        }
        self.runs_on |= line.starts_with("Script running with cell ID ");
        self.reported = true;
        true
    }
}

fn number_after(text: &str, label: &str) -> Option<i64> {
    let rest = text.strip_prefix(label)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '-')
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// `` `<command>` rejected: … `` and `` <tool> failed for `<command>`: … ``.
fn is_refusal_of_command(head: &str) -> bool {
    let head = head.trim_start();
    head.starts_with('`')
        || head
            .split_once(' ')
            .is_some_and(|(_, rest)| rest.starts_with("failed for `"))
}

/// The first two texts of a list of parts.
fn first_texts(parts: Raw<'_>) -> [String; 2] {
    let mut texts = [const { String::new() }; 2];
    let mut count = 0;
    // The line has been walked before, so the value is whole.
    let _ = parts.cursor().array(|cursor| {
        cursor.object(|cursor, key| {
            match key {
                b"text" if count < 2 => {
                    let text = cursor.string()?.map(|text| text.head(HEAD));
                    texts[count] = text.map(Cow::into_owned).unwrap_or_default();
                    count += 1;
                }
                _ => cursor.skip()?,
            }
            Ok(())
        })
    });
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &serde_json::Value) -> Output {
        let json = output.to_string();
        let mut index = Index::default();
        let raw = index.of(json.as_bytes()).raw().unwrap();
        Output::of(Some(raw))
    }

    #[test]
    fn a_report_ends_where_the_output_of_the_command_begins() {
        let output = read(
            &"Chunk ID: a\nWall time: 0.5 seconds\nProcess exited with code 0\nOutput:\nExit code: 7".into(),
        );
        assert_eq!(
            (output.exit_code, output.seconds, &*output.body),
            (Some(0), Some(0.5), "Exit code: 7")
        );
        let plain = read(&"log\nExit code: 7".into());
        assert_eq!(
            (plain.reported, plain.exit_code, &*plain.body),
            (false, None, "log\nExit code: 7")
        );
        let command = read(
            &"Command: cat <<X\nExit code 9\nX\nChunk ID: b\nWall time: 1 seconds\nProcess exited with code 3\nOutput:\n"
                .into(),
        );
        assert_eq!(command.exit_code, Some(3));
    }

    #[test]
    fn the_wrapped_results_of_first_versions_and_lists_of_parts_are_reports() {
        let wrapped = read(&r#"{"output":"x","metadata":{"exit_code":2,"duration_seconds":0.25}}"#.into());
        assert_eq!((wrapped.exit_code, wrapped.seconds), (Some(1), Some(0.25)));
        let other = read(&r#"{"output":"x"}"#.into());
        assert_eq!((other.reported, &*other.body), (false, r#"{"output":"x"}"#));
        let parts = read(&serde_json::json!([
            {"type": "input_text", "text": "Wall time: 0.1 seconds\nOutput:"},
            {"type": "input_text", "text": "err: no"}
        ]));
        assert_eq!((parts.reported, &*parts.body), (true, "err: no"));
        let script = read(
            &serde_json::json!([{"type": "input_text", "text": "Script failed\nWall time 0.1 seconds\nOutput:\n"}]),
        );
        assert!(script.script_failed && script.seconds == Some(0.1));
    }

    #[test]
    fn a_patch_run_as_a_command_reports_below_the_command() {
        let output =
            read(&"Wall time: 0.0 seconds\nOutput:\nExit code: 1\nWall time: 0 seconds\nOutput:\nno".into());
        assert_eq!((output.exit_code, output.inner_exit_code), (None, Some(1)));
    }
}
