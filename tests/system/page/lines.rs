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

/// The answer to the first upload is lost on its way.
const ANSWER_LOST: &str = "
    window.sends = 0;
    window.XMLHttpRequest = class extends XMLHttpRequest {
      constructor() {
        super();
        window.sends += 1;
        const lose = (event) => { event.stopImmediatePropagation(); this.dispatchEvent(new ProgressEvent('error')); };
        if (sends === 1) this.addEventListener('load', lose);
      }
    };
";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_costs_no_second_story() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.prepares(ANSWER_LOST).await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    browser.press("#tell").await;
    browser.sees("#told-actions").await;
    assert_eq!(browser.run("return sends").await, 2);
    let listed = service.get("/v1/stories").await.json();
    assert_eq!(listed["stories"].as_array().unwrap().len(), 1, "{listed}");
    browser.close().await;
    service.stop().await;
}

/// A browser that gets no events at all.
const NO_EVENTS: &str = "
    window.EventSource = class { static OPEN = 1; static CLOSED = 2; readyState = 2; addEventListener() {} close() {} };
";

#[tokio::test(flavor = "multi_thread")]
async fn a_story_is_told_without_a_stream_of_events_too() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    let gate = ("metadata", r#"{"script":"gate"}"#);
    let id = service.accepted(&small_picture(4), &[gate]).await;
    let browser = Browser::open().await;
    browser.prepares(NO_EVENTS).await;
    browser.visit(&format!("{}/#{id}", service.address)).await;
    browser
        .finds("document.getElementById('status').textContent.includes('Writing')")
        .await;
    tells.open();
    assert!(browser.text("#story p").await.contains("Once upon a time"));
    browser.close().await;
    service.stop().await;
}

/// More than a worker takes at a time.
const CROWD: u8 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_in_line_reads_how_many_are_before_and_how_long_it_takes() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    // the pace is known by the first that was told, and seconds are told only where there are some
    let slow = ("metadata", r#"{"script":"slow:2000ms"}"#);
    let first = service.accepted(&small_picture(0), &[slow]).await;
    service.finished(&first).await;
    for seed in 1..=CROWD {
        let gate = ("metadata", r#"{"script":"gate"}"#);
        service.accepted(&small_picture(seed), &[gate]).await;
    }
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    browser.press("#tell").await;
    browser
        .finds("document.getElementById('status').textContent.includes('before yours')")
        .await;
    browser.sees("#steps .now[data-step=queued]").await;
    assert!(browser.text("#eta").await.contains("to go"));
    tells.open();
    browser.sees("#told-actions").await;
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_seen_in_whichever_room_it_happens_and_takes_no_story_away() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let id = service.accepted(&small_picture(2), &[]).await;
    service.finished(&id).await;
    let browser = Browser::open().await;
    let gallery = format!("{}/#gallery", service.address);
    browser.visit(&gallery).await;
    browser.run_to_its_end(&super::sheet::drop(0)).await;
    assert!(browser.text("#trouble").await.contains("words.txt"));
    browser.sees("#gallery").await;
    browser.enter("#mine").await;
    browser
        .finds("document.getElementById('trouble').hidden")
        .await;

    browser.enter(&format!("#{id}")).await;
    browser.sees("#told-actions").await;
    browser.goes_offline().await;
    for press in ["#delete", "#sure"] {
        browser.press(press).await;
    }
    assert!(browser.text("#trouble").await.contains("not answer"));
    browser.sees("#story p").await;
    // what cannot be sent leads back to the story, and only after some tries
    browser.press("#tell-on").await;
    browser
        .finds("document.getElementById('status').textContent.includes('Trying again')")
        .await;
    assert!(
        browser
            .text("#trouble:not(:empty)")
            .await
            .contains("not answer")
    );
    browser.comes_back().await;
    browser.sees("#told-actions").await;
    browser.finds(&format!("location.hash === '#{id}'")).await;
    browser.complains_only_of("INTERNET_DISCONNECTED").await;
    browser.close().await;
    service.stop().await;
}

/// The answer to an upload arrives when `answer` is called.
const ANSWER_HELD: &str = "
    window.XMLHttpRequest = class extends XMLHttpRequest {
      constructor() {
        super();
        const hold = (event) => {
          event.stopImmediatePropagation();
          window.answer = () => { this.removeEventListener('load', hold); this.dispatchEvent(new ProgressEvent('load')); };
        };
        this.addEventListener('load', hold);
      }
    };
";

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_before_somebody_left_is_kept_for_them_and_what_nobody_wants_is_deleted() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.prepares(ANSWER_HELD).await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    browser.press("#tell").await;
    browser.finds("window.answer").await;
    browser.enter("#gallery").await;
    browser.run("answer(); delete window.answer").await;
    browser.enter("#mine").await;
    browser.sees("#mine-tiles .tile").await;

    browser.enter("").await;
    browser.press("#tell").await;
    browser.finds("window.answer").await;
    browser.press("#cancel").await;
    browser.sees("#form").await;
    browser.run("answer()").await;
    let listed = service.get("/v1/stories").await.json();
    let [unwanted, kept] = listed["stories"].as_array().unwrap().as_slice() else {
        panic!("{listed}");
    };
    service.is_removed(unwanted["id"].as_str().unwrap()).await;
    let kept = service.finished(kept["id"].as_str().unwrap()).await;
    assert_eq!(kept["state"], "succeeded", "{kept}");
    browser.close().await;
    service.stop().await;
}
