//! Pictures that are sent to a real S3 server past the service, by HTTP, and what becomes of them when their story is asked for.

use api::{AccessOptions, Config, Limits};
use jobs::Scope;
use pictures::{Caps, Images, S3};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::photos;
use testkit::seaweedfs::bucket;
use uuid::{NoContext, Timestamp, Uuid};

use crate::harness::{Answer, TestService};
use crate::keys::{key, with};

fn asking(service: &TestService, content_type: &str, bytes: usize) -> RequestBuilder {
    let body = json!({"content_type": content_type, "bytes": bytes});
    service.request(Method::POST, "/v1/uploads").json(&body)
}

/// An upload for so many bytes of JPEG.
async fn upload(service: &TestService, bytes: usize) -> Value {
    let answer = Answer::of(asking(service, "image/jpeg", bytes)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

/// Sends these bytes as the upload says; the client says their length itself.
async fn send(upload: &Value, bytes: Vec<u8>) -> u16 {
    let method = upload["method"].as_str().unwrap().parse().unwrap();
    let request = reqwest::Client::new().request(method, upload["url"].as_str().unwrap());
    let headers = upload["headers"].as_object().unwrap().iter();
    let request = headers
        .filter(|(name, _)| *name != "content-length")
        .fold(request, |request, (name, value)| {
            request.header(name, value.as_str().unwrap())
        });
    request.body(bytes).send().await.unwrap().status().as_u16()
}

/// An upload with these bytes in it.
async fn sent(service: &TestService, bytes: Vec<u8>) -> Value {
    let upload = upload(service, bytes.len()).await;
    assert_eq!(send(&upload, bytes).await, 200);
    upload
}

fn telling(service: &TestService, id: &Value) -> RequestBuilder {
    let body = json!({"upload": id, "style": "romance"});
    service.request(Method::POST, "/v1/stories").json(&body)
}

async fn tell(service: &TestService, id: &Value) -> Answer {
    Answer::of(telling(service, id)).await
}

/// Who has no key is not let in, and who has one may have so many uploads open.
fn for_keys(max_open_uploads: u32) -> Config {
    Config {
        access: AccessOptions {
            require_keys: true,
            ..AccessOptions::default()
        },
        limits: Limits {
            max_open_uploads,
            ..Limits::default()
        },
        ..Config::default()
    }
}

async fn names(bucket: &S3) -> Vec<String> {
    let page = bucket.list("", None).await.unwrap();
    page.into_iter().map(|kept| kept.key).collect()
}

#[tokio::test]
async fn a_picture_sent_past_the_service_is_told_as_any_other_and_its_upload_is_gone() {
    let bucket = bucket().await;
    let service = TestService::start_on(bucket.clone(), Config::default()).await;
    let picture = photos::turned_jpeg();
    let upload = sent(&service, picture.clone()).await;
    assert!(names(&bucket).await[0].contains("-upload-"));
    let asking = || telling(&service, &upload["id"]).header("Idempotency-Key", "one");
    let told = Answer::of(asking()).await;
    assert_eq!(told.status, 202, "{}", told.text());
    let plain = service.submit_picture(picture, &[]).await.json();
    for member in ["media_type", "width", "height", "bytes"] {
        assert_eq!(told.json()["image"][member], plain["image"][member]);
    }
    let left = names(&bucket).await;
    assert_eq!(left.len(), 2, "two stories have a picture each: {left:?}");
    assert!(!left.iter().any(|name| name.contains("-upload-")));

    let again = Answer::of(asking()).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["id"], told.json()["id"]);
    let used = tell(&service, &upload["id"]).await;
    used.problem(404, "upload_missing");
    service.stop().await;
}

#[tokio::test]
async fn nothing_is_taken_but_what_was_announced_and_nothing_is_told_before_it_is_there() {
    let service = TestService::start_on(bucket().await, Config::default()).await;
    let picture = photos::jpeg();
    let upload = upload(&service, picture.len()).await;
    let mut other = upload.clone();
    other["headers"]["content-type"] = json!("text/html");
    assert_eq!(send(&other, picture.clone()).await, 403);
    for length in [picture.len() - 1, picture.len() + 1] {
        let mut bytes = picture.clone();
        bytes.resize(length, 0);
        assert_eq!(send(&upload, bytes).await, 403, "{length} bytes");
    }
    let early = tell(&service, &upload["id"]).await;
    early.problem(404, "upload_missing");
    assert_eq!(send(&upload, picture.clone()).await, 200);
    assert_eq!(send(&upload, picture).await, 412, "it is sent once");
    assert_eq!(tell(&service, &upload["id"]).await.status, 202);

    let text = sent(&service, b"no picture".to_vec()).await;
    let unreadable = tell(&service, &text["id"]).await;
    unreadable.problem(422, "image_unreadable");
    service.stop().await;
}

#[tokio::test]
async fn an_upload_is_its_keys_own() {
    let service = TestService::start_on(bucket().await, for_keys(1)).await;
    let (owner, other) = (
        key(&service, Scope::Write).await,
        key(&service, Scope::Admin).await,
    );
    let picture = photos::jpeg();
    let upload = with(&owner, asking(&service, "image/jpeg", picture.len())).await;
    let upload = upload.json();
    assert_eq!(send(&upload, picture).await, 200);
    let foreign = with(&other, telling(&service, &upload["id"])).await;
    let unknown = with(&other, telling(&service, &json!(Uuid::now_v7()))).await;
    for answer in [foreign, unknown] {
        answer.problem(404, "upload_missing");
    }
    let own = with(&owner, telling(&service, &upload["id"])).await;
    assert_eq!(own.status, 202, "{}", own.text());
    service.stop().await;
}

#[tokio::test]
async fn a_key_has_so_many_uploads_open_and_may_have_another_when_a_story_of_one_is_asked_for() {
    let config = for_keys(3);
    let service = TestService::start_on(bucket().await, config.clone()).await;
    // the same for whichever process is asked
    let other = service.another_with(config).await;
    let (owner, stranger) = (
        key(&service, Scope::Write).await,
        key(&service, Scope::Write).await,
    );
    let picture = photos::jpeg();
    let ask = async |service: &TestService, key: &str| {
        with(key, asking(service, "image/jpeg", picture.len())).await
    };
    let at_once = tokio::join!(
        ask(&service, &owner),
        ask(&other, &owner),
        ask(&service, &owner),
        ask(&other, &owner),
        ask(&service, &owner),
    );
    let at_once: [Answer; 5] = at_once.into();
    let (open, refused): (Vec<_>, Vec<_>) = at_once.iter().partition(|one| one.status == 201);
    assert_eq!(open.len(), 3);
    for refused in refused {
        let problem = refused.problem(429, "quota_exceeded");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("as many as 3 uploads"), "{detail}");
        let seconds: u64 = refused.header("retry-after").parse().unwrap();
        assert!((800..=901).contains(&seconds), "{seconds}");
        assert!(refused.header("ratelimit").starts_with("\"uploads\";r=0"));
    }
    assert_eq!(ask(&other, &stranger).await.status, 201, "he has none");

    let upload = open[0].json();
    assert_eq!(send(&upload, picture.clone()).await, 200);
    let told = with(&owner, telling(&service, &upload["id"])).await;
    assert_eq!(told.status, 202, "{}", told.text());
    let again = ask(&other, &owner).await;
    assert_eq!(again.status, 201, "{}", again.text());
    assert_eq!(again.header("ratelimit"), "\"uploads\";r=0");
    ask(&service, &owner).await.problem(429, "quota_exceeded");
    // a quarter of an hour passes
    let passes = "update open_uploads set until = until - interval '16 minutes'";
    service.tamper(passes).await;
    let later = ask(&service, &owner).await;
    assert_eq!(later.header("ratelimit"), "\"uploads\";r=2");
    other.stop().await;
    service.stop().await;
}

