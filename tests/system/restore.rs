//! What `docs/backup.md` says is done: a service that runs is dumped and copied, all of it is lost, and a new one that gets it back
//! has every story with its picture; and one whose log is kept goes back to a moment.

use std::path::{Path, PathBuf};
use std::process::Command;

use scripted::ScriptedEngine;
use testkit::postgres::{cache, open_folder};

use crate::harness::{Service, small_picture};

/// Runs a program of Postgres on the database of this data folder, as the document says.
async fn on_database(data: &Path, program: &str, arguments: &[&str]) {
    let place = data.join("postgres");
    let folder = embedded::find_programs(None, &cache()).unwrap();
    let beside = folder.join(program);
    let program = if beside.exists() {
        beside
    } else {
        PathBuf::from(program)
    };
    let mut command = Command::new(&program);
    command
        .arg("--host")
        .arg(place.join("socket"))
        .args(["--username", "storyteller"])
        .args(arguments)
        .env(
            "PGPASSWORD",
            std::fs::read_to_string(place.join("password")).unwrap(),
        );
    let done = tokio::task::spawn_blocking(move || command.output());
    let done = done.await.unwrap();
    let done = done.unwrap_or_else(|error| {
        panic!(
            "{}: {error}; apt-get install postgresql-client",
            program.display()
        )
    });
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {complaint}", program.display());
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("--archive")
        .arg(from)
        .arg(to)
        .status();
    assert!(copied.unwrap().success());
}

/// Gives everything below a place to the owner of another one.
fn give(place: &Path, as_of: &Path) {
    let mut reference = std::ffi::OsString::from("--reference=");
    reference.push(as_of);
    let given = Command::new("chown")
        .arg("--recursive")
        .arg(reference)
        .arg(place)
        .status();
    assert!(given.unwrap().success());
}

/// All stories with their texts, and the pictures that go with them.
async fn everything(service: &Service, ids: &[String]) -> Vec<(serde_json::Value, Vec<u8>)> {
    let mut all = Vec::new();
    for id in ids {
        let story = service.get(&format!("/v1/stories/{id}")).await.json();
        let picture = service.get(&format!("/v1/stories/{id}/image")).await;
        assert_eq!(picture.status, 200, "{story}");
        all.push((story, picture.body));
    }
    all
}

/// Four told stories about four pictures, one of them shared.
async fn four_stories(service: &Service) -> Vec<String> {
    let mut ids = Vec::new();
    for seed in 0..4 {
        let label = format!(r#"{{"script":"ok","number":"{seed}"}}"#);
        let fields = [("metadata", label.as_str())];
        let id = service.accepted(&small_picture(seed), &fields).await;
        assert_eq!(service.finished(&id).await["state"], "succeeded");
        ids.push(id);
    }
    service.shares(&ids[0], true).await;
    ids
}

#[tokio::test]
async fn what_was_dumped_comes_back_with_every_story_and_its_picture() {
    let backup = tempfile::tempdir().unwrap();
    let (dump, pictures) = (
        backup.path().join("stories.dump"),
        backup.path().join("images"),
    );
    let dump = dump.to_str().unwrap();

    let service = Service::scripted(ScriptedEngine::new()).await;
    let ids = four_stories(&service).await;
    let before = everything(&service, &ids).await;
    assert_ne!(before[0].1, before[1].1);
    // while it runs; first the database, then the pictures
    on_database(
        service.data.path(),
        "pg_dump",
        &["--format", "custom", "--file", dump, "postgres"],
    )
    .await;
    copy(&service.data.path().join("images"), &pictures);
    let later = service.accepted(&small_picture(9), &[]).await;
    service.stop().await;

    let service = Service::scripted(ScriptedEngine::new()).await;
    let restore = [
        "--clean",
        "--if-exists",
        "--single-transaction",
        "--dbname",
        "postgres",
        dump,
    ];
    on_database(service.data.path(), "pg_restore", &restore).await;
    let own = service.data.path().join("images");
    std::fs::remove_dir_all(&own).unwrap();
    copy(&pictures, &own);
    let service = service.restarted(ScriptedEngine::new()).await;
    assert_eq!(everything(&service, &ids).await, before);
    let listed = service.get("/v1/stories").await.json();
    assert_eq!(
        listed["stories"].as_array().map(Vec::len),
        Some(ids.len()),
        "{listed}"
    );
    assert_eq!(
        service.get(&format!("/v1/stories/{later}")).await.status,
        404
    );
    let gallery = service.get("/v1/gallery").await.json();
    assert!(gallery.to_string().contains(&ids[0]), "{gallery}");
    // and it goes on from there
    let id = service.accepted(&small_picture(20), &[]).await;
    assert_eq!(service.finished(&id).await["state"], "succeeded");
    service.stop().await;
}

/// Puts the copy of the database's files in their place, to be brought to this moment by the log that was kept.
fn turn_back(data: &Path, kept: &Path, moment: &str) {
    let (files, before) = (
        data.join("postgres/data"),
        data.join("postgres/data.before"),
    );
    std::fs::rename(&files, &before).unwrap();
    copy(&kept.join("base"), &files);
    std::fs::write(files.join("recovery.signal"), "").unwrap();
    let settings = files.join("postgresql.auto.conf");
    let said = std::fs::read_to_string(&settings).unwrap();
    let wal = kept.join("wal");
    let more = format!(
        "restore_command = 'cp {}/%f %p'\nrecovery_target_time = '{moment}'\n\
         recovery_target_action = promote\nhot_standby = off\n",
        wal.display()
    );
    std::fs::write(settings, said + &more).unwrap();
    give(&files, &before);
}

#[tokio::test]
async fn a_database_whose_log_is_kept_goes_back_to_any_moment() {
    let kept = open_folder();
    let wal = kept.path().join("wal");
    std::fs::create_dir(&wal).unwrap();
    let service = Service::scripted(ScriptedEngine::new()).await;
    give(&wal, &service.data.path().join("postgres/data"));
    let keep = format!(
        "alter system set archive_command = 'test ! -f {0}/%f && cp %p {0}/%f'",
        wal.display()
    );
    let on = "alter system set archive_mode = on";
    let words = ["--dbname", "postgres", "--command", on, "--command", &keep];
    on_database(service.data.path(), "psql", &words).await;
    let service = service.restarted(ScriptedEngine::new()).await;
    let base = kept.path().join("base");
    let base = ["--checkpoint", "fast", "--pgdata", base.to_str().unwrap()];
    on_database(service.data.path(), "pg_basebackup", &base).await;

    // all of this is in the log alone
    let ids = four_stories(&service).await;
    let before = everything(&service, &ids).await;
    let moment = chrono::Utc::now().to_rfc3339();
    let later = service.accepted(&small_picture(9), &[]).await;
    service.finished(&later).await;
    service.shares(&ids[0], false).await;

    let turn = |data: &Path| turn_back(data, kept.path(), &moment);
    let service = service.restarted_after(turn, ScriptedEngine::new()).await;
    assert_eq!(everything(&service, &ids).await, before);
    let gone = service.get(&format!("/v1/stories/{later}")).await;
    assert_eq!(gone.status, 404, "it was told afterwards");
    let gallery = service.get("/v1/gallery").await.json();
    assert!(gallery.to_string().contains(&ids[0]), "{gallery}");
    let id = service.accepted(&small_picture(20), &[]).await;
    assert_eq!(service.finished(&id).await["state"], "succeeded");
    service.stop().await;
}
