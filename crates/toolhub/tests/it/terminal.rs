//! What a person sees on a terminal: tables that fit, colors, and no token that is echoed.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use rustix::{
    fs::{Mode, OFlags},
    pty,
    termios::{Winsize, tcsetwinsize},
};

use crate::machine::{Machine, three_calls};

/// A terminal: the side of the person, and that of the program.
fn terminal(columns: u16) -> (OwnedFd, OwnedFd) {
    let person = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&person).unwrap();
    pty::unlockpt(&person).unwrap();
    let size = Winsize {
        ws_row: 50,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&person, size).unwrap();
    let name = pty::ptsname(&person, Vec::new()).unwrap();
    let program = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (person, program)
}

/// What a command that succeeds prints on a terminal, and what it notes beside that.
#[track_caller]
fn shown(mut command: Command, columns: u16) -> (String, String) {
    let (person, program) = terminal(columns);
    let mut child = command.stdout(program).stderr(Stdio::piped()).spawn().unwrap();
    // Its copy of the program's side must be closed, or the terminal never ends.
    drop(command);
    let mut text = Vec::new();
    // The end of a terminal is an error (EIO).
    let _ = File::from(person).read_to_end(&mut text);
    let mut notes = String::new();
    child.stderr.take().unwrap().read_to_string(&mut notes).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{notes}");
    (String::from_utf8(text).unwrap(), notes)
}

/// A text without its colors.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        plain + part.split_once('m').map_or("", |(_, rest)| rest)
    })
}

#[test]
fn a_table_fits_the_terminal_and_wide_and_a_pipe_have_every_column() {
    let machine = Machine::new();
    for columns in [80, 100, 120] {
        let (table, note) = shown(machine.command(&["prices"]), columns);
        for line in plain(&table).lines() {
            assert!(
                line.trim_end().chars().count() <= usize::from(columns),
                "{line:?}"
            );
        }
        assert_eq!(
            note.contains("--wide also shows: "),
            !table.contains("write 1 h"),
            "{note}"
        );
    }
    let (narrow, _) = shown(machine.command(&["prices"]), 60);
    assert!(!narrow.contains("write 1 h"), "{narrow}");
    let (wide, note) = shown(machine.command(&["prices", "--wide"]), 60);
    assert!(wide.contains("write 1 h") && !note.contains("--wide"), "{note}");
    let piped = machine.run(&["prices"]);
    assert!(
        piped.stdout.contains("write 1 h") && !piped.stderr.contains("--wide"),
        "{piped:?}"
    );
}

#[test]
fn outcomes_are_colored_on_a_terminal_and_neither_in_a_pipe_nor_with_no_color() {
    let machine = Machine::new();
    machine.log("home", "s1", &three_calls("s1"));
    let server = machine.serve();
    machine.json(&["upload", "--wait"]);
    let (table, _) = shown(machine.command(&["events"]), 100);
    let (red, green) = ("\u{1b}[38;5;9m", "\u{1b}[38;5;10m");
    assert!(table.contains(red) && table.contains(green), "{table:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut command = machine.command(&["events"]);
        command.env(name, value);
        let (table, _) = shown(command, 100);
        assert!(
            !table.contains('\u{1b}') && table.contains("failure"),
            "{name}: {table:?}"
        );
    }
    assert!(!machine.run(&["events"]).stdout.contains('\u{1b}'));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_invitation_on_a_terminal_is_the_whole_line_to_paste() {
    let machine = Machine::new();
    let server = machine.serve_with(&["--public-url", "https://toolhub.example"]);
    let (said, note) = shown(machine.command(&["members", "add", "bob", "--invite"]), 80);
    assert!(
        note.contains("Send `bob` this line") && !note.contains("this machine"),
        "{note}"
    );
    let token = said.split(' ').nth(1).unwrap();
    assert!(model::token::Token::parse(token).is_ok(), "{said}");
    let line = format!("echo {token} | toolhub login --with-token --url https://toolhub.example");
    assert_eq!(said.trim_end(), line);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_token_that_is_pasted_is_not_shown() {
    let machine = Machine::new();
    let (person, program) = terminal(80);
    let token = model::token::Token::from_random(&[7; 64]).unwrap();
    let mut command = machine.command(&["login", "--with-token", "--url", "http://127.0.0.1:1"]);
    let mut child = command
        .stdin(program.try_clone().unwrap())
        .stdout(program)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(command);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut prompt = String::new();
    stderr.read_line(&mut prompt).unwrap();
    assert!(prompt.contains("not shown"), "{prompt}");
    let mut person = File::from(person);
    writeln!(person, "{}", token.reveal()).unwrap();
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75), "{said}");
    let mut shown = Vec::new();
    let _ = person.read_to_end(&mut shown);
    let shown = String::from_utf8_lossy(&shown);
    assert!(
        !shown.contains(token.reveal()) && !said.contains(token.reveal()),
        "{shown}"
    );
}
