//! Rough treatment: killed owners, killed servers, machines that stop in the middle.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use embedded::running_url;
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::{connect, initialised_place, is_alive, learn_program, start, until};

#[tokio::test]
async fn killing_the_owner_takes_the_server_along_and_the_next_start_works() {
    let place = initialised_place().await;
    for round in 0..2 {
        let mut owner = Owner::start(place.path());
        assert!(is_alive(owner.server));
        owner.process.kill().unwrap();
        owner.process.wait().unwrap();
        if round == 0 {
            // The watcher ends it; the other round does not wait for that.
            until("the server is gone", || !is_alive(owner.server)).await;
        }
        let server = start(place.path()).await.expect("the next start");
        connect(&server).await.ping().await.unwrap();
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_left_behind_without_a_watcher_is_stopped_by_the_next_start() {
    let place = initialised_place().await;
    let (program, account) = learn_program(place.path()).await;
    let mut leftover = spawn_postgres(&program, account, place.path());
    until("the leftover is ready", || {
        running_url(place.path()).unwrap().is_some()
    })
    .await;

    let server = start(place.path()).await.expect("the leftover is stopped");
    let pid = leftover.id().cast_signed();
    assert!(leftover.try_wait().unwrap().is_some(), "the leftover has ended");
    assert_ne!(server.pid(), pid);
    connect(&server).await.ping().await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_hard_killed_server_leaves_does_not_block_and_costs_nothing_committed() {
    let place = initialised_place().await;
    let server = start(place.path()).await.unwrap();
    let store = connect(&server).await;
    store.migrate().await.unwrap();
    kill_process(Pid::from_raw(server.pid()).unwrap(), Signal::KILL).unwrap();
    drop((store, server));
    assert!(
        place.path().join("postgres/data/postmaster.pid").exists(),
        "the server could not clean up"
    );

    let server = start(place.path()).await.expect("it recovers");
    connect(&server).await.check_schema().await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_process_that_got_the_number_of_a_dead_server_is_left_alone() {
    let place = initialised_place().await;
    let (_, (uid, gid)) = learn_program(place.path()).await;
    // Of the same account, which PostgreSQL itself would take for a running server.
    let mut sleep = Command::new("sleep");
    sleep.arg("600");
    if geteuid().is_root() {
        sleep.uid(uid).gid(gid);
    }
    let mut bystander = sleep.spawn().unwrap();
    let data = place.path().join("postgres/data");
    let pid_file = format!(
        "{}\n{}\n1\n5432\n/nowhere\n\n  1 1\nready\n",
        bystander.id(),
        data.display()
    );
    std::fs::write(data.join("postmaster.pid"), pid_file).unwrap();
    assert_eq!(
        running_url(place.path()).unwrap(),
        None,
        "a stranger is not a server"
    );

    let started = start(place.path()).await;
    assert!(bystander.try_wait().unwrap().is_none(), "the stranger lives");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    started
        .expect("the stale file does not block")
        .stop()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_interrupted_first_start_is_begun_again() {
    let place = initialised_place().await;
    let home = place.path().join("postgres");
    // What is there when the machine loses power in the middle of initdb.
    std::fs::rename(home.join("data"), home.join("data.unfinished")).unwrap();
    std::fs::remove_file(home.join("data.unfinished/global/pg_control")).unwrap();
    let server = start(place.path()).await.expect("it starts from the beginning");
    server.stop().await.unwrap();
}

/// Not a test: the process that [`Owner`] starts and kills.
#[tokio::test]
#[ignore = "run by other tests as a process of its own"]
async fn owner() {
    let data_dir = std::env::var_os("EMBEDDED_OWNER").expect("started by Owner::start");
    let server = start(Path::new(&data_dir)).await.unwrap();
    println!("server={}", server.pid());
    std::future::pending::<()>().await;
}

/// A toolhub in a process of its own.
struct Owner {
    process: Child,
    server: i32,
}

impl Owner {
    fn start(data_dir: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashing::owner", "--ignored", "--nocapture"])
            .env("EMBEDDED_OWNER", data_dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let server = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("server=").and_then(|(_, pid)| pid.parse().ok()))
            .expect("the owner starts its server");
        Self { process, server }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts PostgreSQL without toolhub.
fn spawn_postgres(program: &Path, (uid, gid): (u32, u32), data_dir: &Path) -> Child {
    let mut command = Command::new(program);
    command
        .arg("-D")
        .arg(data_dir.join("postgres/data"))
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if geteuid().is_root() {
        command.uid(uid).gid(gid);
    }
    command.spawn().unwrap()
}
