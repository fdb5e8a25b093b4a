//! Following a story live: server-sent events as a browser reads them, with the test playing the worker.
//! What must stay true: nothing is missed and nothing comes twice, whichever process answers and whenever one comes back.

use std::time::Duration;

use api::Config;
use jobs::{Beat, Claimed, Outcome, Rules, Said, UsedCaption};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Answer, TestService, told};

/// A stream being read.
struct Stream {
    answer: Response,
    text: String,
}

/// One event of it.
#[derive(Debug, PartialEq)]
struct Event {
    id: u32,
    name: String,
    data: Value,
}

impl Stream {
    async fn open(service: &TestService, id: &str, after: Option<u32>) -> Stream {
        let mut request = service.request(Method::GET, &format!("/v1/stories/{id}/events"));
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let text = String::new();
        Stream { answer, text }
    }

    /// The next block of lines; nothing once the stream has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk = self.answer.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event; nothing once the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let mut lines = block.lines();
                lines
                    .find_map(|line| line.strip_prefix(name))
                    .map(str::to_owned)
            };
            if let Some(name) = field("event: ") {
                return Some(Event {
                    id: field("id: ").unwrap().parse().unwrap(),
                    name,
                    data: serde_json::from_str(&field("data: ").unwrap()).unwrap(),
                });
            }
        }
    }

    /// The names of all events until the end.
    async fn rest(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(event) = self.next().await {
            names.push(event.name);
        }
        names
    }
}

async fn say(service: &TestService, claimed: &Claimed, said: Vec<Said>) {
    let lease = claimed.lease;
    let beat = Beat {
        lease,
        stage: None,
        said,
    };
    assert_eq!(service.store.heartbeat(&[beat]).await.unwrap().len(), 1);
}

fn captions() -> Said {
    Said::Captions {
        captions: vec![UsedCaption {
            text: "A dog runs .".to_owned(),
            similarity: 0.5,
        }],
    }
}

fn sentence(index: u32, text: &str) -> Said {
    let text = text.to_owned();
    Said::Sentence { index, text }
}

#[tokio::test]
async fn a_story_is_followed_from_the_queue_to_its_end() {
    let service = TestService::start().await;
    let before = service.accepted(&[]).await;
    let id = service.accepted(&[]).await;
    let mut stream = Stream::open(&service, &id, None).await;
    let event = stream.next().await.unwrap();
    assert_eq!((event.id, event.name.as_str()), (1, "state"));
    assert_eq!(
        (&event.data["state"], &event.data["position"]),
        (&json!("queued"), &json!(1))
    );
    assert!(event.data["at"].is_string());
    let other = service.claim().await;
    assert_eq!(other.job.id.to_string(), before);
    let event = stream.next().await.unwrap();
    assert_eq!(
        (event.id, &event.data["position"]),
        (1, &json!(0)),
        "the place has moved"
    );
    let claimed = service.claim().await;
    assert_eq!(stream.next().await.unwrap().data["state"], "running");
    say(&service, &claimed, vec![captions()]).await;
    let event = stream.next().await.unwrap();
    assert_eq!((event.id, event.name.as_str()), (3, "captions"));
    assert_eq!(
        event.data["captions"][0],
        json!({"text": "A dog runs .", "similarity": 0.5})
    );
    service.stage(&claimed, "writing", 40, 120).await;
    let event = stream.next().await.unwrap();
    assert_eq!((event.id, event.name.as_str()), (4, "progress"));
    assert_eq!(
        event.data,
        json!({"stage": "writing", "done": 40, "of": 120})
    );
    say(
        &service,
        &claimed,
        vec![sentence(0, "She left."), sentence(1, "He stayed.")],
    )
    .await;
    service.finish(&claimed, told("She left. He stayed.")).await;
    let event = stream.next().await.unwrap();
    assert_eq!(
        (event.id, &event.data),
        (5, &json!({"index": 0, "text": "She left."}))
    );
    assert_eq!(stream.next().await.unwrap().data["index"], 1);
    assert_eq!(stream.next().await.unwrap().data["state"], "succeeded");
    let event = stream.next().await.unwrap();
    assert_eq!((event.id, event.name.as_str()), (8, "end"));
    assert_eq!(
        event.data,
        service.job(&id).await,
        "the end is the whole job"
    );
    assert_eq!(stream.next().await, None);
    service.stop().await;
}

