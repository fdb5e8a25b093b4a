//! Where keys are asked for: the page asks for one, lets in with it, and goes on with what was begun.

use scripted::ScriptedEngine;

use super::browser::Browser;
use super::photo;
use crate::harness::Service;
use crate::keys::first_key;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_with_a_key_and_goes_on_with_what_was_begun() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    let key = first_key(&service, &[], "").await;
    // it was open when the page came; now the picture is on the page and nobody is let in
    browser.press("#tell").await;
    browser.types("#login-key", "st_wrong\n").await;
    browser
        .finds("document.getElementById('login-status').textContent.includes('not good here')")
        .await;
    let focused = browser.run("return document.activeElement.id").await;
    assert_eq!(focused, "login-key");
    browser
        .run("document.getElementById('login-key').value = ''")
        .await;
    browser.types("#login-key", &format!("{key}\n")).await;
    assert!(browser.text("#story p").await.contains("Once upon a time"));
    let cookies = browser.run("return document.cookie").await;
    assert_eq!(cookies, "", "no script can read it");
    let kept = browser.run("return JSON.stringify(localStorage)").await;
    assert!(!kept.to_string().contains("st_"), "{kept}");
    browser.complains_only_of("401").await;

    browser.reload().await;
    browser.sees("#story p").await;
    browser.press("#log-out").await;
    browser.sees("#login-room").await;
    browser.press("#not-now").await;
    browser
        .finds("document.getElementById('status').textContent.includes('Log in with your key')")
        .await;
    // the wall is for everybody, and asks nobody
    browser
        .visit(&format!("{}/#gallery", service.address))
        .await;
    let says = browser.text("#gallery-status").await;
    assert!(says.contains("Nothing hangs here yet"), "{says}");
    browser
        .finds("!document.getElementById('login-room').open")
        .await;
    browser.complains_only_of("401").await;
    browser.close().await;
    service.stop().await;
}
