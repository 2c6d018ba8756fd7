//! A PostgreSQL in a container, shared by all test processes of a user.
//!
//! It stops and removes itself after a period without connections, because neither a killed test process nor one that
//! ends normally can clean up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};

use store::session::Session;

/// Runs in the container. The image's own entry point starts the server; then there must be a connection at least every
/// half minute. Test processes keep a connection open while they run.
const COMMAND: &str = r#"
docker-entrypoint.sh postgres -c fsync=on -c synchronous_commit=on -c max_connections=500 &
server=$!
idle=0
while [ "$idle" -lt 30 ]; do
    sleep 1
    users=$(psql -U toolhub -d postgres -Atc "select count(*) from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()" 2>/dev/null)
    if [ "${users:-0}" -gt 0 ]; then idle=0; else idle=$((idle + 1)); fi
done
kill -INT "$server"
wait "$server"
"#;

/// How long getting the image and starting the container may take.
const START: Duration = Duration::from_secs(180);

/// The address of the maintenance database of the container, started if none runs.
///
/// # Errors
/// The reason why there is none.
pub(crate) async fn url(place: &Path) -> Result<String, String> {
    find_engine()?;
    let path = place.join("container.lock");
    let turn = std::fs::File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    while turn.try_lock().is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let noted = place.join("container");
    if let Ok(url) = std::fs::read_to_string(&noted)
        && stay_connected(&url).await.is_ok()
    {
        return Ok(url);
    }
    let url = tokio::time::timeout(START, start())
        .await
        .map_err(|_| "the container did not start in time")??;
    write_private(&noted, &url).map_err(|error| format!("{}: {error}", noted.display()))?;
    Ok(url)
}

async fn start() -> Result<String, String> {
    let random = || getrandom::u64().map_err(|error| error.to_string());
    let password = format!("{:016x}{:016x}", random()?, random()?);
    let container = GenericImage::new("postgres", "15-alpine")
        .with_entrypoint("sh")
        // Checked over the network: the image starts the server twice, the first time only for its own set-up.
        .with_wait_for(WaitFor::Nothing)
        .with_exposed_port(5432.tcp())
        .with_cmd(["-c", COMMAND])
        .with_env_var("POSTGRES_USER", "toolhub")
        .with_env_var("POSTGRES_PASSWORD", &password)
        .with_host_config_modifier(|host| host.auto_remove = Some(true))
        .start()
        .await
        .map_err(|error| format!("the container does not start: {error}"))?;
    let host = container.get_host().await.map_err(|error| error.to_string())?;
    let port = container
        .get_host_port_ipv4(5432.tcp())
        .await
        .map_err(|error| error.to_string())?;
    let url = format!("postgresql://toolhub:{password}@{host}:{port}/postgres?sslmode=disable");
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = stay_connected(&url).await {
        if Instant::now() > deadline {
            return Err(format!("the container does not answer: {error}"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Its destructor would remove the container that other processes are going to use.
    std::mem::forget(container);
    Ok(url)
}

/// Opens a connection that stays open until this process ends, on a separate thread: the runtime of a test ends
/// with the test.
async fn stay_connected(url: &str) -> Result<(), String> {
    let (answer, connected) = tokio::sync::oneshot::channel();
    let url = url.to_owned();
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            match Session::connect(&url, "toolhub tests", &crate::LIMITS).await {
                Ok(_session) => {
                    // The caller may have given up; the connection must stay open.
                    let _ = answer.send(Ok(()));
                    std::future::pending::<()>().await;
                }
                Err(error) => {
                    let _ = answer.send(Err(error.to_string()));
                }
            }
        });
    });
    connected
        .await
        .unwrap_or_else(|_| Err("no thread to connect from".to_owned()))
}

/// Checks whether a Docker engine answers at the addresses that testcontainers uses; takes a moment when there is none.
fn find_engine() -> Result<(), String> {
    let addresses = match std::env::var("DOCKER_HOST") {
        Ok(host) if !host.is_empty() => vec![host],
        _ => {
            let below =
                |variable: &str, path: &str| Some(PathBuf::from(std::env::var_os(variable)?).join(path));
            [
                Some(PathBuf::from("/var/run/docker.sock")),
                below("XDG_RUNTIME_DIR", ".docker/run/docker.sock"),
                below("HOME", ".docker/run/docker.sock"),
                below("HOME", ".docker/desktop/docker.sock"),
            ]
            .into_iter()
            .flatten()
            .map(|path| format!("unix://{}", path.display()))
            .collect()
        }
    };
    if addresses.iter().any(|address| answers(address).unwrap_or(false)) {
        return Ok(());
    }
    Err(format!("no Docker engine answers at {}", addresses.join(", ")))
}

fn answers(address: &str) -> std::io::Result<bool> {
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(2));

    fn ping(mut stream: impl Read + Write) -> std::io::Result<bool> {
        stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")?;
        let mut answer = [0_u8; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer.ends_with(b" 200"))
    }

    if let Some(path) = address.strip_prefix("unix://") {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(TIMEOUT)?;
        return ping(stream);
    }
    let Some((_, host)) = address.split_once("://") else {
        return Ok(false);
    };
    for address in std::net::ToSocketAddrs::to_socket_addrs(host.trim_end_matches('/'))? {
        let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_secs(2)) else {
            continue;
        };
        // An engine behind TLS does not answer an unencrypted request; an open port has to be sufficient.
        stream.set_read_timeout(TIMEOUT)?;
        return Ok(std::env::var_os("DOCKER_TLS_VERIFY").is_some() || ping(stream)?);
    }
    Ok(false)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
