//! Whom the service answers: names that are its own, and pages that are its own.
//! What must stay true: every operation of the OpenAPI document that changes something is asked here, so a new one that
//! forgets to look at whose page asks is seen.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use api::{Config, Hosts};
use jobs::Rules;
use reqwest::Method;
use testkit::photos;

use crate::harness::{Answer, TestService, form};

async fn known_as(names: &[&str]) -> TestService {
    let public_host = names.iter().map(|name| (*name).to_owned()).collect();
    let config = Config {
        hosts: Hosts {
            public_host,
            ..Hosts::default()
        },
        ..Config::default()
    };
    TestService::start_with(Rules::default(), config).await
}

async fn asked_as(service: &TestService, host: &str) -> Answer {
    let request = service.request(Method::GET, "/v1/stories");
    Answer::of(request.header("host", host)).await
}

#[tokio::test]
async fn only_names_of_this_machine_and_public_ones_are_answered() {
    let service = known_as(&["stories.example", "192.0.2.7"]).await;
    for own in [
        "localhost",
        "localhost:7878",
        "LocalHost.:1",
        "page.localhost",
        "127.0.0.1",
        "127.9.9.9:80",
        "[::1]",
        "[::1]:7878",
        "[::ffff:127.0.0.1]:7878",
        "stories.example",
        "STORIES.example.:443",
        "192.0.2.7:7878",
        "photobooth",
        "api:8080",
    ] {
        let answer = asked_as(&service, own).await;
        assert_eq!(answer.status, 200, "{own}: {}", answer.text());
    }
    for foreign in [
        "rebound.example",
        "rebound.example:7878",
        "localhost.rebound.example",
        "127.0.0.1.rebound.example",
        "stories.example.rebound.example",
        "xstories.example",
        "127.0.0.1@rebound.example",
        "rebound.example@127.0.0.1",
        "192.0.2.8",
        "10.0.0.1:7878",
        "[fe80::1]",
        "0x7f.1",
        "localhost:1.rebound.example",
        "a b",
        "",
    ] {
        let answer = asked_as(&service, foreign).await;
        // what is no host at all may already be refused by the reader of the request
        if answer.status != 400 {
            answer.problem(421, "unknown_host");
            assert!(!answer.header("x-request-id").is_empty());
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_name_counts_in_the_request_line_too_and_none_is_no_name() {
    let service = TestService::start().await;
    let status = |request: &'static str| {
        let address = service.address.trim_start_matches("http://").to_owned();
        tokio::task::spawn_blocking(move || {
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            answer.split(' ').nth(1).unwrap_or_default().to_owned()
        })
    };
    for (request, expected) in [
        (
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "200",
        ),
        (
            "GET http://rebound.example/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "421",
        ),
        (
            "GET http://localhost/livez HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n",
            "421",
        ),
        (
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: rebound.example\r\nConnection: close\r\n\r\n",
            "400",
        ),
        // from before `Host`, and without what every later request must have
        ("GET /livez HTTP/1.0\r\n\r\n", "200"),
        (
            "GET /livez HTTP/1.0\r\nHost: rebound.example\r\n\r\n",
            "421",
        ),
        ("GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", "400"),
    ] {
        assert_eq!(status(request).await.unwrap(), expected, "{request}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_page_of_another_site_cannot_change_anything_in_its_visitors_name() {
    let service = TestService::start().await;
    let document = service.get("/openapi.json").await.json();
    let own = service.address.clone();
    let port = own.rsplit_once(':').unwrap().1.to_owned();
    let foreign = [
        ("origin", "http://rebound.example".to_owned()),
        ("origin", "null".to_owned()),
        ("origin", own.replace("http", "ftp")),
        ("origin", "http://127.0.0.1".to_owned()),
        ("origin", "http://127.0.0.1:1".to_owned()),
        ("origin", format!("http://localhost:{port}")),
        ("origin", format!("{own}.rebound.example")),
        (
            "origin",
            format!("http://rebound.example@127.0.0.1:{port}x"),
        ),
        ("origin", "chrome-extension://abcdefghijklmnop".to_owned()),
        ("origin", String::new()),
        ("sec-fetch-site", "cross-site".to_owned()),
        ("sec-fetch-site", "same-site".to_owned()),
    ];
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let unsafe_methods = operations.as_object().unwrap().keys();
        for method in unsafe_methods.filter(|method| *method != "get") {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let path = path
                .replace("{id}", "00000000-0000-7000-8000-000000000000")
                .replace("{number}", "1")
                .replace("{name}", "romance");
            for (header, value) in &foreign {
                let request = service
                    .request(method.clone(), &path)
                    .header(*header, value);
                Answer::of(request).await.problem(403, "cross_site");
                asked += 1;
            }
        }
    }
    assert!(asked >= 6 * foreign.len(), "{asked}");
    service.stop().await;
}

#[tokio::test]
async fn the_own_page_and_programs_may_change_what_they_like() {
    let service = known_as(&["stories.example"]).await;
    let own = service.address.clone();
    let submit = |headers: &[(&'static str, &str)]| {
        let mut request = service.request(Method::POST, "/v1/stories");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.multipart(form(photos::jpeg(), &[])))
    };
    for headers in [
        &[][..],
        &[("sec-fetch-site", "same-origin"), ("origin", &own)],
        &[("sec-fetch-site", "none")],
        &[("origin", &own.to_uppercase().replace("HTTP", "http"))],
        // behind a proxy that ends TLS and passes `Host` on
        &[
            ("origin", "https://stories.example"),
            ("host", "stories.example"),
        ],
        &[
            ("origin", "https://stories.example"),
            ("host", "stories.example:443"),
        ],
        &[
            ("origin", "https://stories.example:8443"),
            ("host", "stories.example:8443"),
        ],
    ] {
        let answer = submit(headers).await;
        assert_eq!(answer.status, 202, "{headers:?}: {}", answer.text());
    }
    let other_port = [
        ("origin", "https://stories.example:8443"),
        ("host", "stories.example"),
    ];
    submit(&other_port).await.problem(403, "cross_site");
    // looking is not changing; no header of ours lets another page read the answer
    let looked = service.request(Method::GET, "/v1/stories");
    let looked = Answer::of(looked.header("origin", "http://other.example")).await;
    assert_eq!(looked.status, 200);
    assert_eq!(looked.header("access-control-allow-origin"), "");
    service.stop().await;
}
