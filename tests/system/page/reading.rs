//! One person, one picture, one story, and what can be done with it.

use std::collections::BTreeSet;
use std::path::Path;

use scripted::ScriptedEngine;

use super::browser::Browser;
use super::photo;
use crate::harness::{Service, small_picture};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_chooses_a_picture_and_reads_its_story() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    browser
        .run("document.getElementById('lyrics').click()")
        .await;
    browser.press("#tell").await;
    let story = browser.text("#story.lyrics p").await;
    assert!(story.contains("Once upon a time"), "{story}");
    let stanza = browser.text("#story.lyrics p.stanza").await;
    assert_eq!(stanza, "It hung on a wall.");
    assert!(browser.text("#colophon").await.contains("romance"));

    browser.press("#edit-title").await;
    browser
        .run("document.getElementById('title-field').value = ''")
        .await;
    browser.types("#title-field", "A cat, told\n").await;
    browser
        .finds("document.title.startsWith('A cat, told')")
        .await;
    browser.press("#captions summary").await;
    assert!(
        browser
            .text("#captions li")
            .await
            .contains("A picture hangs on a wall.")
    );
    browser.press("#another").await;
    browser
        .finds("document.querySelectorAll('#versions a').length === 2")
        .await;
    browser.press("#versions a:first-child").await;
    browser
        .finds("document.getElementById('book-title').textContent === 'A cat, told'")
        .await;
    browser.press("#card").await;
    browser.sees("#card-room").await;
    browser
        .finds("document.getElementById('save-card').href.startsWith('blob:')")
        .await;
    browser.press("#close-card").await;

    browser.reload().await;
    browser
        .finds("document.getElementById('book-title').textContent === 'A cat, told'")
        .await;
    browser.enter("#mine").await;
    browser
        .finds("document.getElementById('mine-tiles').textContent.includes('A cat, told')")
        .await;
    browser.back().await;
    assert!(browser.text("#story p").await.contains("Once upon a time"));
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_shown_why_and_has_the_story_told_on() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    browser.press("#tell").await;
    browser.text("#story p").await;
    browser.press("#captions summary").await;
    browser.sees("#why .map circle.after").await;
    browser
        .finds("document.querySelector('#why .map text').textContent === 'romance'")
        .await;
    let why = browser.text("#why").await;
    assert!(why.contains("wall") && why.contains("romance"), "{why}");

    browser.press("#tell-on").await;
    browser
        .finds("document.querySelector('#story p')?.textContent.includes('So it went on after')")
        .await;
    // other versions of it go on as well, each drawn by a seed of its own
    for versions in 2..=4 {
        if versions == 4 {
            browser.press("#versions a:first-child").await;
            browser
                .finds("document.querySelector('#versions a[aria-current]:first-child')")
                .await;
        }
        browser.press("#another").await;
        browser
            .finds(&format!(
                "document.querySelectorAll('#versions a').length === {versions}"
            ))
            .await;
        assert!(browser.text("#story p").await.contains("So it went on"));
    }
    let listed = service.get("/v1/stories").await.json();
    let going_on = listed["stories"].as_array().unwrap().iter();
    let going_on = going_on.filter(|one| !one["request"]["continue"].is_null());
    let seeds: BTreeSet<String> = going_on
        .map(|one| one["request"]["seed"].to_string())
        .collect();
    assert_eq!(seeds.len(), 4, "{listed}");

    browser.press("#before a").await;
    browser
        .finds("document.querySelector('#story p')?.textContent.includes('Once upon a time')")
        .await;
    browser.close().await;
    service.stop().await;
}

/// The kinds of problems that the page tells in the service's words: English ones.
const ENGLISH: &str = "
    const end = arguments[0];
    const kinds = ['busy', 'internal', 'data_removed', 'invalid_parameter', 'image_missing', 'storage_unavailable', 'of_tomorrow'];
    import('/assets/service.js').then(({ told }) => {
      end(kinds.filter((kind) => told({ kind, message: 'in English' }).includes('nglish')));
    }, (error) => end(String(error)));
";

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_is_said_in_words_that_help_and_in_the_readers_language() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser
        .visit(&format!("{}/?lang=de", service.address))
        .await;
    assert_eq!(browser.text(".invitation strong").await, "Wähle ein Bild");
    browser.press("#tell").await;
    assert_eq!(browser.text("#trouble").await, "Wähle zuerst ein Bild.");
    let license = Path::new(env!("CARGO_MANIFEST_DIR")).join("LICENSE");
    browser.chooses("#picture", &[&license]).await;
    let trouble = browser.text("#trouble").await;
    assert!(trouble.contains("kein Bild"), "{trouble}");

    // a picture by its name, and by nothing else
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.jpg");
    std::fs::write(&broken, "no picture").unwrap();
    browser.chooses("#picture", &[&broken]).await;
    browser.wakes().await;
    browser.press("#tell").await;
    let trouble = browser.text("#trouble:not(:empty)").await;
    assert!(trouble.contains("kein lesbares Bild"), "{trouble}");
    // the refusal itself is an entry in the browser's console
    browser.complains_only_of("/v1/stories").await;

    let english = browser.run_to_its_end(ENGLISH).await;
    assert_eq!(english, serde_json::json!([]), "these are not in German");

    // the choice is stronger than the address
    browser.run("document.getElementById('language').value = 'es'; document.getElementById('language').dispatchEvent(new Event('change'))").await;
    browser
        .finds("document.documentElement.lang === 'es'")
        .await;
    assert_eq!(browser.text(".invitation strong").await, "Elige una imagen");
    browser.close().await;
    service.stop().await;
}

