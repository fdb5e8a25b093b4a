//! Many pictures at once.

use worker::scripted::ScriptedEngine;

use super::browser::Browser;
use crate::harness::Service;

/// Drops fifty small pictures and a text onto the page.
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
      for (let n = 0; n < 50; n += 1) things.items.add(await painted(n));
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
    browser.run_to_its_end(DROP).await;
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
