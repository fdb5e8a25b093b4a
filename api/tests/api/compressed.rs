//! What is sent shorter to those who can read it so, and what is not.

use reqwest::Method;

use crate::harness::{Answer, TestService, told};

#[tokio::test]
async fn texts_are_compressed_for_those_who_can_read_it_and_pictures_and_events_never() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let claimed = service.claim().await;
    service.finish(&claimed, told("They met.")).await;
    let story = format!("/v1/stories/{id}");
    let asked = |path: &str, encoding: &'static str| {
        let request = service.request(Method::GET, path);
        Answer::of(request.header("accept-encoding", encoding))
    };
    for path in [story.as_str(), "/", "/assets/main.js", "/openapi.json"] {
        let plain = service.get(path).await;
        assert_eq!(plain.header("content-encoding"), "", "{path}");
        assert!(plain.header("vary").contains("accept-encoding"), "{path}");
        for encoding in ["gzip", "br", "zstd"] {
            let answer = asked(path, encoding).await;
            assert_eq!(answer.header("content-encoding"), encoding, "{path}");
            assert!(answer.bytes.len() < plain.bytes.len(), "{path} {encoding}");
            assert_eq!(answer.header("etag"), plain.header("etag"), "{path}");
        }
    }
    let picky = asked(&story, "identity;q=0, *;q=0").await;
    assert_eq!((picky.status, picky.header("content-encoding")), (200, ""));
    let (picture, events) = (format!("{story}/image"), format!("{story}/events"));
    for path in [&picture, &events] {
        let answer = asked(path, "gzip, br, zstd").await;
        let encoding = answer.header("content-encoding");
        assert!(matches!(encoding, "" | "identity"), "{path}: {encoding}");
        assert_eq!(answer.bytes, service.get(path).await.bytes, "{path}");
    }
    service.stop().await;
}
