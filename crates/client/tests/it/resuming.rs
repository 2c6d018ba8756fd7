//! Runs that are stopped, repeated, or run side by side.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::Path,
    time::{Duration, SystemTime},
};

use client::{Exit, upload::Request};
use model::limits::Limits;
use proptest::prelude::*;

use crate::{
    Home, assert_done,
    hub::{Fault, Hub},
    line, small,
};

fn set_old(log: &Path) {
    if let Ok(file) = File::options().append(true).open(log) {
        file.set_modified(SystemTime::now() - Duration::from_secs(86_400))
            .unwrap();
    }
}

/// Waits until a log no longer counts as being written.
async fn settle(log: &Path) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(log.exists());
}

fn append(log: &Path, id: &str) {
    let mut file = File::options().append(true).open(log).unwrap();
    file.write_all(line(id).as_bytes()).unwrap();
}

#[tokio::test]
async fn a_run_that_was_stopped_goes_on_where_it_was_and_a_complete_one_starts_over() {
    let home = Home::with(500);
    let one_at_a_time = || Request {
        in_flight: 1,
        ..small()
    };
    let hub = Hub::start(Limits::default(), |nth, _| {
        (nth == 4).then_some(Fault::Status(401))
    })
    .await;
    let stopped = home.upload(&hub, one_at_a_time()).await;
    assert_eq!(stopped.exit(), Exit::NotAllowed);
    assert_eq!((stopped.report.received, hub.stored().len()), (200, 200));
    assert_eq!(home.journals().len(), 1);

    let resumed = home.upload(&hub, one_at_a_time()).await;
    assert_done(&resumed);
    assert_eq!(
        (
            resumed.report.resumed,
            resumed.report.inserted,
            resumed.report.duplicate
        ),
        (200, 300, 0)
    );
    assert_eq!(hub.stored().len(), 500);
    assert_eq!(home.journals(), [""; 0]);

    let again = home.upload(&hub, one_at_a_time()).await;
    assert_done(&again);
    assert_eq!((again.report.resumed, again.report.duplicate), (0, 500));
}

#[tokio::test]
async fn rejected_events_are_told_and_not_remembered_as_sent() {
    let mut ids: Vec<String> = (0..60).map(|n| format!("toolu_{n}")).collect();
    ids[3] = "bad".into();
    let home = Home::with_ids(&ids);
    let one_at_a_time = || Request {
        in_flight: 1,
        ..small()
    };
    let hub = Hub::start(Limits::default(), |nth, _| {
        (nth == 1).then_some(Fault::Status(401))
    })
    .await;
    let stopped = home.upload(&hub, one_at_a_time()).await;
    assert_eq!((stopped.report.received, stopped.report.rejected), (50, 1));
    let resumed = home.upload(&hub, one_at_a_time()).await;
    assert_done(&resumed);
    assert_eq!(resumed.exit(), Exit::Rejected, "the second run tells of it again");
    assert_eq!((resumed.report.resumed, resumed.report.rejected), (0, 1));
}

fn changed() -> Request {
    Request {
        changed: true,
        in_flight: 1,
        batch_events: Some(5),
        ..Request::default()
    }
}

#[tokio::test]
async fn a_log_that_did_not_change_is_not_read_and_nothing_new_needs_no_request() {
    let home = Home::with(5);
    let hub = Hub::without_faults().await;
    let log = home.log("session");
    settle(&log).await;
    let first = home.upload(&hub, changed()).await;
    assert_eq!(
        (first.report.files, first.report.inserted),
        (1, 5),
        "nothing was sent yet"
    );
    let requests = hub.seen().len();
    let second = home.upload(&hub, changed()).await;
    assert_done(&second);
    assert_eq!((second.report.files, hub.seen().len()), (0, requests));

    // A log that an agent's archive or a backup brings back has an old time.
    let restored = home.log("restored");
    fs::write(&restored, line("toolu_restored")).unwrap();
    set_old(&restored);
    let third = home.upload(&hub, changed()).await;
    assert_eq!((third.report.files, third.report.inserted), (1, 1));
}

#[tokio::test]
async fn of_a_log_that_grew_only_what_is_new_is_sent() {
    let home = Home::with(20_000);
    let hub = Hub::without_faults().await;
    let log = home.log("session");
    settle(&log).await;
    assert_done(&home.upload(&hub, Request::default()).await);
    append(&log, "toolu_new");
    let before = hub.seen().len();
    let grown = home.upload(&hub, changed()).await;
    assert_done(&grown);
    assert_eq!((grown.report.inserted, grown.report.duplicate), (1, 0));
    assert_eq!((grown.report.already_sent, grown.report.resumed), (20_000, 0));
    let wire: usize = hub.seen()[before..].iter().map(|seen| seen.wire_bytes).sum();
    assert!(wire < 1_000, "{wire} bytes");
    // Whoever asks for everything gets it, and so does a memory that was lost.
    let full = home
        .upload(
            &hub,
            Request {
                full: true,
                ..Request::default()
            },
        )
        .await;
    assert_eq!(full.report.duplicate, 20_001);
    fs::remove_dir_all(home.folder.path().join(".local")).unwrap();
    assert_eq!(home.upload(&hub, changed()).await.report.duplicate, 20_001);
}

