//! A story from its submit to its end, as its caller sees it, with the test playing the worker.
//! What must stay true: every state shows what is known in it, and waiting neither misses a change nor outlasts one.

use std::time::{Duration, Instant};

use jobs::{ErrorKind, JobError, Outcome};
use reqwest::Method;

use crate::harness::{Answer, TestService, form, told};
use testkit::photos;

#[tokio::test]
async fn a_story_is_shown_in_every_state_it_goes_through() {
    let service = TestService::start().await;
    let answer = service
        .submit(&[
            ("style", "romance"),
            ("form", "lyrics"),
            ("metadata", r#"{"album":"2026"}"#),
        ])
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let job = answer.json();
    let path = format!("/v1/stories/{}", job["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), path);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(
        (&job["state"], &job["position"]),
        (&"queued".into(), &0.into())
    );
    assert_eq!(job["request"]["form"], "lyrics");
    assert_eq!(job["request"]["beam_width"], 50, "defaults are filled in");
    assert_eq!(job["request"]["metadata"]["album"], "2026");
    let claimed = service.claim().await;
    service.stage(&claimed, "writing", 40, 120).await;
    let job = service.get(&path).await.json();
    assert_eq!(
        (&job["state"], &job["stage"]),
        (&"running".into(), &"writing".into())
    );
    assert_eq!(job["progress"], serde_json::json!({"done": 40, "of": 120}));
    assert!(
        job["position"].is_null() && job["started_at"].is_string() && job["finished_at"].is_null()
    );
    service.finish(&claimed, told("Once upon a time.")).await;
    let job = service.get(&path).await.json();
    assert_eq!(
        (&job["state"], &job["stage"]),
        (&"succeeded".into(), &serde_json::Value::Null)
    );
    assert_eq!(job["result"]["story"], "Once upon a time.");
    assert_eq!(job["result"]["captions"][0]["text"], "A dog runs .");
    assert_eq!(job["result"]["timings"]["writing"], 1.5);
    assert_eq!(job["result"]["bundle"], "test-1-abc");
    assert_eq!(job["history"][0]["outcome"], "succeeded");
    assert!(job["finished_at"].is_string() && job["error"].is_null());
    service.stop().await;
}

#[tokio::test]
async fn a_failed_story_says_why_with_a_type_from_the_list() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let claimed = service.claim().await;
    let error = JobError::new(
        ErrorKind::ModelError,
        "the networks answered with no number",
    );
    service.finish(&claimed, Outcome::Failed(error)).await;
    let job = service.job(&id).await;
    assert_eq!(
        (&job["state"], &job["result"]),
        (&"failed".into(), &serde_json::Value::Null)
    );
    assert_eq!(job["error"]["kind"], "model_error");
    assert_eq!(
        job["error"]["message"],
        "the networks answered with no number"
    );
    let listed = service.get(job["error"]["type"].as_str().unwrap()).await;
    assert_eq!(listed.json()["kind"], "model_error");
    service.stop().await;
}

#[tokio::test]
async fn positions_are_counted_and_an_estimate_comes_with_the_first_told_story() {
    let service = TestService::start().await;
    let first = service.accepted(&[]).await;
    let second = service.accepted(&[]).await;
    let third = service.accepted(&[]).await;
    for (position, id) in [&first, &second, &third].into_iter().enumerate() {
        let job = service.job(id).await;
        assert_eq!(job["position"], position);
        assert!(job["eta_seconds"].is_null(), "nothing has been told yet");
    }
    let claimed = service.claim().await;
    service.finish(&claimed, told("The first.")).await;
    let job = service.job(&third).await;
    assert_eq!(job["position"], 1);
    assert!(job["eta_seconds"].is_u64(), "{job}");
    service.stop().await;
}

#[tokio::test]
async fn a_waiting_poll_is_answered_when_the_story_is_told() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let path = format!("/v1/stories/{id}?wait=20");
    let started = Instant::now();
    let (answer, ()) = tokio::join!(service.get(&path), async {
        let claimed = service.claim().await;
        service.finish(&claimed, told("The end.")).await;
    });
    assert_eq!(answer.json()["result"]["story"], "The end.");
    assert!(started.elapsed() < Duration::from_secs(15));
    service.stop().await;
}

