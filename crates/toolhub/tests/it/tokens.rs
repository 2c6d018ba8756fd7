//! `toolhub tokens`: shown once, listed without themselves, replaced with an overlap, ended at once.

use model::token::{PREFIX, Token};
use serde_json::{Value, json};

use crate::machine::{Machine, Person};

/// The id of the only token with this name.
fn id(of: &Person<'_>, name: &str) -> String {
    let listed = of.json(&["tokens", "list", "--all"]);
    let mut found = listed["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|token| token["name"] == name);
    let id = found.next().unwrap()["token_id"].as_str().unwrap().to_owned();
    assert!(found.next().is_none(), "{listed}");
    id
}

fn days(token: &Value) -> i64 {
    let time = |key: &str| {
        token[key]
            .as_str()
            .unwrap()
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
    };
    (time("expires_at") - time("created_at")).num_days()
}

#[test]
fn a_token_is_shown_once_and_says_when_it_ends() {
    let machine = Machine::new();
    let server = machine.serve();
    let ann = machine.person("home");

    let made = ann.run(&["tokens", "create", "laptop"]);
    made.assert_said(0, &["token ", " of ann: it expires on "]);
    let plain = made.stdout.trim_end();
    assert!(Token::parse(plain).is_ok(), "alone on stdout: {made:?}");
    assert!(!made.stderr.contains(PREFIX), "{}", made.stderr);
    let whoami = ann.json(&["whoami", "--token", plain]);
    assert_eq!(
        (&whoami["token_name"], &whoami["scopes"]),
        (&json!("laptop"), &json!(["upload", "read"])),
        "an everyday token administers nothing"
    );
    for format in ["table", "json", "csv", "markdown"] {
        let listed = ann.said(&["tokens", "list", "--format", format]);
        assert!(listed.contains("laptop") && !listed.contains(PREFIX), "{listed}");
    }
    let ends = ann.json(&["tokens", "list"])["tokens"][0].clone();
    assert_eq!(days(&ends), 90);
    let day = &ends["expires_at"].as_str().unwrap()[..10];
    assert!(
        ann.said(&["tokens", "list"]).contains(day),
        "the table shows the end"
    );
    assert!(made.stderr.contains(day), "{}", made.stderr);

    let short = ann.json(&["tokens", "create", "ci", "--expires-in", "7", "--scope", "upload"]);
    assert_eq!((days(&short), &short["scopes"]), (7, &json!(["upload"])));
    assert!(Token::parse(short["token"].as_str().unwrap()).is_ok());
    let never = ann.run(&["tokens", "create", "robot", "--expires-in", "0"]);
    never.assert_said(0, &["it does not expire"]);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn rotation_overlaps_and_revocation_works_on_the_next_request() {
    let machine = Machine::new();
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    let works = |token: &str| bob.run(&["whoami", "--url", &server.url, "--token", token]).code;

    let old = ann.said(&["tokens", "create", "ci"]);
    let first = id(&ann, "ci");
    let rotated = ann.run(&["tokens", "rotate", &first, "--overlap", "1"]);
    rotated.assert_said(0, &["of ann: it expires on "]);
    let new = rotated.stdout.trim_end().to_owned();
    assert_eq!(
        (works(&old), works(&new)),
        (Some(0), Some(0)),
        "both work for an hour"
    );
    assert_eq!(
        ann.said(&["tokens", "revoke", &first]),
        format!("revoked {first}")
    );
    assert_eq!((works(&old), works(&new)), (Some(4), Some(0)));
    let second = id(&ann, "ci");
    let last = ann.said(&["tokens", "rotate", &second, "--overlap", "0"]);
    assert_eq!(
        (works(&new), works(&last)),
        (Some(4), Some(0)),
        "without overlap the old one ends at once"
    );
    let third = id(&ann, "ci");
    for _ in 0..2 {
        assert_eq!(
            ann.json(&["tokens", "revoke", &third]),
            json!({}),
            "twice is once"
        );
    }
    bob.run(&["whoami", "--url", &server.url, "--token", &last])
        .assert_said(4, &["unknown, expired or revoked", "toolhub login http"]);

    // As the help says: the token that this machine keeps, replaced by a pipe.
    bob.login(&server.url, &ann.said(&["tokens", "create", "kept"]))
        .assert_said(0, &[]);
    let before = std::fs::read_to_string(bob.credentials()).unwrap();
    let fresh = bob.said(&["tokens", "rotate", &id(&ann, "kept")]);
    bob.login(&server.url, &fresh)
        .assert_said(0, &["the token expires on"]);
    assert_ne!(std::fs::read_to_string(bob.credentials()).unwrap(), before);
    assert_eq!(bob.json(&["whoami"])["token_name"], "kept");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_token_makes_no_more_than_it_may_and_others_see_none_of_it() {
    let machine = Machine::new();
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    let invitation = ann.said(&["members", "add", "bob", "--invite"]);
    bob.login(&server.url, &invitation).assert_said(0, &[]);
    let anns = id(&ann, "first run");
    for (arguments, code, words) in [
        (["tokens", "list", "--all"].as_slice(), 4, ["`admin`"].as_slice()),
        (&["tokens", "list", "--member", "ann"], 4, &["`admin`"]),
        (
            &["tokens", "create", "x", "--member", "ann"],
            4,
            &["only your own"],
        ),
        (&["tokens", "create", "x", "--scope", "admin"], 4, &["`admin`"]),
        (&["tokens", "create", "x", "--expires-in", "0"], 4, &["`admin`"]),
        (&["tokens", "create", "x", "--expires-in", "91"], 4, &["`admin`"]),
        (&["tokens", "revoke", &anns], 1, &["no such token"]),
        (&["tokens", "rotate", &anns], 1, &["no such token"]),
        (&["tokens", "rotate", "nonsense"], 1, &["no such token"]),
        (&["tokens", "create", ""], 1, &["1 to 256 characters"]),
        (
            &["tokens", "create", "\u{1b}]0;owned\u{7}"],
            1,
            &["no control characters"],
        ),
        (
            &["tokens", "create", "x", "--scope", "write"],
            2,
            &["`write`", "upload, read, admin"],
        ),
        (
            &["tokens", "create", "x", "--scope", ""],
            2,
            &["upload, read, admin"],
        ),
        (&["tokens", "create", "x", "--expires-in", "-1"], 2, &["-1"]),
        (&["tokens", "create"], 2, &["<NAME>"]),
    ] {
        let ended = bob.run(arguments);
        ended.assert_said(code, words);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(!ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
    }
    let uploads = bob.said(&["tokens", "create", "ci", "--scope", "upload"]);
    bob.run(&["scores", "--token", &uploads])
        .assert_said(4, &["`read`"]);
    bob.run(&["tokens", "list", "--token", &uploads])
        .assert_said(4, &["`read`"]);
    assert_eq!(
        bob.json(&["tokens", "list"])["tokens"].as_array().unwrap().len(),
        2
    );
    assert_eq!(
        ann.json(&["tokens", "list", "--all"])["tokens"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let mistyped = ann.run(&["tokens", "list", "--member", "bbo"]);
    mistyped.assert_said(1, &["no member `bbo`", "toolhub members list"]);
    assert_eq!(mistyped.stdout, "");
    assert_eq!(server.stop(), Some(0));
}
