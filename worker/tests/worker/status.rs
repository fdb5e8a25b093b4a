//! The listener beside a worker: health with reasons and numbers, also while the networks load and while it drains.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use operation::health::ask;
use operation::{Status, status};
use scripted::ScriptedEngine;

use crate::harness::{Service, together};
use testkit::{Program, eventually};

fn free() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, testkit::ports::reserve()).into()
}

async fn page(address: SocketAddr, path: &str) -> String {
    let answer = reqwest::get(format!("http://{address}{path}")).await;
    answer.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_worker_shows_whether_it_is_ready_and_counts_what_it_does() {
    let service = Service::start().await;
    let running = service.worker(2).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let shown = Status {
        store: service.store.clone(),
        health: running.health.clone(),
        shutdown: tokio_util::sync::CancellationToken::new(),
    };
    let stopping = shown.shutdown.clone();
    let answering = tokio::spawn(status::run(shown, listener));
    eventually("the worker is ready", async || {
        ask(address).await.ok().filter(|(ready, _)| *ready)
    })
    .await;
    for id in service.submit_many(2, "ok").await {
        service.finished(id).await;
    }
    let numbers = page(address, "/metrics").await;
    for name in [
        "storyteller_attempts_total",
        "storyteller_outcomes_total{outcome=\"succeeded\"}",
        "storyteller_batch_stories_count",
        "storyteller_attempt_seconds_count",
    ] {
        let line = numbers.lines().find(|line| line.starts_with(name));
        let count = line.unwrap_or_else(|| panic!("no {name} in\n{numbers}"));
        assert!(!count.ends_with(" 0"), "{count}");
    }
    assert!(page(address, "/livez").await.contains("true"));
    stopping.cancel();
    let (ready, words) = ask(address).await.unwrap();
    assert!(!ready && words.contains("stopping"), "{words}");
    answering.abort();
    running.stop().await;
}

#[tokio::test]
async fn readiness_says_that_the_networks_are_being_loaded_and_that_the_database_is_gone() {
    let service = Service::start().await;
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let engine = ScriptedEngine::new();
    let (tells, made) = (engine.tells(), engine.factory());
    let factory: worker::EngineFactory = Box::new(move || {
        let _ = opened.recv();
        made()
    });
    let running = service.worker_on(together(1), tells, factory).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let shown = Status {
        store: service.store.clone(),
        health: running.health.clone(),
        shutdown: tokio_util::sync::CancellationToken::new(),
    };
    let answering = tokio::spawn(status::run(shown, listener));
    eventually("it says that it loads", async || {
        let (ready, words) = ask(address).await.ok()?;
        (!ready && words.contains("loaded")).then_some(())
    })
    .await;
    open.send(()).unwrap();
    eventually("it is ready", async || {
        ask(address).await.ok().filter(|(ready, _)| *ready)
    })
    .await;
    service.store.close().await;
    let (ready, words) = ask(address).await.unwrap();
    assert!(!ready && words.contains("database"), "{words}");
    answering.abort();
    running.stop().await;
}

fn health(address: SocketAddr) -> (bool, String) {
    let asked = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["health", "--listen", &address.to_string()])
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let said = [asked.stdout, asked.stderr].concat();
    (
        asked.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test]
async fn a_dispatcher_alone_is_asked_by_the_subcommand_health() {
    let service = Service::start().await;
    let address = free();
    let (ready, words) = health(address);
    assert!(
        !ready && words.contains("ask whether it is ready"),
        "{words}"
    );
    let pictures = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    let command = command
        .args(["--dispatch-only", "--listen", &address.to_string()])
        .arg("--images")
        .arg(pictures.path())
        .env("DATABASE_URL", service.database_url())
        .env(
            "STORYTELLER_WEBHOOK_SECRET",
            outbound::Secret::new().reveal(),
        )
        .stderr(Stdio::null());
    let program = Program::start(command).unwrap();
    eventually("the dispatcher is ready", async || {
        Some(health(address)).filter(|(ready, _)| *ready)
    })
    .await;
    drop(program);
    assert!(!health(address).0);
}
