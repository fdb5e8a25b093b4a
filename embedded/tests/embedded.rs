//! What the embedded Postgres promises: commits survive stops and crashes, nobody is kept out by a dead service,
//! and trouble is explained. Each test has a folder of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use embedded::{EmbeddedPostgres, Error, Settings};
use jobs::{Rules, Store, StoryRequest, Submitted};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use testkit::postgres::{cache, open_folder, settings};
use testkit::service::new_job;
use testkit::{Program, eventually};

/// Names the folder for a copy of this program that is to be killed.
const HOLD: &str = "STORYTELLER_TEST_HOLDS";

async fn store(postgres: &EmbeddedPostgres) -> Store {
    let store = Store::connect(&postgres.url(), Rules::default())
        .await
        .unwrap();
    store.migrate().await.unwrap();
    store
}

async fn submit(store: &Store) -> Uuid {
    match store
        .submit(new_job(StoryRequest::default()))
        .await
        .unwrap()
    {
        Submitted::New(job) => job.id,
        other => panic!("{other:?}"),
    }
}

fn server_process(data: &Path) -> String {
    let note = fs::read_to_string(data.join("postgres/data/postmaster.pid")).unwrap();
    note.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_job_survives_a_stop_and_a_new_start() {
    let data = open_folder();
    let postgres = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap();
    let first = store(&postgres).await;
    let id = submit(&first).await;
    let process = server_process(data.path());
    postgres.stop().await.unwrap();
    assert!(!Path::new("/proc").join(process).exists());
    assert!(first.ping().await.unwrap_err().is_unavailable());

    let postgres = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap();
    assert!(store(&postgres).await.get(id).await.unwrap().is_some());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_service_on_one_folder_is_refused_and_a_stranger_too() {
    let data = open_folder();
    let postgres = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap();
    let error = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::DataInUse { .. }), "{error}");
    let address: PgConnectOptions = postgres.url().parse().unwrap();
    let stranger = address.password("guessed").to_url_lossy().to_string();
    Store::connect(&stranger, Rules::default())
        .await
        .unwrap_err();
    postgres.stop().await.unwrap();
}

/// Not a test of its own: the service that [`a_service_that_was_killed_keeps_nobody_out`] kills.
#[tokio::test]
async fn holds_a_database_until_it_is_killed() {
    let Some(data) = std::env::var_os(HOLD).map(PathBuf::from) else {
        return;
    };
    let postgres = EmbeddedPostgres::start(settings(&data)).await.unwrap();
    let id = submit(&store(&postgres).await).await;
    #[expect(clippy::print_stdout, reason = "the other program reads it")]
    {
        println!("\nholds {id}");
    }
    std::future::pending::<()>().await;
}

/// A service on this folder, and the job that it was given.
fn held_by_another(data: &Path) -> (Program, Uuid) {
    let mut service = Command::new(std::env::current_exe().unwrap());
    let service = service
        .args([
            "--exact",
            "holds_a_database_until_it_is_killed",
            "--nocapture",
        ])
        .env(HOLD, data)
        .stdout(Stdio::piped());
    let mut service = Program::start(service).unwrap();
    let lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let id = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("holds ").map(str::to_owned))
        .unwrap();
    (service, id.parse().unwrap())
}

