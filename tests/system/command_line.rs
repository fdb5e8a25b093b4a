//! The program as a person types it: exit codes, what goes to which stream, and `tell --json`.

use std::process::{Command, Output};

use testkit::postgres::cache;

fn storyteller(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_storyteller"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("STORYTELLER_CACHE", cache())
        .env("OMP_NUM_THREADS", "1")
        .output()
        .unwrap()
}

#[test]
fn tell_prints_one_json_object_with_story_style_captions_and_timings() {
    let told = storyteller(&[
        "tell",
        "tests/fixtures/photos/coffee.jpg",
        "--style",
        "gothic",
        "--k",
        "20",
        "--beam",
        "3",
        "--max-words",
        "40",
        "--json",
    ]);
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let object: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(object["style"], "gothic");
    assert!(object["story"].as_str().unwrap().len() > 20, "{object}");
    let captions = object["captions"].as_array().unwrap();
    assert_eq!(captions.len(), 20);
    // the first agree best with all that was found, which is another order than that of similarity
    let similarities = captions
        .iter()
        .map(|caption| caption["similarity"].as_f64().unwrap());
    assert!(
        similarities.into_iter().all(|s| (-1.0..=1.0).contains(&s)),
        "{object}"
    );
    assert!(
        object["timings"]
            .as_object()
            .unwrap()
            .values()
            .all(|seconds| seconds.as_f64().unwrap() >= 0.0)
    );
}

#[test]
fn a_style_that_the_bundle_has_not_is_known_before_any_network_is_loaded() {
    let photo = "tests/fixtures/photos/coffee.jpg";
    let told = storyteller(&["tell", photo, "--style", "sea:0.5,romanse:0.5"]);
    let said = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(2), "{said}");
    let wanted = "--style no style `romanse`; there are romance, adventure,";
    assert!(said.contains(wanted), "{said}");
    assert!(!said.contains("loading"), "{said}");
}

#[test]
fn a_demo_shows_the_picture_and_the_story_and_its_log_goes_to_a_file() {
    let data = testkit::postgres::open_folder();
    let photo = "tests/fixtures/photos/dogs.jpg";
    let folder = data.path().to_str().unwrap();
    let told = storyteller(&[
        "demo",
        photo,
        "--data",
        folder,
        "--k",
        "20",
        "--beam",
        "3",
        "--max-words",
        "40",
    ]);
    let complaint = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{complaint}");
    assert_eq!(complaint, "", "a person waits for a story only");
    let said = String::from_utf8(told.stdout).unwrap();
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let [first, story @ .., last] = lines.as_slice() else {
        panic!("{said}");
    };
    assert_eq!((*first, last.trim()), (photo, "in the manner of romance"));
    assert!(story.concat().split_whitespace().count() >= 10, "{said}");
    let log = std::fs::read_to_string(data.path().join("demo.log")).unwrap();
    assert!(log.contains("INFO"), "{log}");
}

