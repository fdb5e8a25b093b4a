//! Bad connections: none, a slow one, a reload in the middle, and two tabs on one story.

use scripted::ScriptedEngine;

use super::browser::Browser;
use super::photo;
use crate::harness::{Service, small_picture};

/// A telephone in a cellar.
const SLOW: u32 = 20_000;

/// Counts the streams of events that are opened, and what they say.
const COUNTED: &str = "
    window.streams = window.heard = 0;
    window.EventSource = class extends EventSource {
      constructor(address) {
        super(address);
        window.streams += 1;
        this.addEventListener('sentence', () => { window.heard += 1; });
      }
    };
";

/// The first stream of events is refused.
const REFUSED: &str = "
    window.EventSource = class extends EventSource {
      constructor(address) {
        super(window.refused ? address : '/v1/stories/none/events');
        window.refused = true;
      }
    };
";

/// Somebody looks at another tab for a moment.
const AWAY: &str = "
    document.querySelector('#story .sentence').dataset.stays = '';
    for (const away of [true, false]) {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => away });
      document.dispatchEvent(new Event('visibilitychange'));
    }
";

/// The engine writes, and one sentence is on the page, once.
async fn reads_the_beginning(browser: &Browser) {
    browser
        .finds("document.getElementById('status').textContent.includes('Writing')")
        .await;
    browser
        .finds("document.querySelector('#story .sentence')?.textContent.includes('Once upon')")
        .await;
    let sentences = browser
        .run("return document.querySelectorAll('#story .sentence').length")
        .await;
    assert_eq!(sentences, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_to_a_story_hears_nothing_twice() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    let gate = ("metadata", r#"{"script":"gate"}"#);
    let id = service.accepted(&small_picture(6), &[gate]).await;
    let browser = Browser::open().await;
    browser.prepares(COUNTED).await;
    let address = format!("{}/#{id}", service.address);
    browser.visit(&address).await;
    reads_the_beginning(&browser).await;
    browser.run(AWAY).await;
    browser.finds("streams === 2 && heard === 2").await;
    let stays = "document.querySelectorAll('#story .sentence[data-stays]').length === 1";
    browser.finds(stays).await;
    tells.open();
    browser
        .finds("!document.getElementById('told-actions').hidden")
        .await;
    // what was read aloud is not read again when all of it is there
    browser.finds(stays).await;

    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_that_is_refused_is_asked_for_again() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    let gate = ("metadata", r#"{"script":"gate"}"#);
    let id = service.accepted(&small_picture(7), &[gate]).await;
    let browser = Browser::open().await;
    browser.prepares(REFUSED).await;
    browser.visit(&format!("{}/#{id}", service.address)).await;
    // no other way brings a sentence of a story that is not told
    reads_the_beginning(&browser).await;
    browser.complains_only_of("none/events").await;
    tells.open();
    browser.sees("#told-actions").await;
    browser.close().await;
    service.stop().await;
}

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
    reads_the_beginning(&browser).await;

    browser.goes_offline().await;
    browser
        .finds("document.getElementById('status').textContent.includes('Your story is kept')")
        .await;
    browser.complains_only_of("INTERNET_DISCONNECTED").await;
    browser.comes_back().await;
    reads_the_beginning(&browser).await;
    // the last request of the dead line may complain after the others
    browser.complains_only_of("INTERNET_DISCONNECTED").await;

    browser.reload().await;
    reads_the_beginning(&browser).await;
    let first = browser.second_tab().await;
    browser.visit(&address).await;
    reads_the_beginning(&browser).await;
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
