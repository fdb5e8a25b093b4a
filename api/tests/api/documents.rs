//! The OpenAPI document, the list of problems, the styles and the page: what callers read before they call.
//! What must stay true: the document and the addresses that answer are the same, in both directions.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Answer, TestService};

/// Every address of the API with its methods. The page and its files are for people and not in the document.
const ADDRESSES: [(&str, &str); 23] = [
    ("/v1/stories", "GET, HEAD, POST"),
    ("/v1/stories/{id}", "GET, HEAD, DELETE"),
    ("/v1/stories/{id}/image", "GET, HEAD"),
    ("/v1/stories/{id}/events", "GET, HEAD"),
    ("/v1/stories/{id}/explain", "GET, HEAD"),
    ("/v1/stories/{id}/cancel", "POST"),
    ("/v1/stories/{id}/retry", "POST"),
    ("/v1/stories/{id}/shared", "PUT"),
    ("/v1/uploads", "POST"),
    ("/v1/batches", "POST"),
    ("/v1/batches/{id}", "GET, HEAD"),
    ("/v1/gallery", "GET, HEAD"),
    ("/v1/session", "GET, HEAD, POST, DELETE"),
    ("/v1/stories/{id}/deliveries", "GET, HEAD"),
    ("/v1/stories/{id}/deliveries/{number}/replay", "POST"),
    ("/v1/styles", "GET, HEAD, POST"),
    ("/v1/styles/{name}", "GET, HEAD, DELETE"),
    ("/problems", "GET, HEAD"),
    ("/problems/{kind}", "GET, HEAD"),
    ("/livez", "GET, HEAD"),
    ("/readyz", "GET, HEAD"),
    ("/metrics", "GET, HEAD"),
    ("/openapi.json", "GET, HEAD"),
];

#[tokio::test]
async fn the_document_has_every_address_and_every_address_its_methods() {
    let service = TestService::start().await;
    let document = service.get("/openapi.json").await.json();
    let documented: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(documented, ADDRESSES.map(|(path, _)| path).into());
    for (path, allow) in ADDRESSES {
        let operations = document["paths"][path].as_object().unwrap();
        let methods: BTreeSet<String> = operations
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        let allowed: BTreeSet<String> = allow
            .split(", ")
            .filter(|name| *name != "HEAD")
            .map(str::to_owned)
            .collect();
        assert_eq!(methods, allowed, "{path}");
        let refused = Answer::of(service.request(Method::PATCH, path)).await;
        refused.problem(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), allow, "{path}");
    }
    let nothing = service.get("/v1/nothing").await.problem(404, "not_found");
    assert!(nothing["detail"].as_str().unwrap().contains("/v1/nothing"));
    service.stop().await;
}

#[tokio::test]
async fn no_two_operations_have_one_name_and_a_picture_is_a_file() {
    let service = TestService::start().await;
    let document = service.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let names: Vec<&str> = operations
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let different: BTreeSet<&&str> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "{names:?}");
    assert!(names.contains(&"batches_submit"), "{names:?}");
    let picture = &document["components"]["schemas"]["PictureFile"];
    assert_eq!(
        (&picture["type"], &picture["format"]),
        (&"string".into(), &"binary".into())
    );
    service.stop().await;
}

#[tokio::test]
async fn the_document_has_no_dangling_reference_and_shows_examples() {
    let service = TestService::start().await;
    let document = service.get("/openapi.json").await.json();
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 8, "{references:?}");
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
    let schemas = &document["components"]["schemas"];
    for described in ["Story", "Problem"] {
        assert!(
            schemas[described]["example"].is_object(),
            "{described} has no example"
        );
    }
    // all ways to ask are what is shown, and where the picture is
    for (asked, own) in [
        ("StoryForm", "image"),
        ("StoryByAddress", "image_url"),
        ("StoryByUpload", "upload"),
    ] {
        let parts = schemas[asked]["allOf"].as_array().unwrap();
        let request = serde_json::json!("#/components/schemas/StoryRequest");
        assert!(parts.iter().any(|part| part["$ref"] == request), "{asked}");
        let rest = parts.iter().find(|part| part["properties"].is_object());
        assert_eq!(rest.unwrap()["required"], serde_json::json!([own]));
    }
    let form = &schemas["StoryForm"]["allOf"];
    let image = form.as_array().unwrap().iter().find_map(|part| {
        let image = &part["properties"]["image"];
        image.is_object().then_some(image)
    });
    assert_eq!(image.unwrap()["format"], "binary");
    service.stop().await;
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(
                members
                    .get("$ref")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            members
                .values()
                .for_each(|member| collect_references(member, found));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn a_shown_story_has_exactly_the_documented_members() {
    let service = TestService::start().await;
    let document = service.get("/openapi.json").await.json();
    let schema = &document["components"]["schemas"]["Story"];
    let documented: BTreeSet<&str> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let id = service.accepted(&[]).await;
    let job = service.job(&id).await;
    let shown: BTreeSet<&str> = job
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let example: BTreeSet<&str> = schema["example"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(shown, documented);
    assert_eq!(example, documented);
    service.stop().await;
}

#[tokio::test]
async fn every_problem_type_has_a_page() {
    let service = TestService::start().await;
    let list = service.get("/problems").await.json();
    assert!(list.as_array().unwrap().len() > 15);
    for entry in list.as_array().unwrap() {
        let one = service.get(entry["type"].as_str().unwrap()).await;
        assert_eq!((one.status, &one.json()), (200, entry));
    }
    service
        .get("/problems/bad_hair_day")
        .await
        .problem(404, "not_found");
    service.stop().await;
}

#[tokio::test]
async fn the_styles_are_those_that_a_worker_brought() {
    let service = TestService::start().await;
    assert_eq!(
        service.get("/v1/styles").await.json(),
        serde_json::json!({"bundle": null, "styles": []})
    );
    service.register_styles(&["romance", "adventure"]).await;
    let styles = service.get("/v1/styles").await.json();
    assert_eq!(styles["bundle"], "test-1-abc");
    assert_eq!(styles["styles"][1]["name"], "adventure");
    assert_eq!(styles["styles"][0]["description"], "Books of romance");
    service.stop().await;
}

#[tokio::test]
async fn the_page_and_its_files_come_with_their_types_and_are_asked_for_again_cheaply() {
    let service = TestService::start().await;
    let page = service.get("/").await;
    assert!(
        page.text().contains("id=\"picture\"")
            && page.text().contains("data-max-bytes=\"20971520\"")
    );
    assert!(
        !page.text().contains("style=\"") && !page.text().contains("onclick"),
        "the policy would block it"
    );
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/story.css", "text/css; charset=utf-8"),
        ("/assets/main.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = service.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, media_type)
        );
        let again = service
            .request(Method::GET, path)
            .header("if-none-match", answer.header("etag"));
        assert_eq!(Answer::of(again).await.status, 304, "{path}");
        let head = Answer::of(service.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.bytes.len()), (200, 0), "{path}");
    }
    service.stop().await;
}
