//! As much of a WebDriver client as the tests need (<https://www.w3.org/TR/webdriver2/>), over the HTTP client that the
//! tests have already. The crates for it bring a second HTTP client, or a licence that `deny.toml` does not have.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::harness::process;

/// A browser of its own, with nothing stored. It ends with the test.
pub(super) struct Driver {
    session: String,
    http: reqwest::Client,
    /// Killed when dropped. The browser outlives a driver that is killed.
    browser: Option<Pid>,
    _process: Child,
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(browser) = self.browser {
            // It may have ended by itself.
            let _ = kill_process(browser, Signal::KILL);
        }
    }
}

/// Says on the terminal that a test is skipped, past the capture of the test harness.
///
/// # Panics
/// With `TOOLHUB_TEST_BROWSER=required`.
pub(super) fn skip(why: &str) {
    let required = env::var_os("TOOLHUB_TEST_BROWSER").is_some_and(|value| value == "required");
    assert!(!required, "{why}");
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED, the pages were not tried in a browser: {why}"
    );
}

fn find(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file())
}

impl Driver {
    /// Starts a browser. None where there is none.
    ///
    /// # Panics
    /// When it is there and does not start.
    pub(super) async fn start() -> Option<Driver> {
        let (Some(browser), Some(driver)) = (
            find(&["chromium", "chromium-browser", "google-chrome"]),
            find(&["chromedriver"]),
        ) else {
            skip("install Chromium and its driver (Debian: chromium, chromium-driver)");
            return None;
        };
        let mut child = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the driver starts");
        let stdout = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let port: u16 = loop {
            let line = lines
                .next_line()
                .await
                .expect("it can be read")
                .expect("it says its port");
            let port = line
                .split_once("successfully on port ")
                .map(|(_, port)| port.trim_end_matches('.').parse());
            if let Some(Ok(port)) = port {
                break port;
            }
        };
        // What it writes later is not needed, and must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let http = process::http();
        let base = format!("http://127.0.0.1:{port}/session");
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": {
                "binary": browser,
                "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"],
            },
            "goog:loggingPrefs": { "browser": "ALL" },
            // An element of a page that is still on its way is waited for.
            "timeouts": { "implicit": 10_000 },
        } } });
        let answer = ask(&http, reqwest::Method::POST, &base, &wanted).await;
        let id = answer["sessionId"].as_str().expect("a session has an id");
        Some(Driver {
            session: format!("{base}/{id}"),
            http,
            browser: answer["capabilities"]["goog:processID"]
                .as_i64()
                .and_then(|pid| Pid::from_raw(pid.try_into().ok()?)),
            _process: child,
        })
    }

    async fn post(&self, command: &str, body: &Value) -> Value {
        let url = format!("{}/{command}", self.session);
        ask(&self.http, reqwest::Method::POST, &url, body).await
    }

    async fn get(&self, command: &str) -> Value {
        let url = format!("{}/{command}", self.session);
        ask(&self.http, reqwest::Method::GET, &url, &Value::Null).await
    }

    /// Goes to an address.
    pub(super) async fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url })).await;
    }

    /// The address that it shows.
    pub(super) async fn url(&self) -> String {
        self.get("url").await.as_str().unwrap_or_default().to_owned()
    }

    async fn element(&self, selector: &str) -> String {
        let found = self
            .post("element", &json!({ "using": "css selector", "value": selector }))
            .await;
        let id = found.as_object().and_then(|found| found.values().next());
        id.and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {selector}: {found}"))
            .to_owned()
    }

    /// Clicks an element, as a person would.
    pub(super) async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/click"), &json!({})).await;
    }

    /// Clicks what leads to another page, and waits until that is there.
    pub(super) async fn follow(&self, selector: &str) {
        self.run("window.isLeft = true;").await;
        self.click(selector).await;
        self.arrived().await;
    }

    /// Types what leads to another page, and waits until that is there.
    pub(super) async fn type_and_follow(&self, selector: &str, text: &str) {
        self.run("window.isLeft = true;").await;
        self.type_into(selector, text).await;
        self.arrived().await;
    }

    async fn arrived(&self) {
        let script = json!({
            // An empty document may come between the two pages.
            "script": "return window.isLeft === undefined && document.readyState === 'complete'
                && document.querySelector('h1') !== null;",
            "args": [],
        });
        let url = format!("{}/execute/sync", self.session);
        process::until("another page is there", async || {
            // The page that is left may take the script with it.
            let answer = self.http.post(&url).body(script.to_string()).send().await;
            let text = match answer {
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            serde_json::from_str::<Value>(&text).is_ok_and(|answer| answer["value"] == true)
        })
        .await;
    }

    /// Types into a field, or presses keys in it.
    pub(super) async fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/value"), &json!({ "text": text }))
            .await;
    }

    /// The text that an element shows.
    pub(super) async fn text(&self, selector: &str) -> String {
        let element = self.element(selector).await;
        let text = self.get(&format!("element/{element}/text")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// The result of a script.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
            .await
    }

    /// The result that a script gives to its last argument.
    pub(super) async fn run_later(&self, script: &str) -> Value {
        self.post("execute/async", &json!({ "script": script, "args": [] }))
            .await
    }

    async fn devtools(&self, command: &str, parameters: &Value) {
        self.post(
            "goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        )
        .await;
    }

    /// Makes the window this large.
    pub(super) async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size).await;
    }

    /// Makes the system prefer light or dark.
    pub(super) async fn prefer(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &features).await;
    }

    /// Lays the page out as on paper.
    pub(super) async fn print(&self) {
        self.devtools("Emulation.setEmulatedMedia", &json!({ "media": "print" }))
            .await;
    }

    /// Writes what the window shows to `target/screenshots`.
    pub(super) async fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        fs::create_dir_all(&folder).expect("the folder can be made");
        let image = self.get("screenshot").await;
        let bytes = BASE64_STANDARD
            .decode(image.as_str().unwrap_or_default())
            .expect("it is Base64");
        fs::write(folder.join(format!("{name}.png")), bytes).expect("it can be written");
    }

    /// The warnings and errors of the console since it was asked last.
    pub(super) async fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .map(|entry| entry["message"].to_string())
            .collect()
    }
}

async fn ask(http: &reqwest::Client, method: reqwest::Method, url: &str, body: &Value) -> Value {
    let request = http.request(method.clone(), url);
    let request = if method == reqwest::Method::GET {
        request
    } else {
        request.body(body.to_string())
    };
    let response = request
        .send()
        .await
        .unwrap_or_else(|error| panic!("{url}: {error}"));
    let status = response.status();
    let text = response.text().await.expect("an answer has a body");
    assert!(status.is_success(), "{url} {body}: {text}");
    let mut answer: Value = serde_json::from_str(&text).expect("an answer is JSON");
    answer["value"].take()
}
