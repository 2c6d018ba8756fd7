//! `toolhub members`: who is in the org, as its owner, its admins and the members themselves see it.

use serde_json::json;

use crate::machine::{Machine, Person};

/// The token of a fresh invitation.
fn invited(by: &Person<'_>, handle: &str) -> String {
    by.said(&["members", "add", handle, "--invite"])
}

#[test]
fn a_member_is_invited_renamed_promoted_locked_out_and_let_in_again() {
    let machine = Machine::new();
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));

    let added = ann.run(&["members", "add", "bob", "--invite"]);
    added.assert_said(0, &["`bob`", "member", "7 days"]);
    let command = format!("`toolhub login --with-token --url {}`", server.url);
    added.assert_said(0, &[&command, "--public-url"]);
    let invitation = added.stdout.trim_end();
    assert!(
        model::token::Token::parse(invitation).is_ok(),
        "the token stands alone on stdout: {added:?}"
    );
    bob.login(&server.url, invitation)
        .assert_said(0, &["bob", "home"]);
    let kept = std::fs::read_to_string(bob.credentials()).unwrap();
    assert!(
        !kept.contains(invitation),
        "who invited bob does not know his token"
    );
    bob.run(&["whoami", "--token", invitation])
        .assert_said(4, &["unknown, expired or revoked"]);
    let tokens = ann.json(&["tokens", "list", "--member", "bob"]);
    let tokens = tokens["tokens"].as_array().unwrap();
    let time = |key: &str| {
        tokens[0][key]
            .as_str()
            .unwrap()
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
    };
    assert_eq!((tokens.len(), tokens[0]["name"].as_str()), (1, Some("login")));
    assert_eq!(
        (time("expires_at") - time("created_at")).num_days(),
        90,
        "an invitation lasts a week, and what comes of it as long as any token"
    );

    assert_eq!(
        ann.said(&["members", "rename", "bob", "bobby"]),
        "`bobby` is member and active"
    );
    assert_eq!(bob.json(&["whoami"])["member"], "bobby", "the token stays");
    bob.run(&["members", "list"]).assert_said(4, &["`admin`"]);
    assert_eq!(
        ann.said(&["members", "role", "bobby", "admin"]),
        "`bobby` is admin and active"
    );
    let me = bob.json(&["whoami"]);
    assert_eq!(
        (&me["role"], &me["scopes"]),
        (&json!("admin"), &json!(["upload", "read"]))
    );
    bob.run(&["members", "list"]).assert_said(4, &["`admin`"]);

    assert_eq!(
        ann.said(&["members", "deactivate", "bobby"]),
        "`bobby` is admin and deactivated"
    );
    bob.run(&["whoami"]).assert_said(4, &["toolhub login"]);
    let listed = ann.json(&["members", "list"]);
    let row = &listed["members"][1];
    assert_eq!((&row["handle"], &row["tokens"]), (&json!("bobby"), &json!(0)));
    assert!(row["deactivated_at"].is_string(), "{row}");
    assert!(ann.said(&["members", "list"]).contains("deactivated"));
    ann.run(&["tokens", "create", "x", "--member", "bobby"])
        .assert_said(1, &["`bobby`", "reactivate"]);
    ann.said(&["members", "reactivate", "bobby"]);
    bob.run(&["whoami"]).assert_said(4, &["toolhub login"]);
    let token = ann.said(&[
        "tokens",
        "create",
        "x",
        "--member",
        "bobby",
        "--scope",
        "upload,read,admin",
    ]);
    bob.login(&server.url, &token).assert_said(0, &["bobby"]);
    assert_eq!(
        bob.json(&["members", "list"])["members"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_last_owner_stays_and_members_administer_only_up_to_their_own_role() {
    let machine = Machine::new();
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    for arguments in [
        ["members", "role", "ann", "admin"].as_slice(),
        &["members", "deactivate", "ann"],
        &["admin", "member", "role", "ann", "viewer", "--org", "home"],
        &["admin", "member", "deactivate", "ann", "--org", "home"],
    ] {
        ann.run(arguments)
            .assert_said(1, &["no active owner left", "make another member an owner"]);
    }
    ann.said(&["members", "add", "bob", "--role", "admin"]);
    let token = ann.said(&[
        "tokens",
        "create",
        "x",
        "--member",
        "bob",
        "--scope",
        "upload,read,admin",
    ]);
    bob.login(&server.url, &token).assert_said(0, &[]);
    for arguments in [
        ["members", "add", "eve", "--role", "owner"].as_slice(),
        &["members", "role", "bob", "owner"],
        &["members", "role", "ann", "member"],
        &["members", "rename", "ann", "nobody"],
        &["members", "deactivate", "ann"],
        &["members", "erase-data", "ann", "--confirm", "ann"],
        &["tokens", "create", "x", "--member", "ann"],
    ] {
        bob.run(arguments)
            .assert_said(4, &["this needs the role `owner`; yours is `admin`"]);
    }
    // With a second owner the first may step down, and is what they are from the next request on.
    ann.said(&["members", "role", "bob", "owner"]);
    bob.said(&["members", "role", "ann", "viewer"]);
    assert_eq!(ann.json(&["whoami"])["scopes"], json!(["read"]));
    ann.run(&["members", "list"]).assert_said(4, &["`admin`"]);
    bob.run(&["members", "deactivate", "bob"])
        .assert_said(1, &["no active owner left"]);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn what_cannot_be_is_said_in_one_sentence_and_what_was_mistyped_is_named() {
    let machine = Machine::new();
    let server = machine.serve();
    let ann = machine.person("home");
    ann.said(&["members", "add", "bob"]);
    for (arguments, code, words) in [
        (
            ["members", "add", "bob"].as_slice(),
            1,
            ["`bob`", "exists already"].as_slice(),
        ),
        (
            &["members", "rename", "bob", "ann"],
            1,
            &["`ann`", "exists already"],
        ),
        (
            &["members", "role", "nobody", "admin"],
            1,
            &["no member `nobody`"],
        ),
        (&["members", "add", "<script>"], 1, &["1 to 64 letters"]),
        (&["members", "add", "=cmd|'/c calc'!A1"], 1, &["1 to 64 letters"]),
        (
            &["members", "rename", "bob", "\u{1b}[31mred"],
            1,
            &["1 to 64 letters"],
        ),
        (
            &["members", "add", "x", "--role", "boss"],
            2,
            &["viewer, member, admin, owner"],
        ),
        (&["members", "add", "x", "--kind", "robot"], 2, &["person, ci"]),
        (&["members", "erase-data", "bob"], 2, &["--confirm"]),
        (
            &["members", "erase-data", "bob", "--confirm", "bo"],
            2,
            &["--confirm bob", "cannot be taken back"],
        ),
        (
            &["members", "erase-data", "eve", "--confirm", "eve"],
            1,
            &["no member `eve`"],
        ),
        (&["members"], 2, &["Usage"]),
    ] {
        let ended = ann.run(arguments);
        ended.assert_said(code, words);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(!ended.stderr.contains("request"), "{}", ended.stderr);
    }
    assert_eq!(
        ann.json(&["members", "erase-data", "bob", "--confirm", "bob"])["events"],
        0
    );
    // What is sent is what is shown.
    let added = ann.run(&["members", "add", "carol", "--json"]).stdout;
    assert!(
        added.starts_with(r#"{"handle":"carol","kind":"person","role":"member","#),
        "{added}"
    );
    let changed = ann.json(&["members", "role", "carol", "viewer"]);
    assert_eq!(
        (&changed["handle"], &changed["role"]),
        (&json!("carol"), &json!("viewer"))
    );
    let page = ann.run(&["members", "list", "--limit", "2"]);
    page.assert_said(0, &["there is more: --cursor "]);
    let cursor = page.stderr.trim().rsplit(' ').next().unwrap();
    let rest = ann.json(&["members", "list", "--cursor", cursor]);
    assert_eq!(rest["members"][0]["handle"], "carol");
    let csv = ann.said(&["members", "list", "--format", "csv"]);
    assert_eq!(
        csv.lines().next(),
        Some("handle,kind,role,state,tokens,last_seen_at,created_at,deactivated_at")
    );
    server.kill();
    ann.run(&["members", "list"])
        .assert_said(75, &["cannot reach", "toolhub serve"]);
}

#[test]
fn an_invitation_that_is_not_taken_up_can_be_taken_back() {
    let machine = Machine::new();
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    let invitation = invited(&ann, "bob");
    let listed = ann.json(&["tokens", "list", "--member", "bob"]);
    assert_eq!(listed["tokens"][0]["name"], "invitation");
    ann.said(&[
        "tokens",
        "revoke",
        listed["tokens"][0]["token_id"].as_str().unwrap(),
    ]);
    bob.login(&server.url, &invitation)
        .assert_said(4, &["unknown, expired or revoked"]);
    assert!(
        !bob.credentials().exists(),
        "nothing is kept of a login that failed"
    );
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_member_is_invited_again_and_the_earlier_invitation_ends() {
    let machine = Machine::new();
    let server = machine.serve_with(&["--public-url", "https://toolhub.example"]);
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    let added = ann.run(&["members", "add", "bob"]);
    added.assert_said(0, &["toolhub members invite bob"]);
    let first = ann.said(&["members", "invite", "bob"]);
    let again = ann.run(&["members", "invite", "bob"]);
    let second = again.stdout.trim_end().to_owned();
    again.assert_said(0, &["`toolhub login --with-token --url https://toolhub.example`"]);
    bob.login(&server.url, &first)
        .assert_said(4, &["unknown, expired or revoked"]);
    bob.login(&server.url, &second).assert_said(0, &["bob"]);
    ann.run(&["members", "invite", "bobb"])
        .assert_said(1, &["no member `bobb`; did you mean `bob`?"]);
    ann.said(&["members", "deactivate", "bob"]);
    ann.run(&["members", "invite", "bob"])
        .assert_said(1, &["reactivate"]);
    bob.run(&["members", "invite", "ann"]).assert_said(4, &[]);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_team_is_invited_from_a_file_and_the_file_may_be_used_twice() {
    let machine = Machine::new();
    let server = machine.serve();
    let (ann, cleo) = (machine.person("home"), machine.person("cleo"));
    let file = machine.path("team.txt");
    std::fs::write(&file, "bob\n\n# the lead\ncleo admin\n").unwrap();
    let file = file.display().to_string();
    for _ in 0..2 {
        let said = ann.said(&["members", "invite", "--file", &file]);
        let lines: Vec<&str> = said.lines().collect();
        assert!(
            lines.len() == 2 && lines[0].starts_with("bob\techo thb_"),
            "{said}"
        );
        assert!(
            lines[1].ends_with(&format!("| toolhub login --with-token --url {}", server.url)),
            "{said}"
        );
    }
    let invitations = ann.json(&["members", "invite", "--file", &file]);
    let token = invitations["invitations"][1]["invitation"]["token"]
        .as_str()
        .unwrap();
    cleo.login(&server.url, token).assert_said(0, &["cleo"]);
    assert_eq!(cleo.json(&["whoami"])["role"], "admin");
    // No member is invited when a line is wrong.
    std::fs::write(machine.path("team.txt"), "dan\nanna belle smith\n").unwrap();
    ann.run(&["members", "invite", "--file", &file])
        .assert_said(2, &["team.txt:2: ", "`belle`"]);
    ann.run(&["members", "rename", "dan", "daniel"])
        .assert_said(1, &["no member `dan`"]);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_org_is_renamed_by_its_owner_and_by_the_operator_and_everything_in_it_stays() {
    let machine = Machine::new();
    let server = machine.serve();
    let ann = machine.person("home");
    assert_eq!(ann.said(&["org", "rename", "acme"]), "the org is `acme` now");
    assert_eq!(ann.json(&["whoami"])["org"], "acme");
    assert_eq!(
        ann.json(&["audit"])["audit"][0]["details"],
        json!({ "org": "acme" })
    );
    ann.run(&["org", "rename", "Acme Inc"])
        .assert_said(1, &["lower-case letters"]);
    ann.said(&["admin", "org", "create", "bolt"]);
    ann.run(&["org", "rename", "bolt"])
        .assert_said(1, &["`bolt` exists already"]);
    assert_eq!(
        ann.said(&["admin", "org", "rename", "acme", "home"]),
        "the org `acme` is `home` now"
    );
    assert_eq!(ann.json(&["whoami"])["org"], "home");
    ann.run(&["admin", "member", "list", "--org", "hom"])
        .assert_said(1, &["no org `hom`; did you mean `home`?"]);
    assert_eq!(server.stop(), Some(0));
}
