//! The page in a real browser: a person drops a picture and reads its story.
//! Chromium is driven through chromedriver; without them the test says so and passes, except in CI.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;
use worker::scripted::ScriptedEngine;

use crate::harness::{Service, small_picture};

/// chromedriver on a free port, stopped when dropped.
struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    /// `None` where there is no browser to test with.
    fn start() -> Option<Driver> {
        let child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if std::env::var_os("CI").is_some() => panic!("no chromedriver: {error}"),
            Err(_) => return None,
        };
        let port = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                Some(
                    line.split_once("successfully on port ")?
                        .1
                        .trim_end_matches('.')
                        .to_owned(),
                )
            })
            .expect("chromedriver says on which port it listens");
        Some(Driver {
            child,
            address: format!("http://127.0.0.1:{port}"),
        })
    }

    async fn browser(&self, profile: &std::path::Path) -> Client {
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
            "--window-size=1100,900",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let options = json!({"goog:chromeOptions": {"args": arguments}});
        ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(options.as_object().unwrap().clone())
            .connect(&self.address)
            .await
            .unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
async fn a_person_chooses_a_picture_and_reads_its_story() {
    let Some(driver) = Driver::start() else {
        eprintln!(
            "skipped: no chromedriver here (Debian: apt-get install chromium chromium-driver)"
        );
        return;
    };
    let service = Service::scripted(ScriptedEngine::new()).await;
    let profile = tempfile::tempdir().unwrap();
    let browser = driver.browser(profile.path()).await;
    browser.goto(&service.address).await.unwrap();

    let photo = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photos/cat.jpg");
    let picture = browser.find(Locator::Css("#picture")).await.unwrap();
    picture.send_keys(photo.to_str().unwrap()).await.unwrap();
    browser
        .find(Locator::Css("#tell"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    let story = browser
        .wait()
        .at_most(Duration::from_secs(60))
        .for_element(Locator::Css("#story p"))
        .await
        .expect("the story appears");
    assert!(is_shown(&story).await, "the story can be read");

    let text = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("LICENSE");
    browser.goto(&service.address).await.unwrap();
    let picture = browser.find(Locator::Css("#picture")).await.unwrap();
    picture.send_keys(text.to_str().unwrap()).await.unwrap();
    browser
        .find(Locator::Css("#tell"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    let complaint = browser
        .wait()
        .at_most(Duration::from_secs(30))
        .for_element(Locator::Css("[role=alert]:not([hidden]):not(:empty)"))
        .await
        .expect("the page says what is wrong with a picture that is none");
    assert!(
        complaint
            .text()
            .await
            .unwrap()
            .to_lowercase()
            .contains("picture")
    );
    browser.close().await.unwrap();
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
async fn a_story_that_was_stopped_is_told_after_all_at_the_press_of_a_button() {
    let Some(driver) = Driver::start() else {
        eprintln!("skipped: no chromedriver here");
        return;
    };
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    let gate = ("metadata", r#"{"script":"gate"}"#);
    let id = service.accepted(&small_picture(3), &[gate]).await;
    let cancel = format!("{}/v1/stories/{id}/cancel", service.address);
    let cancelled = reqwest::Client::new().post(cancel).send().await.unwrap();
    assert!(cancelled.status().is_success());
    tells.open();

    let profile = tempfile::tempdir().unwrap();
    let browser = driver.browser(profile.path()).await;
    let page = format!("{}/#{id}", service.address);
    browser.goto(&page).await.unwrap();
    let retry = browser
        .wait()
        .at_most(Duration::from_secs(30))
        .for_element(Locator::Css("#retry:not([hidden])"))
        .await
        .expect("a stopped story can be tried once more");
    retry.click().await.unwrap();
    let story = browser
        .wait()
        .at_most(Duration::from_secs(60))
        .for_element(Locator::Css("#story p"))
        .await
        .expect("the story appears");
    assert!(is_shown(&story).await, "the story can be read");
    let retry = browser.find(Locator::Css("#retry")).await.unwrap();
    assert!(!retry.is_displayed().await.unwrap());
    browser.close().await.unwrap();
    service.stop().await;
}

/// Whether there is text to read, now or within five seconds: a paragraph is there a moment before it is shown.
async fn is_shown(element: &fantoccini::elements::Element) -> bool {
    for _ in 0..50 {
        if !element.text().await.unwrap().trim().is_empty() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}
