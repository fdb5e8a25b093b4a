//! The commands of this program that the documents tell people to type are typed: at a service, and on a made-up bundle.
//! `documents.rs` sees that the rest exist. What must stay true: what is not typed here is in a list, with the reason.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use models::bundle::fixture::write_bundle;
use scripted::{ScriptedEngine, Tells};
use testkit::postgres::cache;

use super::documents::{ADDRESS, commands, documents};
use crate::harness::{Service, small_picture};

/// What is not typed here, and why.
const EXCEPTIONS: [(&str, &str); 5] = [
    (
        "storyteller serve",
        "goes on until it is stopped; `crash.rs` starts it",
    ),
    (
        "storyteller train",
        "computes for hours; `training.rs` does it with little",
    ),
    (
        "storyteller evaluate",
        "measures what was trained, with photos and captions that are not here",
    ),
    (
        "storyteller styles add gothic",
        "is of a bundle that `train finish` has made",
    ),
    ("sudo ", "asks for the password of whoever types"),
];
/// Commands that end with 1 when they find something wrong, which is what they are for.
const FINDS: [&str; 1] = ["storyteller doctor"];

/// A text in words that a bundle of random weights knows, no two sentences alike.
fn novel() -> String {
    let who = ["cat", "dog", "man", "woman", "boat"];
    let how = ["old", "young", "red"];
    let place = ["street", "beach", "sea", "tree", "boat"];
    let sentence = |n: usize| {
        let (one, other) = (who[n % 5], who[(n / 5) % 5]);
        let (how, place) = (how[(n / 25) % 3], place[(n / 75) % 5]);
        format!(
            "The {how} {one} looks at the {other} on the {place}, and she said it was love in the night."
        )
    };
    let paragraphs = (0..60).map(|p| {
        (0..6)
            .map(|s| sentence(p * 6 + s))
            .collect::<Vec<_>>()
            .join(" ")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Where a document's commands are typed, and what they are about.
struct Desk {
    folder: tempfile::TempDir,
    service: Service,
    tells: std::sync::Arc<Tells>,
    /// A database for those commands that work on one themselves.
    database: testkit::Service,
    batch: String,
    seed: u8,
}

impl Desk {
    async fn new() -> Desk {
        let folder = testkit::postgres::open_folder();
        let at = folder.path();
        let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/photos/cat.jpg");
        for name in ["cat.jpg", "dog.jpg", "photo.jpg"] {
            std::fs::copy(photo, at.join(name)).unwrap();
        }
        std::fs::create_dir(at.join("books")).unwrap();
        for text in ["novel.txt", "books/hardy.txt"] {
            std::fs::write(at.join(text), novel()).unwrap();
        }
        let engine = ScriptedEngine::new();
        Desk {
            tells: engine.tells(),
            service: Service::scripted(engine).await,
            database: testkit::Service::start().await,
            batch: String::new(),
            seed: 0,
            folder,
        }
    }

    /// Makes bundles of random weights as if they had just been trained, and forgets what a document before has made.
    async fn clear(&self) {
        for name in ["bundle", "larger", "my-bundle"] {
            let bundle = self.folder.path().join(name);
            let _ = std::fs::remove_dir_all(&bundle);
            write_bundle(&bundle, 1).unwrap();
        }
        self.service.forgets_style("mine").await;
    }

    /// The id of a story that this can be done with.
    async fn story(&mut self, command: &str) -> String {
        let script = match command.split_whitespace().nth(1) {
            Some("cancel") => r#"{"script":"gate"}"#,
            Some("retry") => r#"{"script":"error"}"#,
            _ => "{}",
        };
        self.seed += 1;
        let picture = small_picture(self.seed);
        let id = self
            .service
            .accepted(&picture, &[("metadata", script)])
            .await;
        if !script.contains("gate") {
            self.service.finished(&id).await;
        }
        id
    }

    /// The same command about what is here.
    async fn fitted(&mut self, command: &str) -> String {
        let mut fitted = command.replace(ADDRESS, &self.service.address);
        if fitted.starts_with("storyteller styles remove mine --server") {
            self.types(&fitted.replacen("remove mine", "add mine novel.txt", 1));
        }
        fitted = fitted.replace("--id <id>", &format!("--id {}", self.batch));
        while fitted.contains("<id>") {
            let id = self.story(command).await;
            fitted = fitted.replacen("<id>", &id, 1);
        }
        if fitted.contains("st_1a2b3c4d") {
            let made = self.types("storyteller keys create --name Bea");
            let key = made.split('.').next().unwrap_or_default();
            fitted = fitted.replace("st_1a2b3c4d", key.trim());
        }
        let data = self.folder.path().join("data");
        fitted.replace("/var/lib/storyteller", data.to_str().unwrap())
    }

    /// Types a command; what it prints.
    fn types(&self, command: &str) -> String {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_storyteller"));
        let programs = program.parent().unwrap().display();
        let at = self.folder.path();
        let secret = outbound::Secret::new().reveal();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        let shell = shell
            .args(["-c", command])
            .current_dir(at)
            .env("PATH", format!("{programs}:{path}"))
            .env("HOME", at)
            .env("STORYTELLER_CACHE", cache())
            .env("STORYTELLER_BUNDLE", at.join("bundle"))
            .env("STORYTELLER_SERVER", &self.service.address)
            .env("STORYTELLER_IMAGES", at.join("images"))
            .env("DATABASE_URL", &self.database.url)
            .env("OMP_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut typing = shell.spawn().unwrap();
        // whoever wants none has gone already
        let _ = std::io::Write::write_all(&mut typing.stdin.take().unwrap(), secret.as_bytes());
        let done = typing.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&done.stderr);
        let finds = FINDS.iter().any(|found| command.starts_with(found));
        let well = done.status.success() || (finds && done.status.code() == Some(1));
        assert!(well, "{command}: {:?}\n{said}\n{complaint}", done.status);
        assert!(!finds || said.contains("postgres"), "{command}: {said}");
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_in_the_documents_that_can_be_typed_here_does_its_work() {
    let mut desk = Desk::new().await;
    let mut used: Vec<&str> = Vec::new();
    let mut typed = 0;
    for (_, text) in documents() {
        let commands = commands(&text).into_iter();
        let ours = commands.filter(|line| line.contains("storyteller "));
        let ours: Vec<String> = ours
            .filter(|line| line.starts_with("storyteller ") || line.starts_with("sudo "))
            .collect();
        if !ours.is_empty() {
            desk.clear().await;
        }
        for command in ours {
            let exception = EXCEPTIONS
                .iter()
                .find(|(what, _)| command.starts_with(what));
            if let Some((what, _)) = exception {
                used.push(*what);
                continue;
            }
            let fitted = desk.fitted(&command).await;
            let said = desk.types(&fitted);
            if command.starts_with("storyteller batch") && !command.contains("--wait") {
                desk.batch = said.trim().to_owned();
            }
            typed += 1;
        }
    }
    assert!(typed > 40, "{typed} commands were typed");
    for (what, _) in EXCEPTIONS {
        assert!(used.contains(&what), "no document says `{what}` any more");
    }
    desk.tells.open();
    desk.service.stop().await;
}
