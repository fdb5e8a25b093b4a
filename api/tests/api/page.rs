//! The page's files by themselves, without a browser: their words, their weight, and that nothing is asked for that is not there.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::harness::TestService;

/// The page with everything it needs but pictures, as it travels without compression.
const HEAVIEST: usize = 150_000;

/// The files of the page whose names end so, with their names.
fn files(ending: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("ui");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Every text that stands between `before` and the next `after`.
fn between<'a>(text: &'a str, before: &str, after: char) -> Vec<&'a str> {
    let rests = text.split(before).skip(1);
    rests
        .filter_map(|rest| rest.split(after).next())
        .map(str::trim)
        .collect()
}

/// What the page says: `t("…")` in its scripts, marked elements and attributes in its HTML.
fn said() -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for (name, script) in files(".js") {
        if name != "lean-qr.js" {
            said.extend(
                between(&script, " t(\"", '"')
                    .into_iter()
                    .map(str::to_owned),
            );
            for opening in ["(t(\"", "[t(\"", "{t(\"", "!t(\""] {
                said.extend(
                    between(&script, opening, '"')
                        .into_iter()
                        .map(str::to_owned),
                );
            }
        }
    }
    let (_, html) = files(".html").remove(0);
    said.extend(
        between(&html, "data-t>", '<')
            .into_iter()
            .map(str::to_owned),
    );
    for element in html.split('<') {
        for (marker, attribute) in [
            ("data-t-label", " aria-label=\""),
            ("data-t-alt", " alt=\""),
        ] {
            if element.contains(marker) {
                said.extend(
                    between(element, attribute, '"')
                        .into_iter()
                        .map(str::to_owned),
                );
            }
        }
    }
    said
}

#[test]
fn everything_the_page_says_has_its_german_and_spanish() {
    let (_, messages) = files("messages.js").remove(0);
    let lines: Vec<&str> = messages
        .lines()
        .filter_map(|line| line.strip_prefix("  \""))
        .collect();
    let known: BTreeSet<String> = lines
        .iter()
        .map(|line| line.split("\": [").next().unwrap().to_owned())
        .collect();
    let said = said();
    assert!(
        said.len() > 100,
        "the words are looked for in the wrong way"
    );
    let missing: Vec<_> = said.difference(&known).collect();
    assert!(missing.is_empty(), "say these in messages.js: {missing:#?}");
    let unsaid: Vec<_> = known.difference(&said).collect();
    assert!(unsaid.is_empty(), "nobody says these any more: {unsaid:#?}");
    for line in lines {
        let translations = line.split_once("\": [").unwrap().1;
        assert_eq!(
            translations.matches("\", \"").count(),
            1,
            "two languages: {line}"
        );
        let placeholders = |text: &str| -> BTreeSet<String> {
            between(text, "{", '}')
                .into_iter()
                .map(str::to_owned)
                .collect()
        };
        let english = line.split("\": [").next().unwrap();
        for translation in translations.split("\", \"") {
            assert_eq!(placeholders(english), placeholders(translation), "{line}");
        }
    }
}

#[tokio::test]
async fn every_file_of_the_page_is_served_and_all_of_it_is_light() {
    let service = TestService::start().await;
    let mut bytes = service.get("/").await.bytes.len() + service.get("/icon.svg").await.bytes.len();
    for (name, text) in files(".js").into_iter().chain(files(".css")) {
        let answer = service.get(&format!("/assets/{name}")).await;
        assert_eq!(answer.status, 200, "{name} is not named in page.rs");
        assert_eq!(answer.text(), text);
        bytes += answer.bytes.len();
    }
    assert!(bytes < HEAVIEST, "the page weighs {bytes} bytes");
    service
        .get("/assets/nothing.js")
        .await
        .problem(404, "not_found");
    service.stop().await;
}

#[test]
fn every_import_of_the_page_is_a_file_beside_it() {
    let scripts = files(".js");
    let names: BTreeSet<&str> = scripts.iter().map(|(name, _)| name.as_str()).collect();
    for (name, script) in scripts.iter().filter(|(name, _)| name != "lean-qr.js") {
        for imported in between(script, "from \"", '"') {
            let file = imported.strip_prefix("./");
            assert!(
                file.is_some_and(|file| names.contains(file)),
                "{name} imports {imported}"
            );
        }
    }
}
