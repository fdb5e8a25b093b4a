//! The gallery and one's own stories: every one of them is there once, and another tab is heard.

use scripted::ScriptedEngine;

use super::browser::Browser;
use crate::harness::{Service, small_picture};

/// Two more than a page of tiles has.
const STORIES: u8 = 14;

/// Presses for more twice, if it lets itself be pressed, and counts how often the service is asked.
const TWICE: &str = "
    const real = window.fetch;
    let asked = 0;
    window.fetch = (...all) => { asked += 1; return real(...all); };
    const more = document.getElementById('gallery-more');
    more.click();
    if (!more.hidden) more.click();
    return asked;
";

async fn has_tiles(browser: &Browser, room: &str, tiles: u8) {
    browser
        .finds(&format!(
            "document.querySelectorAll('#{room}-tiles .tile').length === {tiles}"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_story_is_missing_on_a_shelf_and_none_stands_there_twice() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    // three that the service does not know any more stand before the others
    let mut ids: Vec<String> = (1..=3)
        .map(|n| uuid::Uuid::from_u128(n).to_string())
        .collect();
    for seed in 0..STORIES {
        let id = service.accepted(&small_picture(seed), &[]).await;
        service.finished(&id).await;
        service.shares(&id, true).await;
        ids.push(id);
    }
    let browser = Browser::open().await;
    browser
        .visit(&format!("{}/#gallery", service.address))
        .await;
    has_tiles(&browser, "gallery", 12).await;
    assert_eq!(browser.run(TWICE).await, 1);
    has_tiles(&browser, "gallery", STORIES).await;
    browser.finds("document.activeElement === document.querySelector('#gallery-tiles .tile:nth-child(13) a')").await;

    let mine = serde_json::to_string(&ids).unwrap();
    browser
        .run(&format!("localStorage.setItem('mine', '{mine}')"))
        .await;
    browser.enter("#mine").await;
    has_tiles(&browser, "mine", 9).await;
    browser.press("#mine-more").await;
    has_tiles(&browser, "mine", STORIES).await;
    browser.complains_only_of("404").await;

    let first = browser.second_tab().await;
    browser.visit(&format!("{}/#mine", service.address)).await;
    has_tiles(&browser, "mine", 12).await;
    for _ in 0..2 {
        browser.press("#mine-tiles .tile:first-child button").await;
    }
    browser
        .finds(
            "document.activeElement === document.querySelector('#mine-tiles .tile:first-child a')",
        )
        .await;
    browser.switch_to(first).await;
    // it looks anew, by pages
    has_tiles(&browser, "mine", 12).await;
    browser.press("#mine-more").await;
    has_tiles(&browser, "mine", STORIES - 1).await;
    browser.close().await;
    service.stop().await;
}
