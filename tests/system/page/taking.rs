//! Into the page and out of it: pasted, dropped, copied, sent, printed, drawn on a card.

use scripted::ScriptedEngine;

use super::browser::Browser;
use super::photo;
use crate::harness::Service;

/// Pastes a painted picture; whether the page took it.
const PASTE: &str = "
    const end = arguments[0], things = new DataTransfer();
    document.createElement('canvas').toBlob((blob) => {
      things.items.add(new File([blob], 'clipboard.png', { type: 'image/png' }));
      document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: things, bubbles: true }));
      end(document.getElementById('drop').classList.contains('filled'));
    });
";

/// Drops a picture of another page: its address comes, no file.
const DROP: &str = "
    const things = new DataTransfer();
    things.setData('text/uri-list', 'https://example.org/cat.jpg');
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: things, bubbles: true, cancelable: true }));
";

/// A browser that sends stories to other programs.
const SEND: &str = "
    Object.defineProperty(Navigator.prototype, 'share', { configurable: true, value: async (story) => { window.sent = story; } });
";

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_picture_is_taken_but_not_behind_a_dialog_and_an_address_is_none() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.run(DROP).await;
    assert!(browser.text("#trouble").await.contains("no file"));
    browser.press("#open-styles").await;
    assert_eq!(browser.run_to_its_end(PASTE).await, false);
    browser.press("#close-styles").await;
    assert_eq!(browser.run_to_its_end(PASTE).await, true);
    assert_eq!(browser.text("#picture-name").await, "clipboard.png");
    browser.press("#tell").await;
    assert!(browser.text("#story p").await.contains("300 by 150"));
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_is_copied_sent_printed_on_one_page_and_drawn_on_a_card() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.prepares(SEND).await;
    browser
        .allows(&["clipboardReadWrite", "clipboardSanitizedWrite"])
        .await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    browser.press("#tell").await;
    let story = browser.text("#story p").await;
    browser.press("#copy").await;
    browser
        .finds("document.getElementById('copy').textContent === 'Copied'")
        .await;
    let copied = browser
        .run_to_its_end("const end = arguments[0]; navigator.clipboard.readText().then(end, (error) => end(String(error)))")
        .await;
    assert_eq!(copied, story.as_str());
    browser.press("#send").await;
    browser.finds("window.sent").await;
    let sent = browser.run("return window.sent").await;
    assert_eq!(sent["text"], story.as_str());
    assert!(story.starts_with(sent["title"].as_str().unwrap().trim_end_matches(" …")));

    let paper = browser.prints().await;
    let paper = String::from_utf8_lossy(&paper);
    let pages = paper.matches("/Type /Page").count() - paper.matches("/Type /Pages").count();
    assert_eq!(pages, 1);

    // a card without its picture is better than none
    browser
        .run("document.getElementById('shown').src = '/v1/stories/none/image'")
        .await;
    browser.press("#card").await;
    browser.sees("#card-room").await;
    browser.complains_only_of("none/image").await;
    browser.close().await;
    service.stop().await;
}
