//! `upload --gate` and `--summary`: a CI job fails with the reason, and its page shows the run.

use serde_json::Value;

use crate::machine::{Machine, three_calls};

#[test]
fn a_gate_that_does_not_pass_fails_the_job_with_the_reason_and_a_passing_one_does_not() {
    let machine = Machine::new();
    let _server = machine.serve();
    machine.log("home", "s1", &three_calls("s1"));

    let passed = machine.run(&[
        "upload",
        "--gate",
        "mcp:linear success_rate>=0.9",
        "--gate",
        "events==3",
    ]);
    assert_eq!(passed.code, Some(0), "{passed:?}");

    // The same run again: its events are known, and are judged all the same.
    let failed = machine.run(&["upload", "--json", "--gate", "failures<1", "--gate", "cost<=2.50"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed
            .stderr
            .contains("the gate `failures<1` does not pass: it is 1, of 3 calls"),
        "{failed:?}"
    );
    let report: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!(report["duplicate"], 3, "{report}");
    assert_eq!(report["run"]["gates"][0]["passed"], false, "{report}");
    assert_eq!(report["run"]["gates"][1]["passed"], true, "{report}");

    let summary = machine.run(&["upload", "--summary", "--gate", "failures<1"]);
    assert_eq!(summary.code, Some(1), "{summary:?}");
    assert!(
        summary.stdout.starts_with("## Tool calls of this run"),
        "{summary:?}"
    );
    assert!(
        summary.stdout.contains("| `failures<1` | **failed** |"),
        "{summary:?}"
    );

    let wrong = machine.run(&["upload", "--gate", "linear is good"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("is not a gate: write"), "{wrong:?}");
}

#[test]
fn a_full_upload_sends_everything_again_and_changes_nothing() {
    let machine = Machine::new();
    let _server = machine.serve();
    machine.log("home", "s1", &three_calls("s1"));
    assert_eq!(machine.json(&["upload"])["inserted"], 3);
    let full = machine.json(&["upload", "--full"]);
    assert_eq!(
        (&full["received"], &full["duplicate"]),
        (&3.into(), &3.into()),
        "{full}"
    );
}
