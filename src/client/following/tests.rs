//! Following with a service that cuts its streams or has none, played by the test: what it is asked, and what is heard.

use std::sync::{Arc, Mutex};

use api::view::SentenceView;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const SENTENCE: &str = "id: 2\nevent: sentence\ndata: {\"index\":0,\"text\":\"Zwölf.\"}\n\n";

/// A job as the service shows it.
fn job(state: &str) -> String {
    json!({
        "id": Uuid::nil(), "state": state, "created_at": "2026-11-23T09:30:00Z", "attempts": 1, "max_attempts": 3,
        "request": {}, "shared": false, "data_removed": false, "cache": "miss",
    })
    .to_string()
}

fn answer(kind: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n{body}")
}

/// A service that gives these answers, one a connection; and what it is asked.
async fn service(answers: Vec<String>) -> (Client, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        for answer in answers {
            let (mut caller, _) = listener.accept().await.expect("a caller");
            let mut head = vec![0; 4096];
            let read = caller.read(&mut head).await.expect("a request");
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            noted.lock().expect("nobody panicked").push(head);
            let written = caller.write_all(answer.as_bytes()).await;
            written.expect("the caller listens");
        }
    });
    let client = Client::new(&format!("http://{address}")).expect("an address");
    (client, asked)
}

/// What is heard of a story at such a service, in one line each.
async fn heard(answers: Vec<String>) -> (Vec<String>, Vec<String>) {
    let (client, asked) = service(answers).await;
    let mut heard = Vec::new();
    let followed = client.follow(Uuid::nil(), |event| {
        let what = match &event.what {
            EventView::State(state) => state.state.to_string(),
            EventView::Progress(stage) => stage.stage.clone(),
            EventView::Captions(_) => "captions".to_owned(),
            EventView::Sentence(SentenceView { text, .. }) => text.clone(),
            EventView::End(_) => "end".to_owned(),
        };
        heard.push(match event.id {
            Some(id) => format!("{id} {what}"),
            None => what,
        });
    });
    assert!(followed.await.expect("it ends").state.is_final());
    let asked = asked.lock().expect("nobody panicked").clone();
    (heard, asked)
}

#[tokio::test]
async fn a_stream_that_was_cut_is_taken_up_where_it_was() {
    let cut = format!(": hello\n\n{SENTENCE}id: 3\nevent: sentence\ndata: {{\"index\":1");
    let rest = format!(
        "id: 3\nevent: of_tomorrow\ndata: 1\n\nid: 4\nevent: end\ndata: {}\n\n",
        job("succeeded")
    );
    let (heard, asked) = heard(vec![
        answer("text/event-stream", &cut),
        answer("application/json", &job("running")),
        answer("text/event-stream; charset=utf-8", &rest),
    ])
    .await;
    assert_eq!(heard, ["2 Zwölf.", "4 end"]);
    assert!(!asked[0].contains("last-event-id"), "{asked:?}");
    assert!(asked[2].contains("last-event-id: 2\r\n"), "{asked:?}");
}

#[tokio::test]
async fn where_there_are_no_events_the_job_is_looked_at_again_and_again() {
    let (heard, asked) = heard(vec![
        answer("text/html", "<p>what is this"),
        answer("application/json", &job("queued")),
        answer("application/json", &job("queued")),
        answer("application/json", &job("cancelled")),
    ])
    .await;
    assert_eq!(heard, ["queued", "cancelled", "end"]);
    assert!(asked[3].contains("?wait="), "{asked:?}");
}

#[tokio::test]
async fn an_end_that_nobody_told_of_is_found() {
    let (heard, _) = heard(vec![
        answer("text/event-stream", SENTENCE),
        "HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned(),
        answer("application/json", &job("failed")),
    ])
    .await;
    assert_eq!(heard, ["2 Zwölf.", "end"]);
}