#[tokio::test]
async fn an_unchanged_inventory_is_sent_once() {
    let home = Home::with(1);
    let skill = home.folder.path().join(".claude/skills/pdf");
    fs::create_dir_all(&skill).unwrap();
    fs::write(
        skill.join("SKILL.md"),
        "---\nname: pdf\ndescription: Reads PDF files.\n---\n",
    )
    .unwrap();
    let hub = Hub::without_faults().await;
    assert_done(&home.upload(&hub, changed()).await);
    assert_eq!(hub.inventories().len(), 1);
    append(&home.log("session"), "toolu_new");
    assert_done(&home.upload(&hub, changed()).await);
    assert_eq!((hub.stored().len(), hub.inventories().len()), (2, 1));
    fs::remove_dir_all(skill).unwrap();
    append(&home.log("session"), "toolu_newer");
    assert_done(&home.upload(&hub, changed()).await);
    assert_eq!(hub.inventories().len(), 2, "the skill is gone");
}

/// What happens to a folder of logs, and to the uploads of it.
#[derive(Clone, Debug)]
enum Step {
    Append(u8),
    /// The log keeps its first call only.
    Truncate(u8),
    /// Other calls, in a new file of the same length with an old time.
    Replace(u8),
    /// In place, in the same length, with an old time.
    Rewrite(u8),
    Rename(u8, u8),
    /// A copy of a log, as a fork or a backup makes it.
    Copy(u8, u8),
    Remove(u8),
    Upload,
    /// An upload that ends after this many requests, as if it was killed.
    Killed(usize),
    TwoAtOnce,
    ForgetAll,
}

fn step() -> impl Strategy<Value = Step> {
    let log = || 0_u8..3;
    prop_oneof![
        4 => log().prop_map(Step::Append),
        1 => log().prop_map(Step::Truncate),
        1 => log().prop_map(Step::Replace),
        1 => log().prop_map(Step::Rewrite),
        1 => (log(), log()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => (log(), log()).prop_map(|(from, to)| Step::Copy(from, to)),
        1 => log().prop_map(Step::Remove),
        3 => Just(Step::Upload),
        3 => (0_usize..6).prop_map(Step::Killed),
        1 => Just(Step::TwoAtOnce),
        1 => Just(Step::ForgetAll),
    ]
}

/// Runs the steps, then a last upload. Nothing may be lost; and sent twice is at most one batch for each upload that was
/// killed, and what a lost memory costs.
async fn run(steps: &[Step]) {
    let home = Home::with(3);
    let hub = Hub::without_faults().await;
    let log = |number: u8| home.log(&format!("log{number}"));
    let mut next = 0;
    let mut calls = |count: usize| -> String {
        (0..count)
            .map(|_| {
                next += 1;
                line(&format!("toolu_{next:06}"))
            })
            .collect()
    };
    let (mut twice, mut kills) = (0, 0);
    for step in steps {
        match *step {
            Step::Append(number) => {
                let mut text = fs::read_to_string(log(number)).unwrap_or_default();
                text.push_str(&calls(4));
                fs::write(log(number), text).unwrap();
            }
            Step::Truncate(number) => {
                if let Ok(text) = fs::read_to_string(log(number)) {
                    fs::write(log(number), text.split_inclusive('\n').next().unwrap_or_default()).unwrap();
                }
            }
            Step::Replace(number) | Step::Rewrite(number) => {
                let lines = fs::read_to_string(log(number)).map_or(0, |text| text.lines().count());
                let text = calls(lines);
                if matches!(step, Step::Replace(_)) {
                    let new = home.folder.path().join("new");
                    fs::write(&new, text).unwrap();
                    fs::rename(new, log(number)).unwrap();
                } else {
                    fs::write(log(number), text).unwrap();
                }
                set_old(&log(number));
            }
            Step::Rename(from, to) => drop(fs::rename(log(from), log(to))),
            Step::Copy(from, to) if from != to => drop(fs::copy(log(from), log(to))),
            Step::Copy(..) => {}
            Step::Remove(number) => drop(fs::remove_file(log(number))),
            Step::Upload => assert_done(&home.upload(&hub, changed()).await),
            Step::Killed(requests) => {
                let until = hub.seen().len() + requests;
                let killed = async {
                    while hub.seen().len() < until {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::select! {
                    biased;
                    () = killed => kills += 1,
                    _ = home.upload(&hub, changed()) => {}
                }
            }
            Step::TwoAtOnce => {
                let (a, b) = tokio::join!(home.upload(&hub, changed()), home.upload(&hub, changed()));
                assert_done(&a);
                assert_done(&b);
            }
            Step::ForgetAll => {
                twice += hub.stored().len();
                drop(fs::remove_dir_all(home.folder.path().join(".local")));
            }
        }
    }
    assert_done(&home.upload(&hub, changed()).await);
    let folder = home.log("session");
    let texts = fs::read_dir(folder.parent().unwrap())
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let expected: BTreeSet<String> = texts
        .flat_map(|text| text.lines().map(id_of).collect::<Vec<_>>())
        .collect();
    let stored = hub.stored();
    assert!(
        expected.is_subset(&stored),
        "lost: {:?}",
        expected.difference(&stored)
    );
    let received: usize = hub
        .uploads()
        .iter()
        .map(|seen| seen.body.split(|&byte| byte == b'\n').count() - 1)
        .sum();
    assert!(
        received <= stored.len() + twice + kills * 5,
        "{received} events were sent for {} calls and {kills} killed uploads",
        stored.len()
    );
}

fn id_of(line: &str) -> String {
    let (_, rest) = line.split_once(r#""tool_use","id":""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_to_logs_and_uploads_nothing_is_lost_and_little_sent_twice(
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(&steps));
    }
}

#[tokio::test]
async fn two_runs_at_once_lose_nothing() {
    let home = Home::with(300);
    let hub = Hub::without_faults().await;
    let (a, b) = tokio::join!(home.upload(&hub, small()), home.upload(&hub, small()));
    assert_done(&a);
    assert_done(&b);
    let expected: BTreeSet<String> = (0..300).map(|n| format!("toolu_{n:05}")).collect();
    assert_eq!(hub.stored(), expected);
}