#[tokio::test]
async fn a_service_that_was_killed_keeps_nobody_out() {
    let data = open_folder();
    let (mut service, id) = held_by_another(data.path());
    service.kill().unwrap();
    service.wait().unwrap();

    let postgres = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap();
    assert!(store(&postgres).await.get(id).await.unwrap().is_some());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_guardian_that_wakes_late_leaves_the_next_server_alone() {
    let data = open_folder();
    let (mut service, id) = held_by_another(data.path());
    let guardian = guardian_of(&server_process(data.path()));
    signal("STOP", &guardian);
    service.kill().unwrap();
    service.wait().unwrap();

    let postgres = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap();
    let next = server_process(data.path());
    signal("CONT", &guardian);
    let guardian = Path::new("/proc").join(guardian);
    eventually("the guardian has done its work", async || {
        (!guardian.exists()).then_some(())
    })
    .await;
    assert!(store(&postgres).await.get(id).await.unwrap().is_some());
    postgres.stop().await.unwrap();
    let log = fs::read_to_string(data.path().join("postgres/log")).unwrap();
    assert_eq!(
        log.matches("received fast shutdown request").count(),
        2,
        "each server was to be ended once, {next} by its service alone:\n{log}"
    );
}

/// The shell that watches over a server: the one process that was given its number.
fn guardian_of(server: &str) -> String {
    let is_guardian = |process: &PathBuf| {
        let line = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
        line.contains("stopped")
            && line
                .trim_end_matches('\0')
                .ends_with(&format!("\0{server}"))
    };
    let mut processes = fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let guardian = processes.find(is_guardian).unwrap();
    guardian.file_name().unwrap().to_str().unwrap().to_owned()
}

fn signal(name: &str, process: &str) {
    let kill = Command::new("kill")
        .args([&format!("-{name}"), process])
        .status();
    assert!(kill.unwrap().success());
}

#[tokio::test]
async fn a_postgres_that_was_killed_is_started_again_at_the_same_address() {
    let data = open_folder();
    let postgres = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap();
    let store = store(&postgres).await;
    let id = submit(&store).await;
    let process = server_process(data.path());
    signal("KILL", &process);
    // a backend of the dead server may still answer for a moment
    eventually("another server answers", async || {
        let note = fs::read_to_string(data.path().join("postgres/data/postmaster.pid")).ok()?;
        let other = note.lines().next().is_some_and(|number| number != process);
        store.get(id).await.ok().flatten().filter(|_| other)
    })
    .await;
    postgres.stop().await.unwrap();
    let log = fs::read_to_string(data.path().join("postgres/log")).unwrap();
    assert_eq!(
        log.matches("ready to accept connections").count(),
        2,
        "started once more than needed:\n{log}"
    );
}

#[tokio::test]
async fn a_dropped_server_ends_by_itself() {
    let data = open_folder();
    let postgres = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap();
    let process = Path::new("/proc").join(server_process(data.path()));
    drop(postgres);
    eventually("the server is gone", async || {
        (!process.exists()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_database_of_another_version_is_left_alone() {
    let data = open_folder();
    EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    fs::write(data.path().join("postgres/data/PG_VERSION"), "9\n").unwrap();
    let error = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::OtherVersion { found, .. } if found == "9"),
        "{error}"
    );
}

#[tokio::test]
async fn what_an_interrupted_set_up_left_is_made_anew() {
    let data = open_folder();
    let postgres = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap();
    postgres.stop().await.unwrap();
    fs::rename(
        data.path().join("postgres/data"),
        data.path().join("postgres/data.new"),
    )
    .unwrap();
    fs::remove_file(data.path().join("postgres/data.new/PG_VERSION")).unwrap();
    let postgres = EmbeddedPostgres::start(settings(data.path()))
        .await
        .unwrap();
    submit(&store(&postgres).await).await;
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_only_root_can_enter_gets_its_database_elsewhere() {
    let closed = open_folder();
    let data = closed.path().join("data");
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    let postgres = EmbeddedPostgres::start(settings(&data)).await.unwrap();
    let id = submit(&store(&postgres).await).await;
    postgres.stop().await.unwrap();
    let place = data.join("postgres").canonicalize().unwrap();
    let postgres = EmbeddedPostgres::start(settings(&data)).await.unwrap();
    assert!(store(&postgres).await.get(id).await.unwrap().is_some());
    postgres.stop().await.unwrap();
    if !place.starts_with(closed.path()) {
        fs::remove_dir_all(place).unwrap();
    }
}

#[tokio::test]
async fn a_moved_data_folder_finds_its_database_and_whoever_begins_at_its_old_path_another() {
    let closed = open_folder();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    let (old, moved) = (closed.path().join("data"), closed.path().join("moved"));
    let first = EmbeddedPostgres::start(settings(&old)).await.unwrap();
    let first_jobs = store(&first).await;
    let id = submit(&first_jobs).await;
    // while it runs, as people do
    fs::rename(&old, &moved).unwrap();

    let second = EmbeddedPostgres::start(settings(&old)).await.unwrap();
    let second_jobs = store(&second).await;
    let other = submit(&second_jobs).await;
    assert!(second_jobs.get(id).await.unwrap().is_none());
    assert!(first_jobs.get(id).await.unwrap().is_some());
    let error = EmbeddedPostgres::start(settings(&moved)).await.unwrap_err();
    assert!(matches!(error, Error::DataInUse { .. }), "{error}");

    first.stop().await.unwrap();
    assert!(
        second_jobs.get(other).await.unwrap().is_some(),
        "the wrong one was stopped"
    );
    let again = EmbeddedPostgres::start(settings(&moved)).await.unwrap();
    assert!(store(&again).await.get(id).await.unwrap().is_some());
    again.stop().await.unwrap();
    second.stop().await.unwrap();
    for data in [old, moved] {
        let place = data.join("postgres").canonicalize().unwrap();
        if !place.starts_with(closed.path()) {
            fs::remove_dir_all(place).unwrap();
        }
    }
}

#[tokio::test]
async fn the_fetched_postgres_does_as_well_where_there_is_one() {
    let programs = cache().join("postgres/bin");
    if !programs.exists() {
        return;
    }
    let data = open_folder();
    let settings = Settings {
        programs: Some(programs),
        ..settings(data.path())
    };
    let postgres = EmbeddedPostgres::start(settings).await.unwrap();
    submit(&store(&postgres).await).await;
    postgres.stop().await.unwrap();
}
