//! The camera: what it says and offers when it does not start, and that its light goes out.

use scripted::ScriptedEngine;

use super::browser::Browser;
use crate::harness::Service;

/// A camera that nobody may use until `allowed` is set, and that says of itself when it is asked.
const LOCKED: &str = "
    const camera = navigator.mediaDevices, real = camera.getUserMedia.bind(camera);
    camera.getUserMedia = (wish) => window.allowed ? real(wish) : Promise.reject(new DOMException('', 'NotAllowedError'));
    document.getElementById('picture').addEventListener('click', (event) => { event.preventDefault(); window.asked = true; });
";

/// A camera that is lent when `lend` is called, and remembers what it lent.
const SLOW: &str = "
    const camera = navigator.mediaDevices, real = camera.getUserMedia.bind(camera);
    window.waiting = [];
    window.lent = [];
    camera.getUserMedia = (wish) => new Promise((resolve) => {
      waiting.push(async () => { const stream = await real(wish); lent.push(stream); resolve(stream); });
    });
    window.lend = () => Promise.all(waiting.map((one) => one()));
";

const LIT: &str =
    "lent.filter((one) => one.getTracks().some((track) => track.readyState === 'live')).length";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_the_camera_can_try_again_choose_a_file_or_leave() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&format!("{}/?booth", service.address)).await;
    browser.run(LOCKED).await;
    browser.press("#start-booth").await;
    let says = browser.text("#camera-status:not(:empty)").await;
    assert!(says.contains("choose a picture instead"), "{says}");
    browser.press("#close-camera").await;
    browser.press("#start-booth").await;
    browser.press("#choose-instead").await;
    browser.finds("window.asked").await;
    browser
        .finds("!document.getElementById('camera-room').open")
        .await;
    browser.press("#start-booth").await;
    browser.sees("#retake").await;
    browser.run("window.allowed = true").await;
    browser.press("#retake").await;
    browser
        .finds("!document.getElementById('shoot').disabled")
        .await;
    browser
        .finds("document.getElementById('choose-instead').hidden")
        .await;
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_lent_after_its_dialog_was_closed_goes_out() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.run(SLOW).await;
    for _ in 0..2 {
        browser.press("#use-camera").await;
        browser
            .run("document.getElementById('camera-room').close()")
            .await;
    }
    browser.press("#use-camera").await;
    browser.finds("waiting.length === 3").await;
    browser.run("lend()").await;
    browser
        .finds("!document.getElementById('shoot').disabled")
        .await;
    assert_eq!(browser.run(&format!("return {LIT}")).await, 1);
    browser.press("#close-camera").await;
    assert_eq!(browser.run(&format!("return {LIT}")).await, 0);
    browser.close().await;
    service.stop().await;
}