#[tokio::test]
async fn a_caller_who_comes_back_goes_on_where_he_was_at_another_process_too() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let claimed = service.claim().await;
    say(&service, &claimed, vec![captions(), sentence(0, "One.")]).await;
    let mut stream = Stream::open(&service, &id, Some(3)).await;
    assert_eq!(stream.next().await.unwrap().data["text"], "One.");
    let other = service.another().await;
    let mut elsewhere = Stream::open(&other, &id, Some(4)).await;
    say(&service, &claimed, vec![sentence(1, "Two.")]).await;
    assert_eq!(elsewhere.next().await.unwrap().id, 5);
    other.stop().await;
    assert_eq!(
        elsewhere.next().await,
        None,
        "a stop ends streams at once, without an end"
    );
    service.finish(&claimed, told("One. Two.")).await;
    assert_eq!(stream.rest().await, ["sentence", "state", "end"]);
    let third = service.another().await;
    assert_eq!(
        Stream::open(&third, &id, Some(5)).await.rest().await,
        ["state", "end"]
    );
    let all = [
        "state", "state", "captions", "sentence", "sentence", "state", "end",
    ];
    assert_eq!(Stream::open(&third, &id, None).await.rest().await, all);
    let path = format!("/v1/stories/{id}/events");
    let done = Answer::of(third.request(Method::GET, &path).header("last-event-id", 7)).await;
    assert_eq!(done.status, 204, "a browser does not come back after that");
    third.stop().await;
    service.stop().await;
}

#[tokio::test]
async fn a_story_that_is_tried_again_by_hand_is_followed_to_its_new_end() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let path = format!("/v1/stories/{id}");
    Answer::of(service.request(Method::POST, &format!("{path}/cancel"))).await;
    let mut first = Stream::open(&service, &id, None).await;
    assert_eq!(first.rest().await, ["state", "state", "end"]);
    Answer::of(service.request(Method::POST, &format!("{path}/retry"))).await;
    let mut second = Stream::open(&service, &id, Some(3)).await;
    assert_eq!(second.next().await.unwrap().data["state"], "queued");
    let claimed = service.claim().await;
    service.finish(&claimed, told("At last.")).await;
    assert_eq!(second.rest().await, ["state", "state", "end"]);
    let mut whole = Stream::open(&service, &id, None).await;
    let names = whole.rest().await;
    assert_eq!(
        names.iter().filter(|name| *name == "end").count(),
        1,
        "{names:?}"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_stream_with_nothing_to_say_says_that_it_is_still_there() {
    let config = Config {
        stream_heartbeat: Duration::from_millis(20),
        ..Config::default()
    };
    let service = TestService::start_with(Rules::default(), config).await;
    let id = service.accepted(&[]).await;
    let mut stream = Stream::open(&service, &id, Some(1)).await;
    assert_eq!(stream.block().await.unwrap(), "retry: 2000");
    for _ in 0..2 {
        assert_eq!(stream.block().await.unwrap(), ": still here");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_followed_is_said_before_the_stream_begins() {
    let service = TestService::start().await;
    let nobody = "/v1/stories/01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11/events";
    service.get(nobody).await.problem(404, "not_found");
    let id = service.accepted(&[]).await;
    let path = format!("/v1/stories/{id}/events");
    for wrong in ["x", "-1", "99999999999"] {
        let request = service
            .request(Method::GET, &path)
            .header("last-event-id", wrong);
        Answer::of(request).await.problem(422, "invalid_parameter");
    }
    let head = Answer::of(service.request(Method::HEAD, &path)).await;
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, "text/event-stream")
    );
    service.stop().await;
}

#[tokio::test]
async fn a_story_that_is_taken_back_ends_its_streams_without_a_word_of_it() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let claimed = service.claim().await;
    let mut stream = Stream::open(&service, &id, Some(2)).await;
    say(
        &service,
        &claimed,
        vec![captions(), sentence(0, "She left.")],
    )
    .await;
    assert_eq!(stream.next().await.unwrap().name, "captions");
    let path = format!("/v1/stories/{id}");
    Answer::of(service.request(Method::DELETE, &path)).await;
    let mut names = stream.rest().await;
    names.retain(|name| name != "sentence");
    assert_eq!(names, ["state", "end"]);
    let mut again = Stream::open(&service, &id, None).await;
    assert_eq!(again.rest().await, ["state", "state", "state", "end"]);
    let claimed_outcome = service.store.finish(claimed.lease, Outcome::Released).await;
    assert_eq!(claimed_outcome.unwrap(), jobs::Written::Stale);
    service.stop().await;
}
