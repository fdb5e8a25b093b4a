//! Everything a submit refuses: each with its own problem type, a sentence for people and the field to blame.
//! What must stay true: a refused submit leaves no job and no picture behind.

use jobs::Rules;
use pictures::Caps;
use reqwest::Method;

use crate::harness::{Answer, TestService, form};
use testkit::photos;

#[tokio::test]
async fn pictures_that_cannot_be_told_are_refused_by_kind() {
    let service = TestService::start().await;
    let bad: [(&str, Vec<u8>, u16, &str); 7] = [
        (
            "a truncated JPEG",
            photos::truncated_jpeg(),
            422,
            "image_unreadable",
        ),
        (
            "a text file",
            b"Dear diary, today I was named .jpg".to_vec(),
            422,
            "image_unreadable",
        ),
        ("an empty file", Vec::new(), 422, "image_unreadable"),
        (
            "the head of a PNG alone",
            photos::encoded(image::ImageFormat::Png)[..30].to_vec(),
            422,
            "image_unreadable",
        ),
        ("a moving GIF", photos::moving_gif(), 422, "image_animated"),
        (
            "a PNG claiming 60000×60000",
            photos::boastful_png(60_000, 60_000),
            413,
            "image_too_large",
        ),
        (
            "a PNG as long as a street",
            photos::boastful_png(9_000, 1),
            413,
            "image_too_large",
        ),
    ];
    for (what, bytes, status, kind) in bad {
        let answer = service.submit_picture(bytes, &[("style", "romance")]).await;
        let problem = answer.problem(status, kind);
        assert_eq!(problem["field"], "image", "{what}: {problem}");
        assert_eq!(problem["retryable"], false, "{what}");
    }
    assert_eq!(
        service.get("/v1/stories").await.json()["stories"],
        serde_json::json!([])
    );
    assert_eq!(service.kept_pictures(), 0, "a refused picture was kept");
    service.stop().await;
}

