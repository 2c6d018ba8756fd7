//! `toolhub healthcheck`: the exit code that a container engine asks for.

use serde_json::Value;

use crate::machine::Machine;

#[test]
fn a_ready_server_is_0_and_anything_else_1_with_the_reason() {
    let machine = Machine::new();
    let server = machine.serve();
    let listen = server.url.trim_start_matches("http://").to_owned();
    let ready = machine.run(&["healthcheck", "--url", &server.url]);
    assert_eq!(ready.code, Some(0), "{ready:?}");
    for line in [
        "database: ok (ok, ",
        "schema: ok",
        "pool: ok",
        "writable: ok",
        "refresh: ok",
    ] {
        assert!(ready.stdout.contains(line), "{line}: {ready:?}");
    }
    // In a container the variable of `serve` says where to ask.
    let asked = machine
        .command(&["healthcheck"])
        .env("TOOLHUB_LISTEN", &listen)
        .status()
        .unwrap();
    assert_eq!(asked.code(), Some(0));
    let body = machine.json(&["healthcheck", "--url", &server.url]);
    assert_eq!(body["ready"], Value::Bool(true));

    let url = server.url.clone();
    assert_eq!(server.stop(), Some(0));
    let gone = machine.run(&["healthcheck", "--url", &url]);
    gone.assert_said(1, &[&url, "is not ready: connection refused"]);
    let elsewhere = machine.run(&["healthcheck", "--url", "ftp://example.org"]);
    assert_eq!(elsewhere.code, Some(2), "a wrong address is a wrong command line");
}
