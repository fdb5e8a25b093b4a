//! For everybody: axe-core looks at every room in both colour schemes, narrow and wide, and nothing needs a mouse.

use std::path::PathBuf;

use serde_json::Value;
use testkit::postgres::cache;
use worker::scripted::ScriptedEngine;

use super::browser::Browser;
use super::photo;
use crate::harness::Service;

/// The narrowest telephones, and a desk.
const WIDTHS: [u32; 2] = [360, 1280];

fn axe() -> String {
    let file: PathBuf = cache().join("axe-core-4.11.0/axe.min.js");
    std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!(
            "the page is checked by axe-core, and {} cannot be read ({error}): run `make setup-tests`",
            file.display()
        )
    })
}

/// What axe finds on the page as it is now.
async fn faults(browser: &Browser) -> Vec<String> {
    let found = browser
        .run_to_its_end("axe.run(document, { resultTypes: ['violations'] }).then((found) => arguments[0](found.violations), (error) => arguments[0]([{ id: String(error), nodes: [] }]))")
        .await;
    let violations = found.as_array().cloned().unwrap_or_default();
    let named = |violation: &Value| {
        let nodes = violation["nodes"].as_array().into_iter().flatten();
        let places: Vec<String> = nodes.map(|node| node["target"].to_string()).collect();
        format!("{}: {}", violation["id"], places.join(", "))
    };
    violations.iter().map(named).collect()
}

/// Looks at a room in all sizes and colours.
async fn looks_at(browser: &Browser, room: &str, found: &mut Vec<String>) {
    for (width, scheme) in [(WIDTHS[0], "light"), (WIDTHS[1], "dark")] {
        browser.looks(width, scheme).await;
        let faults = faults(browser).await;
        found.extend(
            faults
                .iter()
                .map(|fault| format!("{room} {width} {scheme}: {fault}")),
        );
        let wide = browser
            .run("return document.documentElement.scrollWidth")
            .await;
        if wide.as_u64().unwrap() > u64::from(width) {
            found.push(format!("{room}: {wide} pixels wide on {width}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_in_any_room_and_no_room_is_wider_than_a_telephone() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    let axe = axe();
    let mut found = Vec::new();
    browser.visit(&service.address).await;
    browser.run(&axe).await;
    browser.wakes().await;
    looks_at(&browser, "first", &mut found).await;
    browser.press("#open-styles").await;
    browser.press("#own-style summary").await;
    looks_at(&browser, "styles", &mut found).await;
    browser.press("#close-styles").await;
    browser.press("#use-camera").await;
    browser
        .finds("!document.getElementById('shoot').disabled")
        .await;
    looks_at(&browser, "camera", &mut found).await;
    browser.press("#close-camera").await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    looks_at(&browser, "chosen", &mut found).await;
    browser.press("#tell").await;
    browser.sees("#told-actions").await;
    browser.press("#captions summary").await;
    looks_at(&browser, "told", &mut found).await;
    browser.press("#share").await;
    browser
        .finds("document.getElementById('share').hidden")
        .await;
    for room in ["gallery", "mine", "slideshow"] {
        browser.enter(&format!("#{room}")).await;
        browser
            .finds(&format!(
                "document.querySelector('#{room} img[src]')?.complete"
            ))
            .await;
        looks_at(&browser, room, &mut found).await;
    }
    browser.visit(&format!("{}/?booth", service.address)).await;
    browser.run(&axe).await;
    looks_at(&browser, "booth", &mut found).await;
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_can_be_told_with_the_keyboard_alone() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    browser.types("#tell", "\n").await;
    browser.sees("#told-actions").await;
    browser.types("#delete", "\n").await;
    browser.sees("#sure-room").await;
    // Escape closes a dialog, and the focus is where it was
    browser.types("#not-sure", "\u{e00c}").await;
    browser
        .finds("document.activeElement.id === 'delete'")
        .await;
    browser.enter("#gallery").await;
    browser
        .finds("document.activeElement.id === 'gallery-title'")
        .await;
    browser.close().await;
    service.stop().await;
}