#[test]
fn a_strict_story_is_refused_by_the_starter_with_what_to_do() {
    let photo = "tests/fixtures/photos/cat.jpg";
    let told = storyteller(&["tell", photo, "--compat", "strict"]);
    assert_eq!(told.status.code(), Some(1));
    let complaint = String::from_utf8(told.stderr).unwrap();
    assert!(complaint.contains("storyteller import"), "{complaint}");
    assert_eq!(
        storyteller(&["tell", "x", "--compat", "old"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_picture_that_is_none_does_not_stop_the_others() {
    let told = storyteller(&[
        "tell",
        "README.md",
        "tests/fixtures/photos/cat.jpg",
        "--k",
        "5",
        "--beam",
        "2",
        "--max-words",
        "20",
    ]);
    assert_eq!(told.status.code(), Some(1));
    let complaint = String::from_utf8(told.stderr).unwrap();
    assert!(complaint.contains("README.md"), "{complaint}");
    assert!(String::from_utf8(told.stdout).unwrap().contains("cat.jpg"));
}

#[test]
fn wrong_use_ends_with_exit_code_two() {
    assert_eq!(storyteller(&["tell"]).status.code(), Some(2));
    // the limits of a request are those of the service, and are called as they were typed
    for (option, value) in [("--beam", "0"), ("--style-strength", "3"), ("--top-p", "0")] {
        for command in ["tell", "submit", "batch"] {
            let wrong = storyteller(&[command, "x.jpg", option, value]);
            assert_eq!(wrong.status.code(), Some(2), "{command} {option}");
            let complaint = String::from_utf8(wrong.stderr).unwrap();
            let told = format!("{option} is {value}; it must be");
            assert!(complaint.contains(&told), "{complaint}");
        }
    }
}

#[test]
fn health_of_a_service_that_is_not_there_is_an_error() {
    let asked = storyteller(&["health", "--server", "http://127.0.0.1:9"]);
    assert_eq!(asked.status.code(), Some(1));
    assert!(
        String::from_utf8(asked.stderr)
            .unwrap()
            .contains("127.0.0.1:9")
    );
}

#[test]
fn shells_and_man_learn_every_command_from_the_program_itself() {
    for shell in ["bash", "zsh", "fish"] {
        let script = storyteller(&["completions", shell]);
        assert!(script.status.success(), "{shell}");
        let script = String::from_utf8(script.stdout).unwrap();
        assert!(
            script.contains("dead-letters") && script.contains("withdraw"),
            "{shell}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let manual = folder.path().join("man1");
    assert!(
        storyteller(&["manual", manual.to_str().unwrap()])
            .status
            .success()
    );
    let page = std::fs::read_to_string(manual.join("storyteller-wait.1")).unwrap();
    assert!(
        page.contains("Exit codes: 0 told") && page.contains(r"\-\-timeout"),
        "{page}"
    );
    assert!(manual.join("storyteller-styles-add.1").is_file());
}

#[test]
fn check_parity_says_by_its_exit_code_whether_the_originals_numbers_are_ours() {
    let misc = "models/tests/golden/tiny/misc";
    let fine = storyteller(&["check-parity", misc, "--json"]);
    assert_eq!(fine.status.code(), Some(0));
    assert!(fine.stdout.split(|&byte| byte == b'\n').count() > 4);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(
        storyteller(&["check-parity", path]).status.code(),
        Some(2),
        "nothing to check"
    );
    let file = folder.path().join("build_dictionary.json");
    let text = std::fs::read_to_string(format!("{misc}/build_dictionary.json")).unwrap();
    std::fs::write(file, text.replace("c d e f g", "c d e f f")).unwrap();
    let broken = storyteller(&["check-parity", path]);
    assert_eq!(broken.status.code(), Some(1));
    let report = String::from_utf8(broken.stdout).unwrap();
    assert!(
        report.contains("build_dictionary.json") && report.contains("FAILED"),
        "{report}"
    );
}

#[tokio::test]
async fn doctor_looks_at_the_servers_it_is_told_of_and_says_by_its_exit_code_whether_all_is_well() {
    let pictures = tempfile::tempdir().unwrap();
    let asked = async |url: &str| {
        let words = ["doctor", "--servers-only", "--json", "--database-url", url];
        let words = [&words[..], &["--images", pictures.path().to_str().unwrap()]].concat();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let said = tokio::task::spawn_blocking(move || {
            storyteller(&words.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let said = said.await.unwrap();
        let report: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        (said.status.code(), report)
    };
    let (code, report) = asked(&testkit::postgres::fresh().await).await;
    assert_eq!(
        (code, &report["well"]),
        (Some(1), &false.into()),
        "{report}"
    );
    let findings = report["findings"].as_array().unwrap();
    let wrong = findings
        .iter()
        .filter(|finding| finding["state"] == "wrong");
    let wrong: Vec<&str> = wrong
        .map(|finding| finding["part"].as_str().unwrap())
        .collect();
    assert_eq!(wrong, ["tables"], "{report}");
    let (code, report) = asked(&testkit::Service::start().await.url).await;
    assert_eq!((code, &report["well"]), (Some(0), &true.into()), "{report}");
}
