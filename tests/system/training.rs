//! Training as a person runs it: the program killed with signal 9 in the middle, started again with the same command.
//! And a style made of a text, changed and taken away again, in a copy of the starter bundle.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use testkit::Program;
use testkit::postgres::cache;

fn storyteller(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storyteller"));
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("STORYTELLER_CACHE", cache())
        .env("OMP_NUM_THREADS", "1");
    command
}

fn finished(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A story that a program could write: sentences that differ in length and words.
pub(crate) fn tale() -> String {
    let words = [
        "sea", "ship", "storm", "harbour", "captain", "night", "sail",
    ];
    let sentence = |n: usize| {
        let word = |k: usize| words[(n * k + n / 7) % words.len()];
        let tail = ["", " before the morning came", " and nobody spoke of it"][n % 3];
        format!(
            "The {} saw a {} by the {}{tail}.",
            word(1),
            word(3),
            word(5)
        )
    };
    let paragraphs: Vec<String> = (0..80)
        .map(|p| {
            let sentences: Vec<String> = (0..8).map(|s| sentence(p * 8 + s)).collect();
            sentences.join(" ")
        })
        .collect();
    paragraphs.join("\n\n")
}

fn train(folder: &Path, out: &str) -> Command {
    let path = |name: &str| folder.join(name).display().to_string();
    let arguments = [
        "train",
        "skip-thoughts",
        "bi",
        &path("tok"),
        "--words",
        &path("words.txt"),
        "--out",
        &path(out),
        "--updates",
        "300",
        "--width",
        "32",
        "--embedding",
        "16",
        "--precision",
        "f32",
        "--device",
        "cpu",
        "--checkpoint-every",
        "7",
        "--measure-every",
        "40",
    ];
    let mut command = storyteller(&arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn kill_in_the_middle(mut program: Program, checkpoint: &Path) {
    let begun = Instant::now();
    while !checkpoint.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    program.kill().unwrap();
    program.wait().unwrap();
}

/// Updates and losses of a log: all but the times.
fn curve(log: &Path) -> Vec<(Value, Value, Value)> {
    let text = std::fs::read_to_string(log).unwrap();
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let progress = &line["progress"];
        (
            progress["update"].clone(),
            progress["loss"].clone(),
            line["measured"].clone(),
        )
    };
    text.lines().map(line).collect()
}

#[test]
fn a_training_killed_with_signal_9_ends_as_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).display().to_string();
    std::fs::write(path("tale.txt"), tale()).unwrap();
    finished(&mut storyteller(&[
        "train",
        "corpus",
        &text("tale.txt"),
        "--out",
        &text("tok"),
    ]));
    finished(&mut storyteller(&[
        "train",
        "words",
        &text("tok"),
        "--out",
        &text("words.txt"),
    ]));
    finished(&mut train(folder.path(), "whole.safetensors"));
    for _ in 0..2 {
        let training = Program::start(&mut train(folder.path(), "killed.safetensors"));
        kill_in_the_middle(training.unwrap(), &path("killed.checkpoint"));
        assert!(!path("killed.safetensors").exists(), "killed too late");
    }
    finished(&mut train(folder.path(), "killed.safetensors"));
    let whole = std::fs::read(path("whole.safetensors")).unwrap();
    let killed = std::fs::read(path("killed.safetensors")).unwrap();
    assert!(whole == killed, "the weights differ");
    assert_eq!(
        curve(&path("killed.log.jsonl")),
        curve(&path("whole.log.jsonl"))
    );
    assert!(
        !path("killed.checkpoint").exists(),
        "a finished course needs none"
    );
    let picture = std::fs::read_to_string(path("killed.svg")).unwrap();
    assert!(picture.contains("loss by update"));
}

fn copy_of_the_starter(folder: &Path) -> String {
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/bundles/starter");
    let copy = folder.join("bundle");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(starter).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    copy.display().to_string()
}

fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_text_becomes_a_style_that_changes_the_story_and_goes_again() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = copy_of_the_starter(folder.path());
    let text = folder.path().join("tale.txt").display().to_string();
    std::fs::write(&text, tale()).unwrap();
    let styles = |verb: &[&str]| {
        let mut arguments = vec!["styles", "--bundle", &bundle];
        arguments.extend(verb);
        storyteller(&arguments)
    };
    finished(&mut styles(&[
        "add", "harbour", &text, "--source", "a tale",
    ]));
    let listed = String::from_utf8(finished(&mut styles(&["list"])).stdout).unwrap();
    assert!(
        listed.contains("harbour") && listed.contains("(a tale)"),
        "{listed}"
    );
    let tell = |style: &str| {
        let photo = "tests/fixtures/photos/coffee.jpg";
        let quick = ["--k", "20", "--beam", "3", "--max-words", "40", "--json"];
        let mut arguments = vec!["tell", photo, "--bundle", &bundle, "--style", style];
        arguments.extend(quick);
        let told = finished(&mut storyteller(&arguments));
        let object: Value = serde_json::from_slice(&told.stdout).unwrap();
        object["story"].as_str().unwrap().to_owned()
    };
    assert_ne!(tell("harbour"), tell("romance"));
    let again = refused(&mut styles(&["add", "harbour", &text]));
    assert!(again.contains("already"), "{again}");
    finished(&mut styles(&["remove", "harbour"]));
    let gone = refused(&mut styles(&["show", "harbour"]));
    assert!(gone.contains("no style `harbour`"), "{gone}");
}

#[test]
fn a_text_too_small_or_in_another_language_is_refused_with_the_figures() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = copy_of_the_starter(folder.path());
    let refusal = |text: &str| {
        let path = folder.path().join("text.txt").display().to_string();
        std::fs::write(&path, text).unwrap();
        refused(&mut storyteller(&[
            "styles", "add", "new", &path, "--bundle", &bundle,
        ]))
    };
    let small = refusal(&tale()[..3000]);
    assert!(small.contains("at least 30"), "{small}");
    let french =
        "Le vieux pêcheur descendit vers la mer pendant que la nuit tombait sur le village. ";
    let foreign = refusal(&french.repeat(600));
    assert!(foreign.contains("another language"), "{foreign}");
    let noise: String = (0..5000u32)
        .map(|n| char::from((n * 151 % 256) as u8))
        .collect();
    let noise = refusal(&noise);
    assert!(noise.contains("no plain text"), "{noise}");
}

#[test]
fn the_words_of_styles_are_counted_anew_and_every_style_needs_its_books() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = copy_of_the_starter(folder.path());
    let books = folder.path().join("books");
    let count = || {
        let books = books.display().to_string();
        storyteller(&[
            "train", "usage", "--bundle", &bundle, "--books", &books, "--words", "12",
        ])
    };
    let styles = |verb: &[&str]| {
        let shown = finished(&mut storyteller(
            &[&["styles", "--bundle", &bundle], verb].concat(),
        ));
        String::from_utf8(shown.stdout).unwrap()
    };
    let compared = styles(&["compare"]);
    let described = std::fs::read_to_string(Path::new(&bundle).join("bundle.toml")).unwrap();
    let described: toml::Value = toml::from_str(&described).unwrap();
    for style in described["styles"].as_array().unwrap() {
        let name = style["name"].as_str().unwrap();
        let own = books.join(name);
        std::fs::create_dir_all(&own).unwrap();
        let of_its_own = format!(
            "The {} was heard, and the ship was seen. ",
            "sea".repeat(name.len() % 2 + 1)
        );
        std::fs::write(own.join("tale.txt"), tale() + &of_its_own.repeat(40)).unwrap();
    }
    std::fs::rename(books.join("sea"), folder.path().join("away")).unwrap();
    let missing = refused(&mut count());
    assert!(
        missing.contains("needs its books there, as `sea` does"),
        "{missing}"
    );
    std::fs::rename(folder.path().join("away"), books.join("sea")).unwrap();
    finished(&mut count());
    let words = std::fs::read_to_string(Path::new(&bundle).join("usage.txt")).unwrap();
    assert_eq!(words.lines().count(), 12, "{words}");
    // styles are as alike as they were: their thoughts are the same
    assert_eq!(styles(&["compare"]), compared);
    let photo = "tests/fixtures/photos/coffee.jpg";
    finished(&mut storyteller(&[
        "tell",
        photo,
        "--bundle",
        &bundle,
        "--style",
        "sea",
        "--max-words",
        "40",
    ]));
}
