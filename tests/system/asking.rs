//! The program as a client of a running service: what it prints where, as words and as JSON, and how it ends.

use std::path::Path;
use std::process::Output;

use api::view::{BatchView, SharedStoryView, StoryView, StyleState, StyleView, StylesView};
use jobs::State;
use scripted::ScriptedEngine;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::harness::{Service, small_picture};

/// What the program does when this is typed about a service.
async fn typed(service: &Service, words: &[&str]) -> Output {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_storyteller"));
    let program = program
        .args(words)
        .env("STORYTELLER_SERVER", &service.address);
    // whoever asks this machine itself is not sent through a proxy that knows nothing of it
    let program = program.env("http_proxy", "http://127.0.0.1:9");
    program.output().await.unwrap()
}

/// What it prints when that goes well.
async fn said(service: &Service, words: &[&str]) -> String {
    let output = typed(service, words).await;
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// The values it prints, one a line.
async fn values<T: DeserializeOwned>(service: &Service, words: &[&str]) -> Vec<T> {
    let text = said(service, words).await;
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// How it ends, and what it complains of.
async fn ended(service: &Service, words: &[&str]) -> (Option<i32>, String) {
    let output = typed(service, words).await;
    let complaint = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), complaint)
}

fn photo() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/photos/cat.jpg")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_sent_and_its_story_is_all_that_standard_output_has() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let label = ["--label", "album=2026"];
    let waited = said(
        &service,
        &[&["submit", photo(), "--wait"], &label[..]].concat(),
    )
    .await;
    assert!(
        waited.starts_with("Once upon a time") && waited.lines().count() == 1,
        "{waited}"
    );
    let followed = typed(&service, &["submit", photo(), "--follow"]).await;
    assert_eq!(String::from_utf8(followed.stdout).unwrap(), waited);
    let passed = String::from_utf8(followed.stderr).unwrap();
    assert!(
        passed.contains("[it sees: A picture hangs on a wall .]"),
        "{passed}"
    );

    let id = said(&service, &["submit", photo()]).await;
    let id = id.trim();
    assert_eq!(said(&service, &["wait", id]).await, waited);
    assert_eq!(
        said(&service, &["follow", id]).await,
        waited,
        "also afterwards"
    );
    let jobs: Vec<StoryView> = values(&service, &["wait", id, "--json"]).await;
    assert_eq!((jobs.len(), jobs[0].id.to_string().as_str()), (1, id));

    let events: Vec<Value> = values(&service, &["follow", id, "--json"]).await;
    let names: Vec<&str> = events
        .iter()
        .filter_map(|one| one["event"].as_str())
        .collect();
    assert_eq!(names.first(), Some(&"state"), "{names:?}");
    assert!(
        names.contains(&"sentence") && names.ends_with(&["end"]),
        "{names:?}"
    );
    assert!(
        events.is_sorted_by_key(|event| event["id"].as_u64()),
        "{events:?}"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_story_ended_is_the_exit_code() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    let failing = ["submit", photo(), "--label", "script=error", "--wait"];
    let (code, complaint) = ended(&service, &failing).await;
    assert_eq!(code, Some(1), "{complaint}");
    assert!(complaint.contains("the script says so"), "{complaint}");

    let gate = ["submit", photo(), "--label", "script=gate"];
    let slow = said(&service, &gate).await;
    let slow = slow.trim();
    let (code, complaint) = ended(&service, &["wait", slow, "--timeout", "1"]).await;
    assert_eq!(code, Some(5), "{complaint}");
    assert!(
        complaint.contains(&format!("storyteller wait {slow}")),
        "{complaint}"
    );
    let waiting = ["wait", slow, "--json"];
    let cancelling = ["cancel", slow];
    let (waited, cancelled) = tokio::join!(typed(&service, &waiting), said(&service, &cancelling));
    assert_eq!(cancelled, format!("{slow}  cancelled\n"));
    assert_eq!(waited.status.code(), Some(3));
    let job: StoryView = serde_json::from_slice(&waited.stdout).unwrap();
    assert_eq!(job.state, State::Cancelled);
    tells.open();

    let nobody = "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11";
    for verb in [
        "wait", "follow", "show", "cancel", "delete", "retry", "share",
    ] {
        let (code, complaint) = ended(&service, &[verb, nobody]).await;
        assert_eq!(code, Some(1), "{verb}: {complaint}");
        assert!(
            complaint.contains("there is no story"),
            "{verb}: {complaint}"
        );
        let wrong = ended(&service, &[verb, "1"]).await;
        assert_eq!(wrong.0, Some(2), "{verb}: {}", wrong.1);
    }
    let wrong = ended(&service, &["list", "--server", "localhost"]).await;
    assert_eq!(wrong.0, Some(2), "{}", wrong.1);
    service.stop().await;
}

