//! The booth and the wall: a picture by camera, a story, a yes, and what hangs where others see it.

use scripted::ScriptedEngine;

use super::browser::Browser;
use crate::harness::{Service, small_picture};

/// Walks through the booth up to the question whether the story may be shown.
async fn told_in_the_booth(browser: &Browser) {
    browser.press("#start-booth").await;
    browser
        .finds("!document.getElementById('shoot').disabled")
        .await;
    browser.press("#shoot").await;
    browser.sees("#taken").await;
    browser.press("#retake").await;
    browser
        .finds("!document.getElementById('shoot').disabled")
        .await;
    browser.press("#shoot").await;
    browser.press("#keep").await;
    browser
        .finds("document.querySelector('#booth-cards input[value=sea]')")
        .await;
    browser
        .run("document.querySelector('#booth-cards input[value=sea]').click()")
        .await;
    browser.press("#tell").await;
    assert!(browser.text("#story p").await.contains("Once upon a time"));
    assert!(browser.text("#colophon").await.contains("sea"));
    browser.sees("#consent").await;
}

async fn sees_an_empty_gallery(browser: &Browser, service: &Service) {
    let gallery = format!("{}/#gallery", service.address);
    browser.visit(&gallery).await;
    let says = browser.text("#gallery-status").await;
    assert!(says.contains("Nothing hangs here yet"), "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_photographed_in_the_booth_and_says_yes_and_only_that_hangs_on_the_wall() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    // told, but nobody said yes
    let private = service.accepted(&small_picture(9), &[]).await;
    service.finished(&private).await;
    let browser = Browser::open().await;
    sees_an_empty_gallery(&browser, &service).await;
    browser.visit(&format!("{}/?booth", service.address)).await;
    told_in_the_booth(&browser).await;
    browser.press("#share").await;
    browser.sees("#start-booth").await;
    assert_eq!(
        browser.run("return localStorage.getItem('mine')").await,
        serde_json::Value::Null
    );

    browser
        .visit(&format!("{}/?seconds=1#slideshow", service.address))
        .await;
    assert!(
        browser
            .text("#slide-story")
            .await
            .contains("Once upon a time")
    );
    browser.sees("#booth-code").await;
    let gallery = service.get("/v1/gallery").await.json();
    let shared = gallery["stories"].as_array().unwrap();
    assert_eq!(shared.len(), 1, "{gallery}");
    browser.press("#slide-pause").await;
    browser.press("#slide-on").await;

    // whoever finds it in the gallery can read it and nothing else
    let id = shared[0]["id"].as_str().unwrap().to_owned();
    browser.visit(&format!("{}/#{id}", service.address)).await;
    browser.sees("#told-actions").await;
    browser
        .finds(
            "document.getElementById('consent').hidden && document.getElementById('delete').hidden",
        )
        .await;

    // taken down: the wall is empty at its next turn
    service.shares(&id, false).await;
    browser
        .visit(&format!("{}/#slideshow", service.address))
        .await;
    assert!(
        browser
            .text("#slide-status")
            .await
            .contains("Nothing hangs here yet")
    );
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_walks_away_from_the_booth_is_forgotten() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.prepares(LENT).await;
    browser
        .visit(&format!("{}/?booth=3", service.address))
        .await;
    // each step is a touch, and the countdown of the camera alone is longer than three seconds
    browser
        .run("document.getElementById('start-booth').click()")
        .await;
    browser.sees("#idle").await;
    browser.sees("#start-booth").await;
    browser
        .finds("!document.querySelector('dialog[open]')")
        .await;

    browser
        .chooses("#picture", &[&super::photo("cat.jpg")])
        .await;
    browser.press("#tell").await;
    browser.sees("#consent").await;
    browser.sees("#start-booth").await;
    let listed = service.get("/v1/stories").await.json();
    for story in listed["stories"].as_array().unwrap() {
        service.is_removed(story["id"].as_str().unwrap()).await;
    }
    // nor does the browser hold the picture
    browser.finds("lent.size === 0").await;
    browser.close().await;
    service.stop().await;
}

/// The pictures that the page has an address for.
const LENT: &str = "
    window.lent = new Set();
    const lend = URL.createObjectURL, take = URL.revokeObjectURL;
    URL.createObjectURL = (blob) => { const address = lend.call(URL, blob); lent.add(address); return address; };
    URL.revokeObjectURL = (address) => { lent.delete(address); take.call(URL, address); };
";

/// The service does not know its styles until `awake` is set.
const ASLEEP: &str = "
    const real = window.fetch;
    window.fetch = (path, options) => window.awake || path !== '/v1/styles' ? real(path, options) : Promise.reject(new TypeError('asleep'));
";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_keeps_the_next_person_out_of_the_booth() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    let cat = super::photo("cat.jpg");
    browser.prepares(ASLEEP).await;
    browser.visit(&format!("{}/?booth", service.address)).await;
    // the photo was there before the styles were
    browser.chooses("#picture", &[&cat]).await;
    browser.sees("#tell").await;
    browser.run("window.awake = true").await;
    browser
        .finds("document.querySelector('#booth-cards input[value=sea]')")
        .await;

    browser.wishes_for("error").await;
    browser.press("#tell").await;
    browser.sees("#status.trouble").await;
    browser.press("#new").await;
    browser.sees("#start-booth").await;

    // nobody touches anything, and the story does not come: there is an end to waiting, too
    browser
        .visit(&format!("{}/?booth=3", service.address))
        .await;
    browser.run("window.awake = true").await;
    browser.wakes().await;
    browser.wishes_for("gate").await;
    browser.chooses("#picture", &[&cat]).await;
    browser.press("#tell").await;
    browser.sees("#story .sentence").await;
    browser.sees("#start-booth").await;
    let listed = service.get("/v1/stories").await.json();
    for story in listed["stories"].as_array().unwrap() {
        service.is_removed(story["id"].as_str().unwrap()).await;
    }
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_forgotten_just_now_is_forgotten_as_soon_as_it_can_be() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&format!("{}/?booth", service.address)).await;
    browser
        .chooses("#picture", &[&super::photo("cat.jpg")])
        .await;
    browser.wakes().await;
    browser.press("#tell").await;
    browser.sees("#consent").await;
    let id = browser.run("return location.hash.slice(1)").await;
    browser.goes_offline().await;
    browser.press("#unshare").await;
    browser
        .finds("document.getElementById('consent').textContent.includes('as soon as')")
        .await;
    browser.sees("#start-booth").await;
    browser.comes_back().await;
    service.is_removed(id.as_str().unwrap()).await;
    browser.complains_only_of("INTERNET_DISCONNECTED").await;
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_gone_from_the_service_and_from_the_page() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser
        .chooses("#picture", &[&super::photo("cat.jpg")])
        .await;
    browser.wakes().await;
    browser.press("#tell").await;
    browser.sees("#told-actions").await;
    let id = browser.run("return location.hash.slice(1)").await;
    browser.press("#delete").await;
    browser.press("#sure").await;
    assert!(
        browser
            .text("#mine-status")
            .await
            .contains("No stories yet")
    );
    service.is_removed(id.as_str().unwrap()).await;
    browser.close().await;
    service.stop().await;
}