#[tokio::test]
async fn an_upload_whose_time_is_over_is_told_from_one_that_never_was() {
    let service = TestService::start_on(bucket().await, Config::default()).await;
    let made = |seconds| json!(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, 0)));
    let expired = tell(&service, &made(1_700_000_000)).await;
    let detail = expired.problem(410, "upload_expired")["detail"].to_string();
    assert!(detail.contains("2023-11-14T22:28:20Z"), "{detail}");
    let never = tell(&service, &json!(Uuid::new_v4())).await;
    never.problem(404, "upload_missing");
    for wrong in [json!("mine"), json!(7)] {
        let problem = tell(&service, &wrong)
            .await
            .problem(422, "invalid_parameter");
        assert_eq!(problem["field"], "upload");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_larger_than_a_picture_may_be_is_refused_when_it_is_announced_and_when_it_is_there()
{
    let service = TestService::start_on(bucket().await, Config::default()).await;
    let large = Answer::of(asking(&service, "image/png", 1 << 30)).await;
    let problem = large.problem(413, "image_too_large");
    assert_eq!(problem["field"], "bytes");
    for (content_type, bytes) in [("image/png", 0), ("image/tiff", 10)] {
        let wrong = Answer::of(asking(&service, content_type, bytes)).await;
        wrong.problem(422, "invalid_parameter");
    }
    let upload = sent(&service, photos::jpeg()).await;
    let caps = Caps {
        bytes: 10,
        ..Caps::default()
    };
    let stricter = Config {
        caps,
        ..Config::default()
    };
    let stricter = service.another_with(stricter).await;
    let problem = tell(&stricter, &upload["id"]).await;
    let problem = problem.problem(413, "image_too_large");
    assert_eq!(problem["field"], "upload");
    stricter.stop().await;
    service.stop().await;
}

#[tokio::test]
async fn where_pictures_are_kept_in_a_folder_they_are_sent_with_their_story() {
    let service = TestService::start().await;
    let answer = Answer::of(asking(&service, "image/jpeg", 1000)).await;
    let problem = answer.problem(501, "uploads_not_offered");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("POST /v1/stories"), "{detail}");
    service.stop().await;
}

#[tokio::test]
async fn a_story_has_one_picture_and_a_batch_takes_no_upload() {
    let service = TestService::start().await;
    let id = Uuid::now_v7();
    for (path, body) in [
        (
            "/v1/stories",
            json!({"upload": id, "image_url": "https://example.com/a.jpg"}),
        ),
        ("/v1/batches", json!({"upload": id})),
    ] {
        let answer = Answer::of(service.request(Method::POST, path).json(&body)).await;
        let problem = answer.problem(422, "invalid_parameter");
        assert_eq!(problem["field"], "upload", "{path}");
    }
    service.stop().await;
}
