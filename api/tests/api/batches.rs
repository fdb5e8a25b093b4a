//! An album at once, as its caller meets it, with the test playing the worker.

use api::{Config, Limits};
use jobs::Rules;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::harness::{Answer, TestService, told};
use testkit::photos;

fn album(pictures: Vec<Vec<u8>>) -> Form {
    let part = |bytes| Part::bytes(bytes).file_name("photo.jpg");
    let pictures = pictures.into_iter().map(part);
    pictures.fold(Form::new(), |form, part| form.part("image", part))
}

async fn submit(service: &TestService, form: Form) -> Answer {
    Answer::of(service.request(Method::POST, "/v1/batches").multipart(form)).await
}

async fn accepted(service: &TestService, form: Form) -> (String, Value) {
    let answer = submit(service, form).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.header("ratelimit-policy"), "\"queue\";q=10000");
    let batch = answer.json();
    let path = format!("/v1/batches/{}", batch["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), path);
    (path, batch)
}

#[tokio::test]
async fn an_album_is_told_picture_by_picture_and_a_bad_one_spoils_no_other() {
    let service = TestService::start().await;
    let form = album(vec![photos::jpeg(), b"no picture".to_vec(), photos::jpeg()]);
    let form = form.text("style", "romance").text("beam_width", "7");
    let (path, batch) = accepted(&service, form).await;
    assert_eq!(
        (&batch["size"], batch["finished_at"].is_null()),
        (&json!(3), true)
    );
    let items = &batch["items"];
    assert_eq!(items[1]["state"], "refused");
    assert_eq!(items[1]["error"]["type"], "/problems/image_unreadable");
    assert_eq!(
        (&items[0]["state"], &items[2]["number"]),
        (&json!("queued"), &json!(2))
    );
    let job = service.get(items[2]["url"].as_str().unwrap()).await.json();
    assert_eq!(job["request"]["beam_width"], 7);
    assert_eq!(job["batch"], batch["id"]);
    assert_eq!(service.kept_pictures(), 2);
    let patient = format!("{path}?wait=60");
    let (waited, ()) = tokio::join!(service.get(&patient), async {
        for text in ["One.", "Two."] {
            let claimed = service.claim().await;
            service.finish(&claimed, told(text)).await;
        }
    });
    let batch = waited.json();
    assert_eq!(
        (&batch["counts"]["succeeded"], &batch["counts"]["refused"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        (
            &batch["items"][2]["story"],
            batch["finished_at"].is_string()
        ),
        (&json!("Two."), true)
    );
    let known = service
        .request(Method::GET, &path)
        .header("if-none-match", waited.header("etag"));
    assert_eq!(Answer::of(known).await.status, 304);
    service.stop().await;
}

#[tokio::test]
async fn a_batch_without_a_picture_that_can_be_told_is_refused_with_the_first_ones_problem() {
    let service = TestService::start().await;
    let nothing_good = album(vec![b"no picture".to_vec(), Vec::new()]);
    let answer = submit(&service, nothing_good).await;
    answer.problem(422, "image_unreadable");
    let none = submit(&service, Form::new().text("style", "romance")).await;
    none.problem(422, "invalid_parameter");
    let many = submit(&service, album(vec![vec![1]; 101])).await;
    many.problem(422, "invalid_parameter");
    for (name, value) in [
        ("image_urls", "https://example.com/a.jpg"),
        ("image_url", "https://example.com/a.jpg"),
        ("webhook_events", "story.failed"),
        ("beam_width", "0"),
        ("colour", "red"),
    ] {
        let form = album(vec![photos::jpeg()])
            .text(name, value)
            .text("webhook_url", "https://example.com/hook");
        let problem = submit(&service, form)
            .await
            .problem(422, "invalid_parameter");
        assert_eq!(problem["field"], name, "{problem}");
    }
    assert_eq!(service.kept_pictures(), 0);
    for nobody in ["x", "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11"] {
        let answer = service.get(&format!("/v1/batches/{nobody}")).await;
        answer.problem(404, "not_found");
    }
    service.stop().await;
}

#[tokio::test]
async fn addresses_that_lead_nowhere_and_pictures_that_are_too_large_are_items_that_say_so() {
    let mut config = Config::default();
    config.caps.bytes = photos::jpeg().len() as u64;
    let service = TestService::start_with(Rules::default(), config).await;
    let large = vec![0; photos::jpeg().len() + 1];
    let form =
        album(vec![large, photos::jpeg()]).text("image_urls", r#"["http://10.0.0.1/a.jpg"]"#);
    let (_, batch) = accepted(&service, form).await;
    let kinds = [0, 2].map(|item| batch["items"][item]["error"]["kind"].clone());
    assert_eq!(kinds, ["image_too_large", "fetch_blocked"]);
    assert_eq!(batch["counts"]["queued"], 1);
    service.stop().await;
}

#[tokio::test]
async fn a_batch_for_which_there_is_no_room_keeps_no_pictures() {
    let rules = Rules {
        max_queued: 1,
        ..Rules::default()
    };
    let service = TestService::start_with(rules, Config::default()).await;
    let answer = submit(&service, album(vec![photos::jpeg(), photos::jpeg()])).await;
    answer.problem(429, "queue_full");
    assert_eq!(service.kept_pictures(), 0);
    service.stop().await;
}

#[tokio::test]
async fn a_batch_whose_pictures_are_too_large_together_for_the_queue_keeps_none() {
    let rules = Rules {
        max_queued_bytes: photos::jpeg().len() as u64,
        ..Rules::default()
    };
    let service = TestService::start_with(rules, Config::default()).await;
    let answer = submit(&service, album(vec![photos::jpeg(), photos::jpeg()])).await;
    answer.problem(429, "queue_full");
    assert_eq!(service.kept_pictures(), 0);
    accepted(&service, album(vec![photos::jpeg()])).await;
    service.stop().await;
}

#[tokio::test]
async fn a_batch_that_is_sent_again_under_its_key_is_the_same_one() {
    let service = TestService::start().await;
    let send = async |form: Form| {
        let request = service.request(Method::POST, "/v1/batches");
        Answer::of(request.header("idempotency-key", "album").multipart(form)).await
    };
    let first = send(album(vec![photos::jpeg(), b"no picture".to_vec()])).await;
    let again = send(album(vec![photos::jpeg(), b"no picture".to_vec()])).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["id"], first.json()["id"]);
    let other = send(album(vec![photos::jpeg()])).await;
    other.problem(422, "idempotency_key_reused");
    assert_eq!(service.kept_pictures(), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_service_with_few_turns_takes_batches_in_proportion() {
    let limits = Limits {
        max_uploads: 1,
        ..Limits::default()
    };
    let mut config = Config {
        limits,
        ..Config::default()
    };
    config.caps.bytes = 1024 * 1024;
    let service = TestService::start_with(Rules::default(), config).await;
    let (_, batch) = accepted(&service, album(vec![photos::jpeg(); 3])).await;
    assert_eq!(batch["counts"]["queued"], 3);
    let too_much = album(vec![vec![0; 700 * 1024]; 2]);
    submit(&service, too_much)
        .await
        .problem(413, "body_too_large");
    service.stop().await;
}