/// An album in this folder: two pictures, and between them a text that is called one.
fn album(folder: &Path) -> [String; 3] {
    let names = ["a.png", "notes.jpg", "b.png"].map(|name| folder.join(name));
    std::fs::write(&names[0], small_picture(1)).unwrap();
    std::fs::write(&names[1], "no picture").unwrap();
    std::fs::write(&names[2], small_picture(2)).unwrap();
    names.map(|file| file.to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_is_sent_in_one_call_and_its_stories_come_in_the_order_of_its_pictures() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let [first, notes, second] = album(folder.path());
    let sent = ["batch", &first, &notes, &second, "--wait"];
    let told = typed(&service, &sent).await;
    assert_eq!(told.status.code(), Some(1), "one of them is no picture");
    let complaint = String::from_utf8(told.stderr).unwrap();
    assert!(
        complaint.contains(&format!("{notes}: refused: ")),
        "{complaint}"
    );
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    let stories = String::from_utf8(told.stdout).unwrap();
    let stories: Vec<&str> = stories.trim_end().split("\n\n").collect();
    assert_eq!(stories.len(), 2, "{stories:?}");
    for (story, picture) in stories.iter().zip([&first, &second]) {
        let beginning = format!("{picture}\nOnce upon a time");
        assert!(story.starts_with(&beginning), "{story}");
    }

    let id = said(
        &service,
        &["batch", &first, &second, "--label", "album=2026"],
    )
    .await;
    let waited: Vec<BatchView> =
        values(&service, &["batch", "--id", id.trim(), "--wait", "--json"]).await;
    assert_eq!((waited.len(), waited[0].counts["succeeded"]), (1, 2));
    let job = waited[0].items[1].id.unwrap().to_string();
    let job: Vec<StoryView> = values(&service, &["show", &job, "--json"]).await;
    assert_eq!(job[0].request.metadata["album"], "2026");
    let listed = said(&service, &["batch", "--id", id.trim()]).await;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("  succeeded  Once upon a time"), "{listed}");
    let wrong = ended(&service, &["batch", "--id", id.trim(), "--style", "sea"]).await;
    assert_eq!(wrong.0, Some(2), "it was asked for otherwise: {}", wrong.1);
    let none = ended(&service, &["batch", &notes]).await;
    assert!(none.0 == Some(1) && none.1.contains("picture"), "{none:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_the_stories_of_an_album_ended_is_the_exit_code() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let [first, _, second] = album(folder.path());
    let slow = ["batch", &first, &second, "--label", "script=gate"];
    let id = said(&service, &slow).await;
    let id = id.trim();
    let waiting = ["batch", "--id", id, "--wait"];
    let late = ended(&service, &[&waiting[..], &["--timeout", "1"]].concat()).await;
    assert_eq!(late.0, Some(5), "{}", late.1);
    let again = format!("`storyteller batch --id {id} --wait`");
    assert!(late.1.contains(&again), "{}", late.1);
    let standing: Vec<BatchView> = values(&service, &["batch", "--id", id, "--json"]).await;
    let one = standing[0].items[0].id.unwrap().to_string();
    said(&service, &["cancel", &one]).await;
    tells.open();
    let told = typed(&service, &waiting).await;
    assert_eq!(told.status.code(), Some(3), "one was cancelled");
    let stories = String::from_utf8(told.stdout).unwrap();
    assert!(
        stories.starts_with("picture 2\nOnce upon a time"),
        "{stories}"
    );
    let complaint = String::from_utf8(told.stderr).unwrap();
    assert!(complaint.contains("picture 1: cancelled"), "{complaint}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_and_what_is_told_to_a_webhook_can_be_said() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let past = [
        "submit",
        photo(),
        "--deadline",
        "2020-01-01T00:00:00Z",
        "--wait",
    ];
    let (code, complaint) = ended(&service, &past).await;
    assert_eq!(code, Some(4), "{complaint}");
    let wrong = ended(&service, &["submit", photo(), "--deadline", "tomorrow"]).await;
    assert!(
        wrong.0 == Some(2) && wrong.1.contains("2026-12-24T18:00:00Z"),
        "{wrong:?}"
    );

    let events = ["--webhook-events", "story.failed,story.expired"];
    let alone = ended(&service, &[&["submit", photo()], &events[..]].concat()).await;
    assert_eq!(alone.0, Some(2), "nobody would be told: {}", alone.1);
    let told = [
        "submit",
        photo(),
        "--json",
        "--webhook-url",
        "http://127.0.0.1:9/told",
    ];
    let jobs: Vec<StoryView> = values(&service, &[&told[..], &events[..]].concat()).await;
    assert_eq!(
        jobs[0].request.webhook_events,
        ["story.failed", "story.expired"]
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stories_are_listed_shown_shared_and_taken_back() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let mut ids = Vec::new();
    for seed in 0..3 {
        let id = service.accepted(&small_picture(seed), &[]).await;
        service.finished(&id).await;
        ids.push(id);
    }
    let listed: Vec<StoryView> = values(&service, &["list", "--limit", "2", "--json"]).await;
    let listed: Vec<String> = listed.iter().map(|job| job.id.to_string()).collect();
    assert_eq!(
        listed,
        [ids[2].as_str(), ids[1].as_str()],
        "the newest first"
    );
    let words = said(&service, &["list", "--state", "succeeded"]).await;
    assert_eq!(words.lines().count(), 3, "{words}");
    assert!(
        words.starts_with(&ids[2]) && words.contains("Once upon a time"),
        "{words}"
    );
    assert_eq!(said(&service, &["list", "--state", "failed"]).await, "");
    let shown = said(&service, &["show", &ids[0]]).await;
    assert!(
        shown.contains("64 × 48, image/png") && shown.contains("Once upon"),
        "{shown}"
    );

    assert_eq!(said(&service, &["gallery"]).await, "");
    said(&service, &["share", &ids[0], &ids[1]]).await;
    let hung: Vec<SharedStoryView> = values(&service, &["gallery", "--json"]).await;
    assert_eq!(hung.len(), 2);
    said(&service, &["share", "--withdraw", &ids[0]]).await;
    let hung = said(&service, &["gallery"]).await;
    assert!(
        hung.starts_with(&ids[1]) && !hung.contains(&ids[0]),
        "{hung}"
    );

    let nobody = "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11";
    let deleted = typed(&service, &["delete", nobody, &ids[1], "--json"]).await;
    assert_eq!(deleted.status.code(), Some(1), "one of them is not there");
    let job: StoryView = serde_json::from_slice(&deleted.stdout).unwrap();
    assert!(job.data_removed && job.id.to_string() == ids[1]);
    let (code, complaint) = ended(&service, &["wait", &ids[1]]).await;
    assert!(
        code == Some(1) && complaint.contains("taken back"),
        "{complaint}"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn styles_of_a_service_are_listed_made_and_taken_away() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let novel = folder.path().join("novel.txt");
    std::fs::write(&novel, "ok").unwrap();
    let (server, novel) = (["--server", &service.address], novel.to_str().unwrap());
    let ask = |words: &[&'static str]| [&["styles"], words, &server[..]].concat();
    let known: Vec<StylesView> = values(&service, &ask(&["--json"])).await;
    assert_eq!(known[0].bundle.as_deref(), Some("scripted-1"));
    let listed = said(&service, &ask(&["list"])).await;
    assert!(listed.contains("in the manner of romance"), "{listed}");

    let add = [&ask(&["add", "mine"])[..], &[novel]].concat();
    let added = said(&service, &add).await;
    assert!(
        added.contains("made of: novel.txt") && added.contains("ready"),
        "{added}"
    );
    let made: Vec<StyleView> = values(&service, &ask(&["show", "mine", "--json"])).await;
    assert_eq!(made[0].state, StyleState::Ready);
    said(&service, &ask(&["remove", "mine"])).await;
    let (code, complaint) = ended(&service, &ask(&["show", "mine"])).await;
    assert!(code == Some(1) && complaint.contains("mine"), "{complaint}");
    service.stop().await;
}
