//! A real Chromium behind chromedriver: one verb for each thing a person does with the page.
//! What must stay true: a machine without a browser fails the test and says what to install; a browser that complains (an
//! error in a script, a blocked file) fails it too; everything ends with the test.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::wd::PrintConfiguration;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::Program;

/// A busy machine with two cores opens a page and tells a scripted story well within it.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than a page has places for the focus.
const MOST_TABS: usize = 60;

/// chromedriver on a free port; its browser ends with it.
struct Driver {
    _program: Program,
    address: String,
}

/// It takes a free port for one family of addresses, asks for the same in the other, and ends if somebody has that.
const STARTS: usize = 5;

impl Driver {
    fn start() -> Driver {
        (0..STARTS)
            .find_map(|_| Self::start_once())
            .expect("chromedriver says on which port it listens")
    }

    fn start_once() -> Option<Driver> {
        let mut driver = Command::new("chromedriver");
        let driver = driver.arg("--port=0").stdout(Stdio::piped());
        let program = Program::start(driver.stderr(Stdio::null()));
        let mut program = program.unwrap_or_else(|error| {
            panic!(
                "the page is tested in a real browser, and there is no chromedriver here ({error}). Install it with \
                 Chromium: `make setup-tests` does on Debian as root; elsewhere chromium and chromedriver of one version"
            )
        });
        let said = BufReader::new(program.stdout.take().unwrap());
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let port = line.split_once("successfully on port ")?.1;
            Some(port.trim_end_matches('.').to_owned())
        })?;
        Some(Driver {
            _program: program,
            address: format!("http://127.0.0.1:{port}"),
        })
    }
}

