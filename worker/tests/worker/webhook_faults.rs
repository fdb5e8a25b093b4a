//! Webhooks when dispatchers stop or die, when the database does, and from the real program.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jobs::delivery::DeliveryState;
use outbound::{Secret, Secrets};
use worker::Sending;

use crate::harness::Service;
use crate::webhooks::{sending, verified};
use testkit::receiver::{Receiver, Reply};
use testkit::{Program, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dispatcher_was_sending_when_it_died_is_sent_again() {
    let service = Service::start().await;
    let receiver = Receiver::start(|_, number| {
        let pause = Duration::from_secs(if number == 1 { 3600 } else { 0 });
        Reply {
            pause,
            ..Reply::status(200)
        }
    })
    .await;
    let brief = Sending {
        lease: Duration::from_secs(2),
        ..sending()
    };
    let first = service.dispatcher(brief);
    let id = service.ended(receiver.url("/")).await;
    eventually("it is on its way", async || receiver.heard().pop()).await;
    first.vanish().await;
    let died = Instant::now();
    let second = service.dispatcher(sending());
    let delivery = service.delivered(id).await;
    assert!(
        died.elapsed() < Duration::from_secs(20),
        "{:?}",
        died.elapsed()
    );
    let heard = receiver.heard();
    assert_eq!(heard.len(), 2);
    assert_eq!(
        heard[0].headers["webhook-id"],
        heard[1].headers["webhook-id"]
    );
    assert_eq!(
        (delivery.attempts[0].status, delivery.attempts[1].status),
        (None, Some(200))
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_what_is_on_its_way() {
    let service = Service::start().await;
    let receiver = Receiver::start(|_, _| Reply {
        pause: Duration::from_secs(1),
        ..Reply::status(200)
    })
    .await;
    let dispatcher = service.dispatcher(sending());
    let id = service.ended(receiver.url("/")).await;
    eventually("it is on its way", async || receiver.heard().pop()).await;
    dispatcher.stop().await;
    assert_eq!(service.delivery(id).await.state, DeliveryState::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_database_delays_webhooks_and_loses_none() {
    let service = Service::start().await;
    let receiver = Receiver::start(|_, _| Reply {
        pause: Duration::from_millis(100),
        ..Reply::status(200)
    })
    .await;
    let mut jobs = Vec::new();
    for _ in 0..40 {
        jobs.push(service.ended(receiver.url("/")).await);
    }
    let dispatchers = [service.dispatcher(sending()), service.dispatcher(sending())];
    eventually("some are on their way", async || {
        (receiver.heard().len() >= 8).then_some(())
    })
    .await;
    service.kill_database();
    for job in &jobs {
        eventually("a webhook is delivered after all", async || {
            let deliveries = service.store.deliveries(*job).await.ok()?;
            (deliveries[0].state == DeliveryState::Delivered).then_some(())
        })
        .await;
    }
    let heard = receiver.heard();
    let messages: BTreeSet<_> = heard
        .iter()
        .map(|heard| &heard.headers["webhook-id"])
        .collect();
    assert_eq!(messages.len(), 40);
    let mut logged = 0;
    for job in jobs {
        logged += service.delivery(job).await.attempts.len();
    }
    assert!(
        logged >= heard.len(),
        "{} sent, {logged} in the log",
        heard.len()
    );
    for dispatcher in dispatchers {
        dispatcher.stop().await;
    }
}

/// The real program, sending webhooks alone.
fn program(service: &Service, secret: Option<&str>) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_worker"));
    program
        .arg("--dispatch-only")
        .args(["--images", std::env::temp_dir().to_str().unwrap()])
        .env("DATABASE_URL", service.database_url())
        .env("STORYTELLER_ALLOW_ADDRESSES", "127.0.0.1")
        .env_remove("STORYTELLER_WEBHOOK_SECRET")
        .stderr(Stdio::piped());
    if let Some(secret) = secret {
        program.env("STORYTELLER_WEBHOOK_SECRET", secret);
    }
    program
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_sends_webhooks_alone_with_both_secrets_until_it_is_asked_to_stop() {
    let service = Service::start().await;
    let receiver = Receiver::answering(200).await;
    let (old, new) = (Secret::new(), Secret::new());
    let both = format!("{},{}", new.reveal(), old.reveal());
    let id = service.ended(receiver.url("/")).await;
    let mut dispatcher = Program::start(&mut program(&service, Some(&both))).unwrap();
    service.delivered(id).await;
    let next = service.ended(receiver.url("/")).await;
    service.delivered(next).await;
    for heard in receiver.heard() {
        verified(&heard, &Secrets::one(old.clone()));
        verified(&heard, &Secrets::one(new.clone()));
    }
    let stop = Command::new("kill")
        .arg(dispatcher.id().to_string())
        .status();
    assert!(stop.unwrap().success());
    assert!(dispatcher.wait().unwrap().success());

    let output = program(&service, None).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("STORYTELLER_WEBHOOK_SECRET"), "{said}");
    assert!(!said.contains(&new.reveal()));
}
