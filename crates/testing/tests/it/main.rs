//! The test databases themselves: one per test, on a server that all processes share and none has to stop.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy does not see that these are tests"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use embedded::running_url;
use testing::TestDatabase;

#[tokio::test]
async fn a_test_sees_nothing_of_another() {
    let (one, other) = (TestDatabase::new().await, TestDatabase::new().await);
    connect(one.url())
        .await
        .batch_execute("create table mine (x int)")
        .await
        .unwrap();
    let seen = "select to_regclass('mine') is not null as seen";
    assert!(
        connect(one.url())
            .await
            .query_one(seen, &[])
            .await
            .unwrap()
            .get::<_, bool>("seen")
    );
    assert!(
        !connect(other.url())
            .await
            .query_one(seen, &[])
            .await
            .unwrap()
            .get::<_, bool>("seen")
    );
    one.store().await.check_schema().await.expect("migrated");
}

#[tokio::test]
async fn a_database_goes_with_its_test_even_while_in_use() {
    let remaining = TestDatabase::empty().await;
    let dropped = TestDatabase::new().await;
    let store = dropped.store().await;
    store.ping().await.unwrap();
    let name = dropped.url().rsplit('/').next().unwrap().to_owned();
    let name = name.split('?').next().unwrap();
    drop(dropped);
    let listed = "select exists (select from pg_database where datname = $1) as seen";
    assert!(
        !connect(remaining.url())
            .await
            .query_one(listed, &[&name])
            .await
            .unwrap()
            .get::<_, bool>("seen")
    );
}

#[tokio::test]
async fn the_test_server_is_as_durable_as_a_real_one() {
    let database = TestDatabase::empty().await;
    let durability = database.store().await.durability().await.unwrap();
    // An external server's settings are its owner's business.
    assert!(
        durability.is_durable() || std::env::var_os("TOOLHUB_TEST_DATABASE_URL").is_some(),
        "{durability:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_a_server_that_ends_after_the_last_of_them_even_if_killed() {
    // A place of its own, away from the server that this very process uses.
    let place = tempfile::Builder::new().prefix("th").tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut users = [User::start(place.path()), User::start(place.path())];
    let urls = users.each_mut().map(User::url);
    assert_eq!(server_of(&urls[0]), server_of(&urls[1]), "one server for both");

    let [first, second] = &mut users;
    first.process.kill().unwrap();
    first.process.wait().unwrap();
    connect(&urls[1])
        .await
        .simple_query("select 1")
        .await
        .expect("the other still uses it");
    second.process.kill().unwrap();
    second.process.wait().unwrap();

    let deadline = Instant::now() + Duration::from_secs(60);
    while let Some(left) = server_directory(place.path()) {
        assert!(Instant::now() < deadline, "{} is still there", left.display());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The directory of the server under `place`, whether it runs or not.
fn server_directory(place: &Path) -> Option<std::path::PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let entries = std::fs::read_dir(place.join(format!("toolhub-test-{uid}"))).unwrap();
    let found = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_dir())?;
    // Reading it must not fail because it vanishes meanwhile.
    let _ = running_url(&found.join("server"));
    Some(found)
}

fn server_of(url: &str) -> &str {
    url.rsplit_once('/').unwrap().0
}

/// Not a test: a process with a test database, until it is killed.
#[tokio::test]
#[ignore = "run by another test as a process of its own"]
async fn user() {
    let database = TestDatabase::new().await;
    println!("url={}", database.url());
    std::future::pending::<()>().await;
}

struct User {
    process: Child,
}

impl User {
    fn start(place: &Path) -> Self {
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "user", "--ignored", "--nocapture"])
            .env("TMPDIR", place)
            // The embedded server is what is tried here, whatever else the machine offers.
            .env_remove("TOOLHUB_TEST_DATABASE_URL")
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { process }
    }

    fn url(&mut self) -> String {
        use std::io::{BufRead, BufReader};

        let lines = BufReader::new(self.process.stdout.take().unwrap()).lines();
        let url = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("url=").map(|(_, url)| url.to_owned()));
        url.expect("the process gets a database")
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
