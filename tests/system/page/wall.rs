//! The wall: shared stories one after the other, by themselves and by hand, and a way to the booth.

use scripted::ScriptedEngine;

use super::browser::Browser;
use super::photo;
use crate::harness::Service;

/// Counts whom the screen is kept awake for.
const AWAKE: &str = "
    window.awake = 0;
    const request = async () => { window.awake += 1; return { release: () => { window.awake -= 1; } }; };
    Object.defineProperty(Navigator.prototype, 'wakeLock', { configurable: true, value: { request } });
";

/// Names the timers that are under way for the next slide: in twenty seconds.
const TIMED: &str = "
    window.due = new Set();
    const set = window.setTimeout, clear = window.clearTimeout;
    window.setTimeout = (act, after, ...more) => {
      const timer = set((...all) => { due.delete(timer); act(...all); }, after, ...more);
      if (after === 20000) due.add(timer);
      return timer;
    };
    window.clearTimeout = (timer) => { due.delete(timer); clear(timer); };
";

/// Whether the code on the wall is the one for this address.
const CODE: &str = "
    const end = arguments[0];
    import('/assets/lean-qr.js').then(({ generate }) => {
      const wanted = document.createElement('canvas');
      generate(`${location.origin}/?booth`).toCanvas(wanted, { on: [0, 0, 0, 255], off: [255, 255, 255, 255] });
      end(wanted.toDataURL() === document.getElementById('booth-code').toDataURL());
    }, (error) => end(String(error)));
";

/// Three stories that everybody may see, the newest first.
async fn shared(service: &Service) -> Vec<String> {
    let mut ids = Vec::new();
    for name in ["cat.jpg", "dogs.jpg", "rocket.jpg"] {
        let picture = std::fs::read(photo(name)).unwrap();
        let id = service.accepted(&picture, &[]).await;
        service.finished(&id).await;
        service.shares(&id, true).await;
        ids.insert(0, id);
    }
    ids
}

async fn shows(browser: &Browser, id: &str) {
    browser
        .finds(&format!(
            "document.getElementById('slide-picture').src.includes('{id}')"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wall_goes_on_by_itself_and_by_hand_and_leads_to_the_booth() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let ids = shared(&service).await;
    let browser = Browser::open().await;
    browser.prepares(AWAKE).await;
    let wall = |seconds: u32| format!("{}/?seconds={seconds}#slideshow", service.address);
    browser.visit(&wall(1)).await;
    for id in [&ids[0], &ids[1], &ids[2], &ids[0]] {
        shows(&browser, id).await;
    }

    browser.visit(&wall(3600)).await;
    shows(&browser, &ids[0]).await;
    browser.press("#slide-back").await;
    shows(&browser, &ids[2]).await;
    browser.press("#slide-on").await;
    shows(&browser, &ids[0]).await;
    // two quick ones are two steps
    browser
        .run("document.getElementById('slide-on').click(); document.getElementById('slide-on').click()")
        .await;
    shows(&browser, &ids[2]).await;
    assert_eq!(browser.run_to_its_end(CODE).await, true);

    browser.press("#slide-full").await;
    browser.finds("document.fullscreenElement").await;
    browser.leaves_the_mouse().await;
    browser
        .finds("getComputedStyle(document.querySelector('.wall-foot .actions')).opacity === '0'")
        .await;
    browser.finds("awake === 1").await;
    browser.enter("#gallery").await;
    browser.finds("awake === 0").await;
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_that_is_paused_stays_until_it_is_let_go_on() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let ids = shared(&service).await;
    let browser = Browser::open().await;
    browser.prepares(TIMED).await;
    let wall = format!("{}/#slideshow", service.address);
    browser.visit(&wall).await;
    shows(&browser, &ids[0]).await;
    browser.finds("due.size === 1").await;
    browser.press("#slide-pause").await;
    browser.sees("#slide-pause[aria-pressed=true]").await;
    browser.finds("due.size === 0").await;
    // by hand it goes on, and stays again
    browser.press("#slide-on").await;
    shows(&browser, &ids[1]).await;
    browser.sees("#slide.enters").await;
    browser.finds("due.size === 0").await;
    // the space bar is for whoever has a keyboard
    browser
        .run("document.getElementById('slideshow-title').focus(); document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: ' ', bubbles: true, cancelable: true }))")
        .await;
    browser.sees("#slide-pause[aria-pressed=false]").await;
    browser.finds("due.size === 1").await;
    browser.close().await;
    service.stop().await;
}
