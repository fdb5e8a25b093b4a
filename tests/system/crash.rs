//! The real program, ended in the middle of its work: by signal 9, after which every accepted job is told at the next
//! start and none twice, and by a stop that has no patience, which gives back what it had begun.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jobs::{State, StoryRequest};
use storyteller::client::Client;
use uuid::Uuid;

use crate::harness::small_picture;
use testkit::postgres::{cache, open_folder};

const JOBS: usize = 50;

/// The program, serving on a free port; stopped when dropped.
struct Program {
    child: testkit::Program,
    address: String,
}

impl Program {
    fn start(data: &Path) -> Program {
        Self::start_with(data, &[], Stdio::inherit())
    }

    fn start_with(data: &Path, flags: &[&str], log: Stdio) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storyteller"));
        let command = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--cache")
            .arg(cache())
            .args(flags)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("OMP_NUM_THREADS", "1")
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = testkit::Program::start(command).unwrap();
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

async fn ready(client: &Client) {
    let begun = std::time::Instant::now();
    while !matches!(client.ready().await, Ok((true, _))) {
        assert!(begun.elapsed().as_secs() < 120, "never ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
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

    let mut program = Program::start(folder.path());
    let client = Client::new(&program.address).unwrap();
    for &id in &ids {
        let job = client.finished(id, |_| {}).await;
        let job = job.unwrap_or_else(|error| {
            let ended = program.child.try_wait();
            panic!("{error}; the program that is started anew: {ended:?}")
        });
        assert_eq!(job.state, State::Succeeded, "{job:?}");
        let attempts = job.history.iter().flatten();
        let told = attempts
            .filter(|attempt| attempt.outcome.as_deref() == Some("succeeded"))
            .count();
        assert_eq!(told, 1, "one visible result: {job:?}");
    }
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_without_patience_gives_back_what_is_being_computed_and_ends_quietly() {
    let folder = open_folder();
    let log = folder.path().join("log");
    let write_log = Stdio::from(std::fs::File::create(&log).unwrap());
    let program = Program::start_with(folder.path(), &["--drain-seconds", "0"], write_log);
    let client = Client::new(&program.address).unwrap();
    ready(&client).await;
    let photo = folder.path().join("photo.png");
    std::fs::write(&photo, small_picture(7)).unwrap();
    let asked = client.submit(Some(&photo), &StoryRequest::default()).await;
    let id = asked.unwrap().id;
    loop {
        let job = client.job(id, Duration::ZERO).await.unwrap();
        assert!(!job.state.is_final(), "told before it was stopped: {job:?}");
        if job.stage.as_deref() == Some("writing") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    program.stop();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(!log.contains("panicked"), "{log}");

    let program = Program::start(folder.path());
    let client = Client::new(&program.address).unwrap();
    let job = client.finished(id, |_| {}).await.unwrap();
    assert_eq!(job.state, State::Succeeded, "{job:?}");
    assert_eq!(job.attempts, 1, "a stop charges nobody: {job:?}");
    program.stop();
}

/// What an older bundle told is not taken for a story of the one that tells now, not even while its networks are being loaded.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_in_the_moment_of_a_start_is_told_by_the_new_bundle() {
    let folder = open_folder();
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/bundles/starter");
    let older = folder.path().join("older");
    std::fs::create_dir(&older).unwrap();
    for file in std::fs::read_dir(&starter).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), older.join(file.file_name())).unwrap();
    }
    let manifest = std::fs::read_to_string(older.join("bundle.toml")).unwrap();
    let manifest = manifest.replacen("\nversion = \"", "\nversion = \"0.", 1);
    std::fs::write(older.join("bundle.toml"), manifest).unwrap();
    let photo = folder.path().join("photo.png");
    std::fs::write(&photo, small_picture(3)).unwrap();
    let quick = StoryRequest {
        captions: 5,
        beam_width: 2,
        max_words: 20,
        ..StoryRequest::default()
    };
    let told_by = async |flags: &[&str]| {
        let program = Program::start_with(folder.path(), flags, Stdio::inherit());
        let client = Client::new(&program.address).unwrap();
        let id = client.submit(Some(&photo), &quick).await.unwrap().id;
        let job = client.finished(id, |_| {}).await.unwrap();
        program.stop();
        job.result.unwrap().bundle
    };
    let older = told_by(&["--bundle", older.to_str().unwrap()]).await;
    let now = told_by(&[]).await;
    assert!(older.starts_with("starter-0."), "{older}");
    assert!(!now.starts_with("starter-0."), "{now} told it before");
    assert_eq!(told_by(&[]).await, now);
}

async fn states(client: &Client, ids: &[Uuid]) -> Vec<State> {
    let mut states = Vec::new();
    for &id in ids {
        let job = client.job(id, Duration::ZERO).await.unwrap();
        states.push(job.state);
    }
    states
}