/// Drops a text where a style is made of it.
const DROP_TEXT: &str = "
    const things = new DataTransfer();
    things.items.add(new File(['ok'], 'My Novel.txt', { type: 'text/plain' }));
    document.getElementById('own-style').dispatchEvent(new DragEvent('drop', { dataTransfer: things, bubbles: true, cancelable: true }));
";

/// The first look at a style of one's own gets no answer.
const LOST: &str = "
    const real = window.fetch;
    let lost = false;
    window.fetch = (path, options) => {
      if (lost || !path.startsWith('/v1/styles/')) return real(path, options);
      lost = true;
      return Promise.reject(new TypeError('lost'));
    };
";

#[tokio::test(flavor = "multi_thread")]
async fn styles_are_tasted_mixed_and_made_of_a_text_of_ones_own() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    browser.wakes().await;
    browser.press("#open-styles").await;
    assert!(
        browser
            .text(".card q")
            .await
            .contains("universally acknowledged")
    );
    browser.run("const second = document.getElementById('second'); second.value = 'sea'; second.dispatchEvent(new Event('change'))").await;
    browser
        .finds("document.getElementById('style').value === 'romance:0.5,sea:0.5'")
        .await;

    browser.run("const strength = document.getElementById('style_strength'); strength.value = 1.6; strength.dispatchEvent(new Event('input'))").await;
    assert_eq!(browser.text("output[for=style_strength]").await, "1.6");

    browser.press("#own-style summary").await;
    browser.run(DROP_TEXT).await;
    browser.run(LOST).await;
    let pressed = "const button = document.querySelector('#own-form button'); button.click(); return button.ariaDisabled";
    // pressed again, it would be made twice; and one lost answer ends nothing
    assert_eq!(browser.run(pressed).await, "true");
    browser
        .finds(
            "document.getElementById('own-status').textContent.includes('30 passages were kept')",
        )
        .await;
    browser
        .finds("document.getElementById('style').value === 'my-novel'")
        .await;
    browser.press("#close-styles").await;

    browser.chooses("#picture", &[&photo("cat.jpg")]).await;
    browser.press("#tell").await;
    assert!(browser.text("#colophon").await.contains("my-novel"));
    let listed = service.get("/v1/stories").await.json();
    let wish = &listed["stories"][0]["request"];
    assert_eq!(wish["style_strength"], 1.6, "{wish}");
    // the same picture again, in another style
    browser.press("#restyle").await;
    browser.sees("#style-cards").await;
    browser
        .run("document.querySelector('#style-cards input[value=adventure]').click()")
        .await;
    browser.press("#close-styles").await;
    browser
        .finds("document.getElementById('colophon').textContent.includes('adventure')")
        .await;
    browser.sees("#story p").await;
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_that_was_stopped_is_told_after_all_at_the_press_of_a_button() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    let gate = ("metadata", r#"{"script":"gate"}"#);
    let id = service.accepted(&small_picture(3), &[gate]).await;
    let browser = Browser::open().await;
    browser.visit(&format!("{}/#{id}", service.address)).await;
    browser.press("#cancel").await;
    browser.sees("#retry").await;
    tells.open();
    browser.press("#retry").await;
    browser.sees("#story p").await;
    browser
        .finds("document.getElementById('retry').hidden")
        .await;
    browser.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lyrics_come_line_by_line_and_stanzas_stand_apart() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let browser = Browser::open().await;
    browser.visit(&service.address).await;
    let shown = browser
        .run_to_its_end(
            "const end = arguments[0]; import('/assets/told.js').then((told) => {
             const lines = ['The sea,', 'the sky,', 'the sand,', 'the wind,', '', 'and I.'];
             lines.forEach((line, at) => told.addSentence(at, line, 'lyrics'));
             told.addSentence(2, 'the cloud,', 'lyrics');
             const shown = [...document.querySelectorAll('#story p')];
             end(shown.map((p) => `${p.className}: ${p.textContent}`));
             }, (error) => end(String(error)))",
        )
        .await;
    let wanted = [
        ": The sea,",
        ": the sky,",
        ": the cloud,",
        ": the wind,",
        "stanza: and I.",
    ];
    assert_eq!(shown, serde_json::json!(wanted));
    browser.close().await;
    service.stop().await;
}
