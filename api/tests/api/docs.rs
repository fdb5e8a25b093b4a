//! The pages about the API: Swagger UI, and one for each type of problem.

use reqwest::Method;

use crate::harness::{Answer, TestService};

#[tokio::test]
async fn the_api_can_be_read_and_tried_without_anything_from_elsewhere() {
    let service = TestService::start().await;
    // the page is asked for without its last stroke, and what it names lies beside it
    let page = service.get("/docs").await;
    assert_eq!(page.status, 200);
    let html = page.text();
    let named = html.split(['"', '\'']).filter(|text| {
        [".js", ".css", ".png"]
            .iter()
            .any(|end| text.ends_with(end))
    });
    let named: Vec<&str> = named.map(|name| name.trim_start_matches("./")).collect();
    assert!(named.len() >= 6, "{html}");
    for name in named {
        let answer = service.get(&format!("/docs/{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
        let again = service.request(Method::GET, &format!("/docs/{name}"));
        let again = again.header("if-none-match", answer.header("etag"));
        assert_eq!(Answer::of(again).await.status, 304, "{name}");
    }
    let start = service.get("/docs/swagger-initializer.js").await.text();
    assert!(
        start.contains("/openapi.json") && !start.contains("petstore"),
        "{start}"
    );
    assert!(
        !html.contains("style=\"") && !html.contains("http"),
        "{html}"
    );
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("script-src 'self';") && !policy.contains("unsafe"),
        "{policy}"
    );
    for nothing in [
        "/docs/oauth2-redirect.html",
        "/docs/errors/nothing",
        "/docs/x",
    ] {
        service.get(nothing).await.problem(404, "not_found");
    }
    service.stop().await;
}

#[tokio::test]
async fn every_type_of_problem_has_a_page_for_people_and_an_answer_for_programs() {
    let service = TestService::start().await;
    let list = service.get("/docs/errors").await.text();
    let problems = service.get("/problems").await.json();
    for problem in problems.as_array().unwrap() {
        let kind = problem["kind"].as_str().unwrap();
        let own = format!("/docs/errors/{kind}");
        assert!(list.contains(&format!("href=\"{own}\"")), "{kind}");
        let page = service.get(&own).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let text = page.text();
        assert!(text.contains(kind) && !text.contains('`'), "{text}");
    }
    let path = "/problems/unknown_style";
    let browser = service
        .request(Method::GET, path)
        .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let browser = Answer::of(browser).await;
    let program = service.get(path).await;
    assert!(browser.header("content-type").starts_with("text/html"));
    assert_eq!(program.json()["kind"], "unknown_style");
    for answer in [&browser, &program] {
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert!(vary.iter().any(|value| *value == "accept"), "{vary:?}");
    }
    service.stop().await;
}
