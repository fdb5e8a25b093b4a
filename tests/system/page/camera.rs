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

/// Remembers what was counted, how often it beeped, and which camera was asked for.
const WATCHED: &str = "
    window.counted = [];
    window.beeps = 0;
    window.sides = [];
    window.AudioContext = class extends AudioContext { constructor() { super(); window.beeps += 1; } };
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wish) => { sides.push(wish.video.facingMode); return real(wish); };
    new MutationObserver(([{ target }]) => { if (target.textContent) counted.push(target.textContent); })
      .observe(document.getElementById('count-down'), { childList: true });
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
    // a dialog tells that it is closed when the page comes to it
    browser.finds(&format!("({LIT}) === 0")).await;
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_camera_counts_down_in_silence_unless_sound_is_wished_for_and_turns_round() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.run(WATCHED).await;
    browser.press("#use-camera").await;
    // two cameras: there is another side
    browser.press("#turn").await;
    let ready = "sides.length === 2 && !document.getElementById('shoot').disabled";
    browser.finds(ready).await;
    assert_eq!(
        browser.run("return sides").await,
        serde_json::json!(["user", "environment"])
    );
    browser.press("#shoot").await;
    browser.sees("#taken").await;
    let counted = serde_json::json!(["5", "4", "3", "2", "1"]);
    assert_eq!(browser.run("return counted").await, counted);
    assert_eq!(browser.run("return beeps").await, 0);

    browser.press("#retake").await;
    browser
        .finds("sides.length === 3 && !document.getElementById('shoot').disabled")
        .await;
    browser.press("#sound").await;
    browser.press("#shoot").await;
    browser.sees("#taken").await;
    assert_eq!(browser.run("return beeps").await, 6);
    browser.press("#keep").await;
    browser.sees("#preview").await;
    browser.close().await;
    service.stop().await;
}
