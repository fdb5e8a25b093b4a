//! Many pictures at once: all told, whatever refuses them on the way, and stopped where they are.

use scripted::ScriptedEngine;

use super::browser::Browser;
use super::photo;
use crate::harness::Service;

/// Drops so many small pictures and a text onto the page.
pub(super) fn drop(pictures: usize) -> String {
    format!("const MANY = {pictures};{DROP}")
}

const DROP: &str = "
    const done = arguments[0];
    const things = new DataTransfer();
    const canvas = Object.assign(document.createElement('canvas'), { width: 32, height: 24 });
    const pen = canvas.getContext('2d');
    const painted = (n) => new Promise((resolve) => {
      pen.fillStyle = `rgb(${n * 5}, 80, ${255 - n * 5})`;
      pen.fillRect(0, 0, 32, 24);
      canvas.toBlob((blob) => resolve(new File([blob], `picture ${n}.png`, { type: 'image/png' })));
    });
    (async () => {
      for (let n = 0; n < MANY; n += 1) things.items.add(await painted(n));
      things.items.add(new File(['words'], 'words.txt', { type: 'text/plain' }));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: things, bubbles: true, cancelable: true }));
      done();
    })();
";

#[tokio::test(flavor = "multi_thread")]
async fn fifty_pictures_dropped_at_once_are_all_told_and_a_text_among_them_is_left_out() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.run_to_its_end(&drop(50)).await;
    let trouble = browser.text("#trouble").await;
    assert!(
        trouble.contains("1 file is left out") && trouble.contains("words.txt"),
        "{trouble}"
    );
    assert_eq!(browser.text("#picture-name").await, "50 pictures");
    browser.press("#tell").await;
    browser.sees("#sheet").await;
    browser
        .finds("document.getElementById('sheet-status').textContent === '50 of 50 are done.'")
        .await;
    browser
        .finds("document.querySelectorAll('.tile.told').length === 50")
        .await;
    let listed = service.get("/v1/stories?limit=100").await.json();
    assert_eq!(listed["stories"].as_array().unwrap().len(), 50);

    browser.press("#tiles .tile:nth-child(50) a").await;
    assert!(browser.text("#story p").await.contains("32 by 24 pixels"));
    browser.back().await;
    browser
        .finds("document.querySelectorAll('#sheet:not([hidden]) .tile.told').length === 50")
        .await;
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_line_and_a_full_queue_lose_no_picture() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted_with_room_for(engine, 2).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.wishes_for("gate").await;
    browser.run_to_its_end(&drop(24)).await;
    browser.goes_offline().await;
    browser.press("#tell").await;
    browser.complains_of("INTERNET_DISCONNECTED").await;
    browser.comes_back().await;
    // more than wait and are told at once: the service says when to come again
    browser.complains_of("429").await;
    tells.open();
    browser
        .finds("document.querySelectorAll('.tile.told').length === 24")
        .await;
    let listed = service.get("/v1/stories?limit=100").await.json();
    assert_eq!(listed["stories"].as_array().unwrap().len(), 24);
    browser.complaints().await;

    // after a reload the sheet is gone, the stories are not
    browser.reload().await;
    browser
        .finds("document.querySelectorAll('#mine-tiles .tile').length === 12")
        .await;
    browser.close().await;
    service.stop().await;
}

/// Counts uploads that began and that ended.
const COUNTED: &str = "
    window.begun = window.ended = 0;
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (body) {
      window.begun += 1;
      this.addEventListener('loadend', () => { window.ended += 1; });
      send.call(this, body);
    };
";

#[tokio::test(flavor = "multi_thread")]
async fn stopping_the_rest_stops_what_is_on_its_way_and_it_can_be_tried_again() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.run(COUNTED).await;
    let photos = [photo("cat.jpg"), photo("dogs.jpg")];
    browser
        .chooses(
            "#picture",
            &photos.each_ref().map(std::path::PathBuf::as_path),
        )
        .await;
    browser.slows_to(2_000).await;
    browser.press("#tell").await;
    browser.finds("begun === 2").await;
    browser.press("#sheet-stop").await;
    browser.comes_back().await;
    browser.finds("ended === 2").await;
    browser
        .finds("document.querySelectorAll('.tile.over').length === 2")
        .await;
    let listed = service.get("/v1/stories").await.json();
    assert_eq!(listed["stories"].as_array().unwrap().len(), 0, "{listed}");
    browser.press("#sheet-again").await;
    browser
        .finds("document.querySelectorAll('.tile.told').length === 2")
        .await;
    browser.close().await;
    service.stop().await;
}
