//! What the documents tell people to type works: calls are made, options exist, receivers of webhooks receive.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use scripted::ScriptedEngine;
use testkit::Program;

use crate::harness::{Service, small_picture};

pub(crate) const ADDRESS: &str = "http://127.0.0.1:7878";
/// What a document may tell people to type, beside `curl` and `storyteller`; `make` has a test of its own.
const PLAIN: [&str; 18] = [
    "rm",
    "aws",
    "apt",
    "mkdir",
    "chown",
    "mv",
    "touch",
    "kubectl",
    "journalctl",
    "systemctl",
    "tar",
    "readlink",
    "make",
    "cp",
    "docker",
    "docker/make-env.sh",
    "chromium",
    "cd",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The documents for people who use the program, with their texts.
pub(crate) fn documents() -> Vec<(String, String)> {
    let mut files = vec![root().join("README.md"), root().join("docker/README.md")];
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    files.extend(docs.map(|entry| entry.unwrap().path()));
    let markdown = files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|ending| ending == "md"));
    markdown
        .map(|file| {
            let name = file.strip_prefix(root()).unwrap().display().to_string();
            (name, std::fs::read_to_string(file).unwrap())
        })
        .collect()
}

/// The code of one language in a document, block by block.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    text.split(&opening)
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

/// The commands of a document, one a line, without comments.
pub(crate) fn commands(text: &str) -> Vec<String> {
    let joined = |block: &str| block.replace("\\\n", " ");
    let lines: Vec<String> = blocks(text, "sh").into_iter().map(joined).collect();
    lines
        .iter()
        .flat_map(|block| block.lines())
        .map(|line| {
            line.split(" #")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_in_the_documents_is_answered_well() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let folder = tempfile::tempdir().unwrap();
    for name in ["cat.jpg", "dog.jpg"] {
        let photo = root().join("tests/fixtures/photos/cat.jpg");
        std::fs::copy(photo, folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("novel.txt"), "ok").unwrap();
    for (document, text) in documents() {
        let calls: Vec<_> = commands(&text)
            .into_iter()
            .filter(|line| line.starts_with("curl "))
            .collect();
        if calls.is_empty() {
            continue;
        }
        let id = service.accepted(&small_picture(1), &[]).await;
        service.finished(&id).await;
        let mut batch = String::new();
        for call in calls {
            let ours = call
                .replace(ADDRESS, &service.address)
                .replace("batches/<id>", &format!("batches/{batch}"))
                .replace("<id>", &id);
            let strict = ours.replacen(
                "curl",
                "curl --silent --show-error --fail-with-body --max-time 60 --retry 5 --retry-delay 1 --retry-all-errors",
                1,
            );
            let answer = Command::new("sh")
                .args(["-c", &strict])
                .current_dir(folder.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&answer.stdout);
            let complaint = String::from_utf8_lossy(&answer.stderr);
            assert!(
                answer.status.success(),
                "{document}: {call}\n{said}\n{complaint}"
            );
            if call.ends_with("/v1/batches") {
                let told: serde_json::Value = serde_json::from_str(&said).unwrap();
                batch = told["id"].as_str().unwrap().to_owned();
            }
        }
        // the next document may make it again, of another text
        service.forgets_style("mine").await;
    }
    service.stop().await;
}

/// The longest chain of words that names a command, with what its help says.
fn help(words: &[&str], known: &mut BTreeMap<String, Option<String>>) -> String {
    let mut found = None;
    for length in 0..=words.len().min(3) {
        let chain = words[..length].join(" ");
        let text = known.entry(chain).or_insert_with(|| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_storyteller"));
            let output = program
                .args(&words[..length])
                .arg("--help")
                .output()
                .unwrap();
            // 2 is a wrong command line; anything else says nothing about the command
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 2)), "{words:?}: {output:?}");
            (code == Some(0)).then(|| String::from_utf8(output.stdout).unwrap())
        });
        match text {
            Some(text) => found = Some(text.clone()),
            None => break,
        }
    }
    found.unwrap_or_default()
}

#[test]
fn every_command_and_option_in_the_documents_exists() {
    let mut known = BTreeMap::new();
    let mut offenders = Vec::new();
    for (document, text) in documents() {
        for line in commands(&text) {
            let mut words = line.split_whitespace();
            if line.starts_with("sudo -u ") {
                words.nth(2);
            }
            match words.next().unwrap_or_default() {
                "storyteller" => {}
                "curl" => continue,
                // a variable that is set, before a command or for those that follow
                other if PLAIN.contains(&other) || other.contains('=') => continue,
                _ => {
                    offenders.push(format!("{document}: {line}"));
                    continue;
                }
            }
            let words: Vec<&str> = words.collect();
            let names = |word: &&&str| {
                word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
            };
            let chain: Vec<&str> = words.iter().take_while(names).copied().collect();
            let help = help(&chain, &mut known);
            let first = chain
                .first()
                .is_some_and(|name| help.contains(&format!("storyteller {name}")));
            let flags = words.iter().filter(|word| word.starts_with("--"));
            let missing: Vec<_> = flags.filter(|flag| !help.contains(**flag)).collect();
            if !first || !missing.is_empty() {
                offenders.push(format!("{document}: {line} ({missing:?})"));
            }
        }
    }
    assert!(offenders.is_empty(), "no such commands: {offenders:#?}");
}

/// A receiver from the README, listening, stopped when dropped.
struct Receiver {
    _program: Program,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    port: u16,
}

impl Receiver {
    fn start(program: &str, script: &Path, secret: &str) -> Receiver {
        let mut command = Command::new(program);
        let command = command
            .arg(script)
            .env("PORT", "0")
            .env("STORYTELLER_WEBHOOK_SECRET", secret)
            .stdout(Stdio::piped());
        let mut running = Program::start(command).unwrap_or_else(|error| {
            panic!("the README's receivers are tested, and there is no {program} here ({error}): install it")
        });
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        let port = lines.next().expect("it says where it listens").unwrap();
        Receiver {
            _program: running,
            lines,
            port: port.trim().parse().unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receivers_in_the_readme_believe_our_webhooks_and_no_others() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let secret = std::fs::read_to_string(service.data.path().join("webhook.secret")).unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (program, language, ending) in [("python3", "python", "py"), ("node", "js", "mjs")] {
        let script = folder.path().join(format!("receiver.{ending}"));
        let code = blocks(&readme, language)[0];
        assert!(code.lines().count() <= 15, "{language}: fifteen lines");
        let mut file = std::fs::File::create(&script).unwrap();
        file.write_all(code.as_bytes()).unwrap();
        let mut receiver = Receiver::start(program, &script, secret.trim());
        let url = format!("http://127.0.0.1:{}/told", receiver.port);
        let id = service
            .accepted(&small_picture(2), &[("webhook_url", url.as_str())])
            .await;
        let said = receiver.lines.next().unwrap().unwrap();
        let message: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        assert_eq!(message["type"], "story.succeeded", "{program}: {said}");
        assert_eq!(message["data"]["id"], id.as_str(), "{program}: {said}");

        let now = chrono::Utc::now().timestamp().to_string();
        let forged = reqwest::Client::new()
            .post(&url)
            .header("webhook-id", "msg_1")
            .header("webhook-timestamp", now)
            .header("webhook-signature", "v1,Zm9yZ2Vk")
            .body("{}");
        assert_eq!(forged.send().await.unwrap().status(), 401, "{program}");
    }
    service.stop().await;
}
