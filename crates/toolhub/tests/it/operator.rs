//! `toolhub admin`: the counterparts of `members`, `tokens` and `audit`, at the database, with and without a server.

use model::token::{PREFIX, Token};
use serde_json::json;

use crate::machine::Machine;

#[test]
fn the_operator_does_to_a_team_what_its_admins_do_also_while_no_server_runs() {
    let machine = Machine::new();
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    let admin = |arguments: &[&str]| ann.said(&[&["admin"], arguments, &["--org", "home"]].concat());
    assert_eq!(
        admin(&["member", "add", "bob", "--role", "admin"]),
        "added `bob` to the org `home` as admin"
    );
    assert_eq!(
        admin(&["member", "rename", "bob", "bobby"]),
        "`bobby` is admin and active"
    );
    assert_eq!(
        admin(&["member", "role", "bobby", "member"]),
        "`bobby` is member and active"
    );
    let made = ann.run(&[
        "admin", "token", "create", "--org", "home", "--member", "bobby", "--name", "laptop",
    ]);
    made.assert_said(0, &["the token expires on "]);
    let token = made.stdout.trim_end();
    assert!(Token::parse(token).is_ok(), "{made:?}");
    bob.login(&server.url, token).assert_said(0, &["bobby"]);

    let listed = admin(&["token", "list", "--member", "bobby"]);
    for shown in ["laptop", "bobby", "upload,read", "expires"] {
        assert!(listed.contains(shown), "{shown}: {listed}");
    }
    assert!(!listed.contains(PREFIX));
    let listed = ann.json(&["admin", "token", "list", "--org", "home"]);
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2);
    let id = listed["tokens"][0]["token_id"].as_str().unwrap();
    assert_eq!(admin(&["token", "revoke", id]), format!("revoked {id}"));
    bob.run(&["whoami"])
        .assert_said(4, &["unknown, expired or revoked"]);
    assert_eq!(
        admin(&["member", "deactivate", "bobby"]),
        "`bobby` is member and deactivated"
    );
    assert_eq!(server.stop(), Some(0));

    // The database is started for the time of a command.
    assert_eq!(
        admin(&["member", "reactivate", "bobby"]),
        "`bobby` is member and active"
    );
    let members = admin(&["member", "list"]);
    assert!(
        members.contains("ann") && members.contains("bobby") && members.contains("active"),
        "{members}"
    );
    let audit = admin(&["audit", "--limit", "2"]);
    assert!(
        audit.contains("operator") && audit.contains("active true"),
        "{audit}"
    );
    let acts = ann.json(&["admin", "audit", "--org", "home", "--limit", "2"]);
    assert_eq!(acts["audit"][1]["details"], json!({ "active": false }));
    assert!(acts["next_cursor"].is_string());
}

#[test]
fn the_operator_sees_every_org_with_its_active_members() {
    let machine = Machine::new();
    let server = machine.serve();
    for arguments in [
        ["admin", "org", "create", "acme"].as_slice(),
        &["admin", "member", "add", "bob", "--org", "acme"],
        &["admin", "member", "add", "eve", "--org", "acme"],
        &["admin", "member", "deactivate", "eve", "--org", "acme"],
    ] {
        machine.run(arguments).assert_said(0, &[]);
    }
    let orgs = machine.json(&["admin", "org", "list"]);
    let shown: Vec<_> = orgs["orgs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|org| {
            (
                org["org"].as_str().unwrap(),
                &org["members"],
                &org["retention_days"],
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("acme", &json!(1), &json!(null)),
            ("home", &json!(1), &json!(null))
        ]
    );
    let table = machine.run(&["admin", "org", "list"]);
    table.assert_said(0, &[]);
    for shown in ["acme", "home", "for ever"] {
        assert!(table.stdout.contains(shown), "{shown}: {table:?}");
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn what_the_operator_mistypes_is_named_and_nothing_is_done() {
    let machine = Machine::new();
    let server = machine.serve();
    let ann = machine.person("home");
    let create = ["admin", "token", "create", "--org", "home", "--member", "ann"];
    let with = |more: &[&'static str]| [create.as_slice(), more].concat();
    for (arguments, code, words) in [
        (
            ["admin", "member", "list", "--org", "nope"].to_vec(),
            1,
            ["no org `nope`"].as_slice(),
        ),
        (vec!["admin", "member", "list"], 2, &["--org"]),
        (
            vec!["admin", "member", "add", "ann", "--org", "home"],
            1,
            &["`ann`", "exists already"],
        ),
        (
            vec!["admin", "member", "add", "<b>", "--org", "home"],
            1,
            &["1 to 64 letters"],
        ),
        (
            vec!["admin", "member", "role", "ann", "king", "--org", "home"],
            2,
            &["viewer, member, admin, owner"],
        ),
        (
            vec!["admin", "member", "rename", "eve", "eva", "--org", "home"],
            1,
            &["no member `eve`"],
        ),
        (
            vec![
                "admin",
                "member",
                "erase-data",
                "ann",
                "--org",
                "home",
                "--confirm",
                "an",
            ],
            2,
            &["--confirm ann"],
        ),
        (
            vec!["admin", "token", "list", "--org", "home", "--member", "eve"],
            1,
            &["no member `eve`"],
        ),
        (
            vec!["admin", "token", "revoke", "nonsense", "--org", "home"],
            2,
            &["nonsense"],
        ),
        (
            with(&["--scope", "write"]),
            2,
            &["`write`", "upload, read, admin"],
        ),
        (with(&["--scope", ""]), 2, &["upload, read, admin"]),
        (with(&["--expires-in", "4000000000"]), 2, &["0..=3650"]),
        (with(&["--name", "a\nb"]), 1, &["no control characters"]),
        (
            vec!["admin", "org", "create", "=cmd"],
            1,
            &["1 to 63 lower-case letters"],
        ),
        (
            vec!["admin", "org", "create", "home"],
            1,
            &["`home`", "exists already"],
        ),
        (
            vec!["admin", "audit", "--org", "home", "--limit", "0"],
            2,
            &["1..=10000"],
        ),
        (
            vec!["admin", "reader", "remove", "nobody", "--org", "home"],
            1,
            &["no reader `nobody`"],
        ),
        (
            vec!["admin", "reader", "create", "Robert'); drop", "--org", "home"],
            1,
            &["1 to 63 lower-case"],
        ),
    ] {
        let ended = ann.run(&arguments);
        ended.assert_said(code, words);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    let acts = ann.json(&["admin", "audit", "--org", "home"]);
    assert_eq!(
        acts["audit"].as_array().unwrap().len(),
        3,
        "the first run's, and no other: {acts}"
    );
    assert_eq!(server.stop(), Some(0));
}
