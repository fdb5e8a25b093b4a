//! Bad connections: none, a slow one, a reload in the middle, and two tabs on one story.

use worker::scripted::ScriptedEngine;

use super::browser::Browser;
use super::photo;
use crate::harness::{Service, small_picture};

/// A telephone in a cellar.
const SLOW: u32 = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_story_survives_lost_lines_reloads_and_a_second_tab() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    let gate = ("metadata", r#"{"script":"gate"}"#);
    let id = service.accepted(&small_picture(5), &[gate]).await;
    let browser = Browser::open().await;
    let address = format!("{}/#{id}", service.address);
    browser.visit(&address).await;
    browser
        .finds("document.getElementById('status').textContent.includes('Writing')")
        .await;

    browser.goes_offline().await;
    browser
        .finds("document.getElementById('status').textContent.includes('Your story is kept')")
        .await;
    browser.complains_only_of("INTERNET_DISCONNECTED").await;
    browser.comes_back().await;
    browser
        .finds("document.getElementById('status').textContent.includes('Writing')")
        .await;
    // the last request of the dead line may complain after the others
    browser.complains_only_of("INTERNET_DISCONNECTED").await;

    browser.reload().await;
    browser
        .finds("document.getElementById('status').textContent.includes('Writing')")
        .await;
    let first = browser.second_tab().await;
    browser.visit(&address).await;
    browser
        .finds("document.getElementById('status').textContent.includes('Writing')")
        .await;
    tells.open();
    browser.sees("#story p").await;
    browser.switch_to(first).await;
    browser.sees("#story p").await;
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_line_brings_the_picture_and_a_dead_one_keeps_it_on_the_page() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    browser.goes_offline().await;
    browser.press("#tell").await;
    let trouble = browser.text("#trouble:not(:empty)").await;
    assert!(trouble.contains("still here"), "{trouble}");
    browser.complains_only_of("INTERNET_DISCONNECTED").await;

    browser.slows_to(SLOW).await;
    browser.press("#tell").await;
    browser
        .finds("document.getElementById('progress').value > 0")
        .await;
    browser.sees("#story p").await;
    browser.close().await;
    service.stop().await;
}
