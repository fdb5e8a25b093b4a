//! The real program, killed with signal 9 in the middle of its work: every accepted job is told after the next
//! start, and none twice.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use jobs::{State, StoryRequest};
use storyteller::client::Client;
use uuid::Uuid;

use crate::harness::small_picture;
use testkit::postgres::{cache, open_folder};

const JOBS: usize = 50;

/// The program, serving on a free port; stopped when dropped.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(data: &Path) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_storyteller"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--cache")
            .arg(cache())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("OMP_NUM_THREADS", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .unwrap_or_else(|| panic!("it did not say where its page is: {line:?}"))
            .to_owned();
        Program { child, address }
    }

    /// Signal 9: nothing in the process gets a last word.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert!(
            self.child.wait().unwrap().success(),
            "a drained stop ends with exit code 0"
        );
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn ready(client: &Client) {
    let begun = std::time::Instant::now();
    while !matches!(client.ready().await, Ok((true, _))) {
        assert!(begun.elapsed().as_secs() < 120, "never ready");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_jobs_survive_a_kill_and_none_is_told_twice() {
    let folder = open_folder();
    let quick = StoryRequest {
        captions: 5,
        beam_width: 2,
        max_words: 20,
        ..StoryRequest::default()
    };
    let program = Program::start(folder.path());
    let client = Client::new(&program.address).unwrap();
    ready(&client).await;
    let mut ids = Vec::new();
    for seed in 0..JOBS {
        let photo = folder.path().join(format!("{seed}.png"));
        std::fs::write(&photo, small_picture(seed as u8)).unwrap();
        ids.push(client.submit(Some(&photo), &quick).await.unwrap().id);
    }
    let before = states(&client, &ids).await;
    program.kill();
    assert!(
        before.iter().any(|state| *state != State::Succeeded),
        "all were told before the kill: it proves nothing"
    );

    let program = Program::start(folder.path());
    let client = Client::new(&program.address).unwrap();
    for &id in &ids {
        let job = client.finished(id, |_| {}).await.unwrap();
        assert_eq!(job.state, State::Succeeded, "{job:?}");
        let attempts = job.history.iter().flatten();
        let told = attempts
            .filter(|attempt| attempt.outcome.as_deref() == Some("succeeded"))
            .count();
        assert_eq!(told, 1, "one visible result: {job:?}");
    }
    program.stop();
}

async fn states(client: &Client, ids: &[Uuid]) -> Vec<State> {
    let mut states = Vec::new();
    for &id in ids {
        let job = client.job(id, std::time::Duration::ZERO).await.unwrap();
        states.push(job.state);
    }
    states
}
