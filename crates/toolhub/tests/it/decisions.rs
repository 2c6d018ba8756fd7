//! `me`, `org`, `trusted-publishers`, `audit`: what members and the org decide, and that it is written down.

use serde_json::{Value, json};

use crate::machine::{Machine, eventually, three_calls};

#[test]
fn a_member_exports_and_deletes_and_the_same_logs_stay_away_until_they_say_so() {
    let machine = Machine::new();
    machine.log("bob", "s1", &three_calls("s1"));
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    let invitation = ann.said(&["members", "add", "bob", "--invite"]);
    bob.login(&server.url, &invitation).assert_said(0, &[]);
    assert_eq!(bob.json(&["upload"])["inserted"], 3);

    let export: Value = serde_json::from_str(&bob.said(&["me", "export"])).unwrap();
    assert_eq!(export["member"], "bob");
    assert_eq!(export["usage_events"].as_array().unwrap().len(), 3);

    bob.run(&["me", "delete"]).assert_said(2, &["--confirm"]);
    bob.run(&["me", "delete", "--confirm", "ann"])
        .assert_said(2, &["--confirm bob", "cannot be taken back"]);
    assert_eq!(
        bob.json(&["events"])["events"].as_array().unwrap().len(),
        3,
        "nothing happened"
    );
    assert_eq!(
        bob.said(&["me", "delete", "--confirm", "bob"]),
        "deleted 3 events; what occurred before now is refused from now on"
    );
    assert_eq!(bob.json(&["events"])["events"], json!([]));

    let again = bob.run(&["upload", "--json"]);
    assert_eq!(again.code, Some(3), "some were rejected: {again:?}");
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(
        (&again["inserted"], &again["rejected"]),
        (&json!(0), &json!(3)),
        "{again}"
    );
    let people = bob.run(&["upload"]);
    assert!(
        format!("{}{}", people.stdout, people.stderr).contains("toolhub me accept-deleted"),
        "the receipt says why, and what to do: {people:?}"
    );
    assert_eq!(bob.json(&["events"])["events"], json!([]));
    assert_eq!(
        bob.said(&["me", "accept-deleted"]),
        "you are shown on the leaderboard of members; events from any time are accepted"
    );
    assert_eq!(bob.json(&["upload"])["inserted"], 3);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_member_who_opts_out_is_not_on_the_board_and_an_org_can_hide_all_names() {
    let machine = Machine::new();
    machine.log("home", "s1", &three_calls("s1"));
    machine.log("bob", "s2", &three_calls("s2"));
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    bob.login(&server.url, &ann.said(&["members", "add", "bob", "--invite"]))
        .assert_said(0, &[]);
    for person in [&ann, &bob] {
        assert_eq!(person.json(&["upload", "--wait"])["inserted"], 3);
    }
    let board = || ann.said(&["leaderboard", "members", "--kind", "all", "--window", "all"]);
    eventually("both are on the board", || {
        let shown = board();
        shown.contains("ann") && shown.contains("bob")
    });
    assert_eq!(
        bob.said(&["me", "opt-out"]),
        "you are hidden on the leaderboard of members; events from any time are accepted"
    );
    let shown = board();
    assert!(shown.contains("ann") && !shown.contains("bob"), "{shown}");
    assert_eq!(bob.json(&["me", "opt-in"])["board_opt_out"], false);
    assert!(board().contains("bob"));

    assert_eq!(
        ann.said(&["org", "settings"]),
        "org: home\ntask text: off\nevents are kept: for ever\nnames on boards: on"
    );
    bob.run(&["org", "settings", "--show-names", "off"])
        .assert_said(4, &["`admin`"]);
    assert_eq!(
        ann.said(&[
            "org",
            "settings",
            "--show-names",
            "off",
            "--retention-days",
            "30",
            "--task-text",
            "on"
        ]),
        "org: home\ntask text: on\nevents are kept: 30 days\nnames on boards: off"
    );
    assert_eq!(
        bob.json(&["org", "settings"])["retention_days"],
        30,
        "the settings are public within the org"
    );
    let shown = board();
    assert!(!shown.contains("ann") && !shown.contains("bob"), "{shown}");
    assert_eq!(
        ann.json(&["org", "settings", "--retention-days", "0"])["retention_days"],
        Value::Null
    );
    ann.run(&["org", "settings", "--retention-days=-1"])
        .assert_said(1, &["1 to 36500"]);
    ann.run(&["org", "settings", "--task-text", "maybe"])
        .assert_said(2, &["on, off"]);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn trust_in_ci_is_given_listed_and_taken_back_and_every_act_is_in_the_log() {
    let machine = Machine::new();
    let nameless = machine.serve();
    let ann = machine.person("home");
    ann.run(&["trusted-publishers", "add", "acme/api", "--owner-id", "7"])
        .assert_said(1, &["no public URL", "--public-url"]);
    assert_eq!(nameless.stop(), Some(0));
    let server = machine.serve_with(&["--public-url", "https://toolhub.example"]);
    // Its port is another one.
    let token = ann.said(&[
        "admin",
        "token",
        "create",
        "--org",
        "home",
        "--member",
        "ann",
        "--scope",
        "upload,read,admin",
    ]);
    ann.login(&server.url, &token).assert_said(0, &[]);
    let add = [
        "trusted-publishers",
        "add",
        "acme/api",
        "--owner-id",
        "7",
        "--workflow",
        "ci.yml",
    ];
    assert_eq!(ann.said(&add), "runs of acme/api upload as `ci-acme-api`");
    for (arguments, code, words) in [
        (add.as_slice(), 1, ["acme/api", "exists already"].as_slice()),
        (&["trusted-publishers", "add", "acme/api"], 2, &["--owner-id"]),
        (
            &["trusted-publishers", "add", "acme", "--owner-id", "7"],
            1,
            &["owner/name"],
        ),
        (
            &["trusted-publishers", "add", "acme/x", "--owner-id", "acme"],
            1,
            &["number of the owner", "https://api.github.com/users/"],
        ),
        (
            &["trusted-publishers", "add", "acme/x", "--owner-id", "007"],
            1,
            &["number of the owner"],
        ),
        (
            &[
                "trusted-publishers",
                "add",
                "a/b",
                "--owner-id",
                "7",
                "--member",
                "ann",
            ],
            1,
            &["`ann` is a person"],
        ),
        (
            &[
                "trusted-publishers",
                "add",
                "a/b",
                "--owner-id",
                "7",
                "--provider",
                "jenkins",
            ],
            1,
            &["--oidc-issuer"],
        ),
        (
            &["trusted-publishers", "remove", "nonsense"],
            1,
            &["no such publisher"],
        ),
    ] {
        let ended = ann.run(arguments);
        ended.assert_said(code, words);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    let table = ann.said(&["trusted-publishers", "list"]);
    assert!(
        table.contains("acme/api") && table.contains("ci.yml") && table.contains("ci-acme-api"),
        "{table}"
    );
    let listed = ann.json(&["trusted-publishers", "list"]);
    let id = listed["trusted_publishers"][0]["publisher_id"].as_str().unwrap();
    assert_eq!(
        ann.said(&["trusted-publishers", "remove", id]),
        format!("removed {id}")
    );
    assert_eq!(
        ann.json(&["trusted-publishers", "list"])["trusted_publishers"],
        json!([])
    );

    ann.said(&["members", "add", "bob", "--role", "admin"]);
    ann.said(&["admin", "member", "role", "bob", "viewer", "--org", "home"]);
    ann.said(&["org", "settings", "--retention-days", "30"]);
    let token = ann.said(&["tokens", "create", "x"]);
    let acts = ann.json(&["audit", "--limit", "500"]);
    let acts: Vec<(&str, &str)> = acts["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| (act["actor"].as_str().unwrap(), act["action"].as_str().unwrap()))
        .collect();
    assert_eq!(
        acts,
        [
            ("ann", "token.created"),
            ("ann", "org.changed"),
            ("operator", "member.changed"),
            ("ann", "member.added"),
            ("ann", "publisher.removed"),
            ("ann", "publisher.added"),
            ("ann", "member.added"),
            ("operator", "token.created"),
            ("operator", "token.created"),
            ("operator", "member.added"),
            ("operator", "org.created"),
        ],
        "and nothing of what was refused"
    );
    let table = ann.said(&["audit", "--actor", "operator", "--action", "member"]);
    assert!(
        table.contains("role viewer") && !table.contains("org.created"),
        "{table}"
    );
    assert!(
        !ann.said(&["audit", "--format", "csv", "--limit", "500"])
            .contains(&token)
    );
    let (page, cursor) = {
        let page = ann.run(&["audit", "--limit", "3"]);
        (
            page.stdout,
            page.stderr.trim().rsplit(' ').next().unwrap().to_owned(),
        )
    };
    assert_eq!(page.lines().count(), 2 + 3, "{page}");
    let rest = ann.json(&["audit", "--cursor", &cursor]);
    assert_eq!(rest["audit"][0]["action"], "member.added");
    assert_eq!(server.stop(), Some(0));
}