#[tokio::test]
async fn a_poll_that_waits_in_vain_is_answered_with_the_job_as_it_is() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let started = Instant::now();
    let answer = service.get(&format!("/v1/stories/{id}?wait=1")).await;
    assert_eq!(
        (answer.status, &answer.json()["state"]),
        (200, &"queued".into())
    );
    assert!(started.elapsed() >= Duration::from_secs(1));
    for wrong in ["61", "-1", "soon"] {
        let problem = service
            .get(&format!("/v1/stories/{id}?wait={wrong}"))
            .await
            .problem(422, "invalid_parameter");
        assert_eq!(problem["field"], "wait");
    }
    let unknown = service
        .get(&format!("/v1/stories/{id}?wiat=1"))
        .await
        .problem(422, "invalid_parameter");
    assert_eq!(unknown["field"], "wiat");
    service.stop().await;
}

#[tokio::test]
async fn a_submit_that_prefers_to_wait_is_answered_with_the_story() {
    let service = TestService::start().await;
    let submit = service
        .request(Method::POST, "/v1/stories")
        .header("prefer", "wait=20")
        .multipart(form(photos::jpeg(), &[]));
    let (answer, ()) = tokio::join!(Answer::of(submit), async {
        let claimed = service.claim().await;
        service.finish(&claimed, told("At once.")).await;
    });
    assert_eq!(
        (answer.status, answer.header("preference-applied")),
        (200, "wait=20"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.json()["result"]["story"], "At once.");
    let submit = service
        .request(Method::POST, "/v1/stories")
        .header("prefer", "wait=1")
        .multipart(form(photos::jpeg(), &[]));
    let answer = Answer::of(submit).await;
    assert_eq!(
        (answer.status, answer.header("preference-applied")),
        (202, ""),
        "nobody told it"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_caller_who_has_this_version_gets_304_and_the_next_one_when_it_comes() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let path = format!("/v1/stories/{id}");
    let tag = service.get(&path).await.header("etag").to_owned();
    let poll = |wait: u32| {
        service
            .request(Method::GET, &format!("{path}?wait={wait}"))
            .header("if-none-match", tag.as_str())
    };
    let same = Answer::of(poll(0)).await;
    assert_eq!(
        (same.status, same.header("etag"), same.bytes.len()),
        (304, tag.as_str(), 0)
    );
    // a 304 says what its 200 does of how long it may be kept
    for path in [
        &path,
        &format!("{path}/image"),
        "/",
        "/story.js",
        "/assets/story.css",
    ] {
        let full = service.get(path).await;
        let known = service
            .request(Method::GET, path)
            .header("if-none-match", full.header("etag"));
        let known = Answer::of(known).await;
        assert_eq!(known.status, 304, "{path}");
        let kept = known.header("cache-control");
        assert!(
            !kept.is_empty() && kept == full.header("cache-control"),
            "{path}: {kept}"
        );
    }
    let (changed, claimed) = tokio::join!(Answer::of(poll(20)), service.claim());
    assert_eq!(
        (changed.status, &changed.json()["state"]),
        (200, &"running".into())
    );
    assert_ne!(changed.header("etag"), tag);
    service.finish(&claimed, told("Later.")).await;
    service.stop().await;
}

#[tokio::test]
async fn stories_are_listed_newest_first_page_by_page_and_by_state() {
    let service = TestService::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(service.accepted(&[]).await);
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/stories?state=queued&limit=2".to_owned();
    loop {
        let answer = service.get(&path).await;
        let page = answer.json();
        seen.extend(
            page["stories"]
                .as_array()
                .unwrap()
                .iter()
                .map(|job| job["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            assert_eq!(answer.header("link"), "", "the last page leads nowhere");
            break;
        };
        path = format!("/v1/stories?limit=2&state=queued&cursor={next}");
        assert_eq!(answer.header("link"), format!("<{path}>; rel=\"next\""));
    }
    assert_eq!(seen, ids);
    let claimed = service.claim().await;
    let running = service.get("/v1/stories?state=running").await.json();
    assert_eq!(running["stories"].as_array().unwrap().len(), 1);
    assert_eq!(running["stories"][0]["id"], claimed.job.id.to_string());
    for (query, field) in [
        ("state=asleep", "state"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("cursor=x", "cursor"),
        ("page=2", "page"),
    ] {
        assert_eq!(
            service
                .get(&format!("/v1/stories?{query}"))
                .await
                .problem(422, "invalid_parameter")["field"],
            field
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn the_same_key_asks_for_the_same_story_and_never_for_another() {
    let service = TestService::start().await;
    let submit = |fields: &[(&'static str, &str)], key: &str| {
        let request = service
            .request(Method::POST, "/v1/stories")
            .header("idempotency-key", key);
        Answer::of(request.multipart(form(photos::jpeg(), fields)))
    };
    let first = submit(&[("beam_width", "5")], "a-key").await;
    let again = submit(&[("beam_width", "5")], "\"a-key\"").await;
    assert_eq!((first.status, again.status), (202, 202), "{}", again.text());
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(
        (
            first.header("idempotency-replayed"),
            again.header("idempotency-replayed")
        ),
        ("", "true")
    );
    submit(&[("beam_width", "6")], "a-key")
        .await
        .problem(422, "idempotency_key_reused");
    let other = submit(&[("beam_width", "6")], "another-key").await;
    assert_ne!(first.json()["id"], other.json()["id"]);
    submit(&[], &"k".repeat(256))
        .await
        .problem(422, "invalid_parameter");
    assert_eq!(
        service.kept_pictures(),
        2,
        "pictures of repeated submits are not kept"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_turned_picture_is_kept_upright_for_people_and_as_it_came_for_the_original() {
    let service = TestService::start().await;
    for compat in ["modern", "strict"] {
        let answer = service
            .submit_picture(photos::turned_jpeg(), &[("compat", compat)])
            .await;
        let job = answer.json();
        assert_eq!(job["request"]["compat"], compat, "{job}");
        let image = &job["image"];
        assert_eq!(
            [&image["width"], &image["height"]],
            [24, 32],
            "as people see it"
        );
        let path = format!("/v1/stories/{}/image", job["id"].as_str().unwrap());
        let kept = service.get(&path).await.bytes;
        let stored = image::load_from_memory(&kept).unwrap();
        if compat == "strict" {
            assert_eq!(kept, photos::turned_jpeg(), "whoever shows it turns it");
        } else {
            assert_eq!((stored.width(), stored.height()), (24, 32));
        }
    }
    let default = service.submit(&[]).await.json();
    assert_eq!(default["request"]["compat"], "modern");
    service.stop().await;
}

#[tokio::test]
async fn the_picture_comes_back_as_what_it_is() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let path = format!("/v1/stories/{id}/image");
    let answer = service.get(&path).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "image/jpeg")
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    // whoever deletes it is shown it no more, not even by his own browser
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    let picture = image::load_from_memory(&answer.bytes).unwrap();
    assert_eq!((picture.width(), picture.height()), (32, 24));
    let again = service
        .request(Method::GET, &path)
        .header("if-none-match", answer.header("etag"));
    assert_eq!(Answer::of(again).await.status, 304);
    let ranged = |range: &'static str, version: String| {
        let request = service.request(Method::GET, &path);
        let request = request.header("range", range);
        Answer::of(request.header("if-range", version))
    };
    let tag = answer.header("etag").to_owned();
    let part = ranged("bytes=2-5", tag.clone()).await;
    let range = format!("bytes 2-5/{}", answer.bytes.len());
    assert_eq!(
        (part.status, part.header("content-range")),
        (206, range.as_str())
    );
    assert_eq!(part.bytes, answer.bytes[2..6]);
    let of_another = ranged("bytes=2-5", "\"another\"".to_owned()).await;
    assert_eq!(
        (of_another.status, of_another.bytes.len()),
        (200, answer.bytes.len())
    );
    let behind = ranged("bytes=99999999-", tag).await;
    behind.problem(416, "range_not_satisfiable");
    let whole = format!("bytes */{}", answer.bytes.len());
    assert_eq!(behind.header("content-range"), whole);
    let head = Answer::of(service.request(Method::HEAD, &path)).await;
    assert_eq!(
        (head.status, head.header("accept-ranges"), head.bytes.len()),
        (200, "bytes", 0)
    );
    for nobody in ["01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11", "not-an-id"] {
        service
            .get(&format!("/v1/stories/{nobody}/image"))
            .await
            .problem(404, "not_found");
        service
            .get(&format!("/v1/stories/{nobody}"))
            .await
            .problem(404, "not_found");
    }
    service.stop().await;
}
