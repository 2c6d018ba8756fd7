//! `login`, `logout`, `whoami`: tokens of several servers side by side, in a file that only its owner can read.

use std::{fs, os::unix::fs::PermissionsExt};

use model::token::{PREFIX, Token};
use serde_json::json;

use crate::machine::{Ended, Machine, Person};

fn mode(of: &Person<'_>) -> u32 {
    fs::metadata(of.credentials()).unwrap().permissions().mode() & 0o777
}

/// Nothing that was said holds a token.
#[track_caller]
fn assert_silent(ended: &Ended) {
    assert!(
        !ended.stdout.contains(PREFIX) && !ended.stderr.replace("`thb_`", "").contains(PREFIX),
        "{ended:?}"
    );
}

#[test]
fn servers_stand_side_by_side_and_the_last_login_is_the_default() {
    let machine = Machine::new();
    let server = machine.serve();
    let other = Machine::new();
    let second = other.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    ann.said(&["members", "add", "bob"]);
    other.person("home").said(&["members", "add", "bobby"]);
    let here = ann.said(&["tokens", "create", "here", "--member", "bob"]);
    let there = other
        .person("home")
        .said(&["tokens", "create", "there", "--member", "bobby"]);

    let first = bob.login(&server.url, &format!("  {here}\r\n"));
    first.assert_said(
        0,
        &[
            &server.url,
            "bob",
            "home",
            "the token expires on",
            "credentials.toml",
        ],
    );
    assert_silent(&first);
    assert_eq!(mode(&bob), 0o600);
    assert_silent(&bob.login(&second.url, &there));
    assert_eq!(mode(&bob), 0o600);
    assert_eq!(
        bob.json(&["whoami"])["member"],
        "bobby",
        "the last login is the default"
    );
    assert_eq!(
        bob.json(&["whoami", "--url", &format!("{}/", server.url)])["member"],
        "bob"
    );
    let whoami = bob.run(&["whoami"]);
    for shown in ["home", "bobby", "member", "upload,read", "there"] {
        assert!(whoami.stdout.contains(shown), "{shown}: {}", whoami.stdout);
    }
    assert_silent(&whoami);
    // A token is for its own server: the other one does not get it.
    let wrong = bob.login(&server.url, &there);
    wrong.assert_said(4, &["unknown, expired or revoked"]);
    assert_eq!(
        bob.json(&["whoami", "--url", &server.url])["member"],
        "bob",
        "what was kept is kept"
    );

    // Who logs out of one stays logged in to the other, and the token is worth nothing any more.
    let out = bob.run(&["logout"]);
    out.assert_said(0, &["Logged out of", &second.url]);
    assert_silent(&out);
    bob.run(&["whoami", "--url", &second.url, "--token", &there])
        .assert_said(4, &["unknown, expired or revoked"]);
    bob.run(&["whoami", "--url", &second.url])
        .assert_said(4, &["no credentials", &second.url]);
    assert_eq!(bob.json(&["whoami"])["member"], "bob");
    bob.run(&["logout", "--keep-token"])
        .assert_said(0, &["Logged out of", &server.url]);
    assert_eq!(
        bob.json(&["whoami", "--url", &server.url, "--token", &here])["member"],
        "bob"
    );
    bob.run(&["logout", "--url", &server.url])
        .assert_said(4, &["no credentials"]);
    assert!(!fs::read_to_string(bob.credentials()).unwrap().contains(PREFIX));
    assert_eq!((server.stop(), second.stop()), (Some(0), Some(0)));
}

#[test]
fn a_login_that_fails_keeps_nothing_and_repeats_nothing() {
    let machine = Machine::new();
    let server = machine.serve();
    let bob = machine.person("bob");
    let unknown = Token::from_random(&[7; 64]).unwrap();
    let mistyped = unknown.reveal().replace(&unknown.reveal()[39..], "?");
    for (input, code, words) in [
        ("", 2, ["standard input", "not a toolhub token"].as_slice()),
        ("my password\n", 2, &["not a toolhub token"]),
        (&mistyped, 2, &["not a toolhub token"]),
        (unknown.reveal(), 4, &["unknown, expired or revoked"]),
    ] {
        let ended = bob.login(&server.url, input);
        ended.assert_said(code, words);
        assert_eq!(ended.stdout, "");
        let tail = input.get(8..).filter(|tail| !tail.is_empty());
        assert!(tail.is_none_or(|tail| !ended.stderr.contains(tail)), "{ended:?}");
    }
    bob.login("http://127.0.0.1:1", unknown.reveal())
        .assert_said(75, &["cannot reach"]);
    bob.login("nonsense", unknown.reveal())
        .assert_said(2, &["`nonsense`"]);
    bob.run(&["login", "http://127.0.0.1:1"])
        .assert_said(75, &["cannot reach"]);
    bob.run(&["login", "http://127.0.0.1:1", "--with-token", "--scope", "read"])
        .assert_said(2, &["--scope"]);
    assert!(!bob.credentials().exists());
    for arguments in [
        ["whoami"].as_slice(),
        &["members", "list"],
        &["tokens", "create", "x"],
        &["me", "export"],
    ] {
        let arguments = [arguments, &["--url", &server.url]].concat();
        bob.run(&arguments)
            .assert_said(4, &["no credentials", "toolhub login http"]);
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_file_that_others_can_read_is_refused_and_a_token_that_cannot_be_revoked_is_not_forgotten() {
    let machine = Machine::new();
    let server = machine.serve();
    let ann = machine.person("home");
    assert_eq!(mode(&ann), 0o600, "the first run's as well");
    fs::set_permissions(ann.credentials(), fs::Permissions::from_mode(0o644)).unwrap();
    for arguments in [["whoami"], ["logout"], ["uploads"]] {
        let refused = ann.run(&arguments);
        refused.assert_said(4, &["can be read by others", "chmod 600"]);
        assert_silent(&refused);
    }
    fs::set_permissions(ann.credentials(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        ann.json(&["whoami"])["scopes"],
        json!(["upload", "read", "admin"])
    );
    server.kill();
    let before = fs::read_to_string(ann.credentials()).unwrap();
    ann.run(&["logout"]).assert_said(
        75,
        &[
            "the token was not revoked and is still stored",
            "--keep-token",
            "cannot reach",
        ],
    );
    assert_eq!(fs::read_to_string(ann.credentials()).unwrap(), before);
    ann.run(&["logout", "--keep-token"])
        .assert_said(0, &["Logged out"]);
    assert!(!fs::read_to_string(ann.credentials()).unwrap().contains(PREFIX));
}