#[tokio::test]
async fn each_format_we_name_is_taken() {
    use image::ImageFormat::{Gif, Jpeg, Png, WebP};
    let service = TestService::start().await;
    for (format, media_type) in [
        (Jpeg, "image/jpeg"),
        (Png, "image/png"),
        (WebP, "image/webp"),
        (Gif, "image/gif"),
    ] {
        let answer = service.submit_picture(photos::encoded(format), &[]).await;
        assert_eq!(answer.status, 202, "{format:?}: {}", answer.text());
        let job = answer.json();
        assert_eq!(
            (&job["image"]["width"], &job["image"]["height"]),
            (&32.into(), &24.into())
        );
        let kept = service.get(job["image"]["url"].as_str().unwrap()).await;
        assert_eq!(
            kept.header("content-type"),
            job["image"]["media_type"],
            "{format:?}"
        );
        assert!(
            job["image"]["media_type"]
                .as_str()
                .unwrap()
                .starts_with("image/"),
            "{media_type}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let service = TestService::start().await;
    let wrong: [(&str, &str); 20] = [
        ("beam_width", "0"),
        ("beam_width", "101"),
        ("beam_width", "wide"),
        ("beam_width", "1.5"),
        ("style_strength", "2.1"),
        ("style_strength", "NaN"),
        ("style_strength", "strong"),
        ("captions", "1001"),
        ("captions", "-1"),
        ("max_words", "5"),
        ("form", "sonnet"),
        ("mode", "guess"),
        ("temperature", "9"),
        ("top_p", "0"),
        ("seed", "seven"),
        ("compat", "ancient"),
        ("metadata", "[1]"),
        ("deadline", "tomorrow"),
        ("priority", "10"),
        ("style", "romance:x"),
    ];
    for (field, value) in wrong {
        let problem = service
            .submit(&[(field, value)])
            .await
            .problem(422, "invalid_parameter");
        assert_eq!(problem["field"], field, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(field),
            "{problem}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn no_field_has_what_the_database_cannot_keep() {
    let service = TestService::start().await;
    for field in [
        "webhook_url",
        "style",
        "metadata",
        "deadline",
        "seed",
        "image_url",
    ] {
        let problem = service
            .submit(&[(field, "http://example.com/\0")])
            .await
            .problem(422, "invalid_parameter");
        assert_eq!(problem["field"], field, "{problem}");
        let json = serde_json::json!({field: ["in a \0 list"]});
        let request = service.request(Method::POST, "/v1/stories").json(&json);
        Answer::of(request).await.problem(422, "invalid_parameter");
    }
    for path in [
        "/v1/styles/a%00b",
        "/v1/stories/%00",
        "/v1/stories?cursor=%00",
        "/problems/%00",
    ] {
        let answer = service.get(path).await;
        assert!(
            (400..500).contains(&answer.status),
            "{path}: {}",
            answer.text()
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn fields_that_a_form_leaves_empty_are_as_good_as_not_given() {
    let service = TestService::start().await;
    let empty = [
        "style",
        "seed",
        "mode",
        "webhook_url",
        "webhook_events",
        "metadata",
        "deadline",
        "priority",
        "temperature",
        "keep_for",
    ];
    let mut fields: Vec<(&str, &str)> = empty.map(|name| (name, "")).to_vec();
    fields.push(("_charset_", "UTF-8"));
    let answer = service.submit(&fields).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let plain = service.submit(&[]).await.json();
    let mut wishes = answer.json()["request"].clone();
    wishes["seed"] = plain["request"]["seed"].clone();
    assert_eq!(wishes, plain["request"]);
    // with the mark that some programs write before their text
    let marked = service
        .request(Method::POST, "/v1/stories")
        .header("content-type", "application/json")
        .body("\u{feff}{\"image_url\": \"http://127.0.0.1/x.jpg\"}");
    Answer::of(marked).await.problem(422, "fetch_failed");
    service.stop().await;
}

#[tokio::test]
async fn a_strict_story_cannot_be_drawn() {
    let service = TestService::start().await;
    let problem = service
        .submit(&[("compat", "strict"), ("mode", "sample")])
        .await
        .problem(422, "invalid_parameter");
    assert_eq!(problem["field"], "compat");
    assert!(
        problem["detail"].as_str().unwrap().contains("mode=sample"),
        "{problem}"
    );
    service.stop().await;
}

#[tokio::test]
async fn unknown_repeated_and_missing_fields_are_named() {
    let service = TestService::start().await;
    let unknown = service
        .submit(&[("bean_width", "50")])
        .await
        .problem(422, "invalid_parameter");
    assert_eq!(unknown["field"], "bean_width");
    assert!(
        unknown["detail"]
            .as_str()
            .unwrap()
            .contains("did you mean `beam_width`?"),
        "{unknown}"
    );
    let twice = service
        .submit(&[("form", "prose"), ("form", "lyrics")])
        .await
        .problem(422, "invalid_parameter");
    assert_eq!(twice["field"], "form");
    let two_pictures =
        form(photos::jpeg(), &[]).part("image", reqwest::multipart::Part::bytes(photos::jpeg()));
    let answer = Answer::of(
        service
            .request(Method::POST, "/v1/stories")
            .multipart(two_pictures),
    )
    .await;
    assert_eq!(answer.problem(422, "invalid_parameter")["field"], "image");
    let no_picture = reqwest::multipart::Form::new().text("style", "romance");
    let answer = Answer::of(
        service
            .request(Method::POST, "/v1/stories")
            .multipart(no_picture),
    )
    .await;
    assert_eq!(answer.problem(422, "invalid_parameter")["field"], "image");
    service.stop().await;
}

#[tokio::test]
async fn an_unknown_style_is_answered_with_the_known_ones_and_the_one_that_was_meant() {
    let service = TestService::start().await;
    assert_eq!(
        service.submit(&[("style", "gothic")]).await.status,
        202,
        "no worker has said yet which styles there are"
    );
    service.register_styles(&["romance", "adventure"]).await;
    let problem = service
        .submit(&[("style", "romanse")])
        .await
        .problem(422, "unknown_style");
    assert_eq!(problem["field"], "style");
    assert_eq!(
        problem["choices"],
        serde_json::json!(["romance", "adventure"])
    );
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("did you mean `romance`?"),
        "{problem}"
    );
    service
        .submit(&[("style", "romance:0.5,gothic:0.5")])
        .await
        .problem(422, "unknown_style");
    assert_eq!(
        service
            .submit(&[("style", "romance:0.5,adventure:0.5")])
            .await
            .status,
        202
    );
    service.stop().await;
}

#[tokio::test]
async fn bodies_that_are_no_form_are_refused() {
    let service = TestService::start().await;
    let post = || service.request(Method::POST, "/v1/stories");
    Answer::of(post().body("{}").header("content-type", "text/plain"))
        .await
        .problem(415, "unsupported_media_type");
    Answer::of(post().body(photos::jpeg()))
        .await
        .problem(415, "unsupported_media_type");
    let cut = "--x\r\nContent-Disposition: form-data; name=\"style\"\r\n\r\nroma";
    let cut = Answer::of(
        post()
            .body(cut)
            .header("content-type", "multipart/form-data; boundary=x"),
    )
    .await;
    cut.problem(400, "malformed_request");
    let no_boundary = Answer::of(
        post()
            .body("x")
            .header("content-type", "multipart/form-data"),
    )
    .await;
    no_boundary.problem(400, "malformed_request");
    service.stop().await;
}

#[tokio::test]
async fn what_is_too_large_is_said_so_before_it_is_all_kept() {
    let caps = Caps {
        bytes: 64 * 1024,
        ..Caps::default()
    };
    let service = TestService::start_with(
        Rules::default(),
        api::Config {
            caps,
            ..api::Config::default()
        },
    )
    .await;
    let answer = service.submit_picture(vec![0xFF; 100 * 1024], &[]).await;
    assert_eq!(answer.problem(413, "image_too_large")["field"], "image");
    service
        .submit_picture(vec![0xFF; 1024 * 1024], &[])
        .await
        .problem(413, "body_too_large");
    let endless =
        futures_util::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 32 * 1024])));
    let unannounced = service
        .request(Method::POST, "/v1/stories")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(reqwest::Body::wrap_stream(endless));
    let refused = Answer::of(unannounced).await;
    assert!(matches!(refused.status, 400 | 413), "{}", refused.text());
    let long = "x".repeat(20 * 1024);
    assert_eq!(
        service
            .submit(&[("style", &long)])
            .await
            .problem(422, "invalid_parameter")["field"],
        "style"
    );
    assert_eq!(service.submit(&[]).await.status, 202, "the service goes on");
    service.stop().await;
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let rules = Rules {
        max_queued: 2,
        ..Rules::default()
    };
    let service = TestService::start_with(rules, api::Config::default()).await;
    service.accepted(&[]).await;
    service.accepted(&[]).await;
    let answer = service.submit(&[]).await;
    let problem = answer.problem(429, "queue_full");
    assert_eq!(problem["retryable"], true);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(service.kept_pictures(), 2, "the refused picture was kept");
    service.stop().await;
}