/// A browser with a camera that shows a turning disc, and with nobody's past.
pub(crate) struct Browser {
    client: Client,
    http: reqwest::Client,
    session: String,
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// Opens one.
    pub(crate) async fn open() -> Browser {
        let driver = Driver::start();
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--lang=en",
            "--force-prefers-reduced-motion",
            "--use-fake-device-for-media-stream=device-count=2",
            "--use-fake-ui-for-media-stream",
            "--window-size=1100,900",
            "--hide-scrollbars",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let wishes = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wishes.as_object().unwrap().clone())
            .connect(&driver.address)
            .await
            .unwrap();
        let id = client.session_id().await.unwrap().unwrap();
        Browser {
            client,
            http: reqwest::Client::new(),
            session: format!("{}/session/{id}", driver.address),
            _driver: driver,
            _profile: profile,
        }
    }

    /// Goes to an address, from an empty page: a new `#room` alone would load nothing anew.
    pub(crate) async fn visit(&self, address: &str) {
        self.client.goto("about:blank").await.unwrap();
        self.client.goto(address).await.unwrap();
    }

    /// Follows a link of the page to another of its rooms.
    pub(crate) async fn enter(&self, room: &str) {
        self.run(&format!("location.hash = '{room}'")).await;
    }

    /// Loads the page again.
    pub(crate) async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    /// Goes one page back.
    pub(crate) async fn back(&self) {
        self.client.back().await.unwrap();
    }

    /// Opens a second tab and goes on there; answers with what leads back to the first.
    pub(crate) async fn second_tab(&self) -> fantoccini::wd::WindowHandle {
        let first = self.client.window().await.unwrap();
        let second = self.client.new_window(true).await.unwrap().handle;
        self.client.switch_to_window(second).await.unwrap();
        first
    }

    /// Goes on in this tab.
    pub(crate) async fn switch_to(&self, tab: fantoccini::wd::WindowHandle) {
        self.client.switch_to_window(tab).await.unwrap();
    }

    /// Waits for an element that a person can see.
    #[track_caller]
    pub(crate) fn sees(&self, css: &str) -> impl Future<Output = Element> {
        let place = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            loop {
                if let Ok(element) = self.client.find(Locator::Css(css)).await
                    && element.is_displayed().await.unwrap_or(false)
                {
                    return element;
                }
                if begun.elapsed() > PATIENCE {
                    let page = self.run("return document.body.innerText").await;
                    panic!("{place}: nobody sees {css}; the page says {page}");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Waits until a script finds something to be so.
    #[track_caller]
    pub(crate) fn finds(&self, condition: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            while self.run(&format!("return Boolean({condition})")).await != true {
                if begun.elapsed() > PATIENCE {
                    let page = self.run("return document.body.innerText").await;
                    panic!("{place}: it never is so that {condition}; the page says {page}");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Presses what can be seen.
    #[track_caller]
    pub(crate) fn press(&self, css: &str) -> impl Future<Output = ()> {
        let sees = self.sees(css);
        async move { sees.await.click().await.unwrap() }
    }

    /// Types into a field.
    pub(crate) async fn types(&self, css: &str, text: &str) {
        self.sees(css).await.send_keys(text).await.unwrap();
    }

    /// Strikes a key, wherever the keyboard is.
    pub(crate) async fn strikes(&self, key: char) {
        let strike = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key });
        self.client.perform_actions(strike).await.unwrap();
    }

    /// Goes on with the tabulator until the element of this id has the focus; once around the page is all it takes.
    pub(crate) async fn tabs_to(&self, id: &str) {
        for _ in 0..MOST_TABS {
            self.strikes('\u{e004}').await;
            if self.run("return document.activeElement.id").await == id {
                return;
            }
        }
        panic!("the tabulator does not lead to #{id}");
    }

    /// Chooses files; the field itself is hidden behind its label.
    pub(crate) async fn chooses(&self, css: &str, files: &[&Path]) {
        let names: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
        let field = self.client.find(Locator::Css(css)).await.unwrap();
        field.send_keys(&names.join("\n")).await.unwrap();
    }

    /// What an element says once it can be seen.
    pub(crate) async fn text(&self, css: &str) -> String {
        self.sees(css).await.text().await.unwrap()
    }

    /// Runs a script in the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Runs a script that calls `arguments[0]` when it is done.
    pub(crate) async fn run_to_its_end(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.unwrap()
    }

    /// Speaks Chromium's own protocol: lines, colours, sizes.
    pub(super) async fn tells_chromium(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.driver("goog/cdp/execute", body).await
    }

    /// Runs a script before any of the page's own, whenever a page is loaded.
    pub(crate) async fn prepares(&self, script: &str) {
        let script = json!({"source": script});
        self.tells_chromium("Page.addScriptToEvaluateOnNewDocument", script)
            .await;
    }

    /// Lets pages use what a person is asked about otherwise.
    pub(crate) async fn allows(&self, permissions: &[&str]) {
        let granted = json!({"permissions": permissions});
        self.tells_chromium("Browser.grantPermissions", granted)
            .await;
    }

    /// The page on paper, as PDF.
    pub(crate) async fn prints(&self) -> Vec<u8> {
        let paper = PrintConfiguration::default();
        self.client.print(paper).await.unwrap()
    }

    /// From now on the form wishes for this script of the engine.
    pub(crate) async fn wishes_for(&self, script: &str) {
        let label = format!("{{\"script\":\"{script}\"}}");
        let wish = format!(
            "const label = Object.assign(document.createElement('input'), {{ type: 'hidden', name: 'metadata', value: '{label}' }});
             document.getElementById('form').append(label);"
        );
        self.run(&wish).await;
    }

    /// Takes the mouse into a corner, where nothing is.
    pub(crate) async fn leaves_the_mouse(&self) {
        let corner = json!({"type": "mouseMoved", "x": 2, "y": 2});
        self.tells_chromium("Input.dispatchMouseEvent", corner)
            .await;
    }

    /// Cuts the line.
    pub(crate) async fn goes_offline(&self) {
        let none = json!({"offline": true, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.line(none).await;
    }

    /// Mends the line.
    pub(crate) async fn comes_back(&self) {
        let good = json!({"offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.line(good).await;
    }

    /// Makes the line this slow, in bytes a second.
    pub(crate) async fn slows_to(&self, rate: u32) {
        let slow = json!({"offline": false, "latency": 200, "downloadThroughput": rate, "uploadThroughput": rate});
        self.line(slow).await;
    }

    async fn line(&self, line: Value) {
        self.tells_chromium("Network.enable", json!({})).await;
        self.tells_chromium("Network.emulateNetworkConditions", line)
            .await;
    }

    /// How wide the window is, and in which colours the person likes it.
    pub(crate) async fn looks(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.tells_chromium("Emulation.setDeviceMetricsOverride", size)
            .await;
        self.prefers(scheme).await;
    }

    /// In which colours the person likes it.
    pub(super) async fn prefers(&self, scheme: &str) {
        let colours = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]});
        self.tells_chromium("Emulation.setEmulatedMedia", colours)
            .await;
    }

    /// What the browser had to complain about since the last time somebody asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.driver("se/log", json!({"type": "browser"})).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Waits until the page knows its styles: before it, nothing can be told.
    pub(crate) async fn wakes(&self) {
        self.finds("document.getElementById('style').value !== ''")
            .await;
    }

    /// Asks for the complaints; all of them must be about this.
    pub(crate) async fn complains_only_of(&self, matter: &str) {
        let complaints = self.complaints().await;
        let about = |line: &String| line.contains(matter);
        assert!(complaints.iter().all(about), "{complaints:?}");
    }

    /// Waits for a complaint about this. What it complained of before is forgotten.
    pub(crate) async fn complains_of(&self, matter: &str) {
        let begun = Instant::now();
        while !self
            .complaints()
            .await
            .iter()
            .any(|one| one.contains(matter))
        {
            assert!(begun.elapsed() < PATIENCE, "no complaint of {matter}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it; no complaint may be left.
    pub(crate) async fn close(self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "the browser says {complaints:#?}");
        self.client.close().await.unwrap();
    }

    async fn driver(&self, command: &str, body: Value) -> Value {
        let request = self
            .http
            .post(format!("{}/{command}", self.session))
            .json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{command}: {answer}");
        answer["value"].clone()
    }
}
