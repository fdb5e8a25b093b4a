//! What the client promises that goes to addresses callers name, against real servers on this machine.

use std::time::{Duration, Instant};

use outbound::{Client, FetchError, Secret, Secrets};

use testkit::receiver::{Receiver, Reply};

const MOST: u64 = 1000;

/// A client of a service whose operator has allowed this machine's loopback.
fn inside() -> Client {
    Client::new("127.0.0.1".parse().unwrap()).unwrap()
}

/// A client as it is without that.
fn outside() -> Client {
    Client::new(outbound::Allowed::default()).unwrap()
}

#[tokio::test]
async fn no_address_of_our_own_network_is_reached_however_it_is_written() {
    let server = Receiver::answering(200).await;
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "127.0.0.1.",
        "localhost.",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ] {
        let url = format!("http://{host}:{port}/");
        let error = outside().picture(&url, MOST).await.unwrap_err();
        let unresolved = matches!(error, FetchError::Failed(_)) && host.ends_with('.');
        assert!(
            matches!(error, FetchError::Blocked(_)) || unresolved,
            "{url}: {error:?}"
        );
    }
    assert!(
        server.heard().is_empty(),
        "somebody got through: {:?}",
        server.heard()
    );
}

#[tokio::test]
async fn what_is_no_address_on_the_web_is_said_so() {
    for (url, expected) in [
        ("", "no address"),
        ("dogs.jpg", "no address"),
        ("file:///etc/passwd", "on the web"),
        ("ftp://example.com/", "on the web"),
        ("gopher://example.com/", "on the web"),
        ("data:image/png;base64,AA", "on the web"),
        ("http://me:secret@example.com/", "user name"),
        ("http://example.com:0/", "port 0"),
        ("https://", "no address"),
    ] {
        let error = outside().picture(url, MOST).await.unwrap_err();
        assert!(
            matches!(&error, FetchError::Address(said) if said.contains(expected)),
            "{url}: {error:?}"
        );
        assert!(!error.to_string().contains("secret"));
    }
    let long = format!("https://example.com/{}", "a".repeat(3000));
    assert!(matches!(
        outside().picture(&long, MOST).await.unwrap_err(),
        FetchError::Address(_)
    ));
}

#[tokio::test]
async fn redirects_are_followed_hop_by_hop_each_checked_like_the_first() {
    let server = Receiver::start(|request, _| match request.path.as_str() {
        "/1" => Reply::to("/2"),
        "/2" => Reply {
            status: 308,
            ..Reply::to("/picture?x=1")
        },
        "/picture?x=1" => Reply::body("a picture"),
        "/in" => Reply::to("http://169.254.169.254/latest/meta-data/"),
        "/name" => Reply::to("http://localhost.localdomain:1/"),
        "/v6" => Reply::to("http://[::1]:80/"),
        "/file" => Reply::to("file:///etc/passwd"),
        "/round" => Reply::to("/round"),
        "/nowhere" => Reply::status(302),
        other => panic!("{other}"),
    })
    .await;
    let client = inside();
    assert_eq!(
        client.picture(&server.url("/1"), MOST).await.unwrap(),
        "a picture"
    );
    for path in ["/in", "/v6"] {
        let error = client.picture(&server.url(path), MOST).await.unwrap_err();
        assert!(matches!(error, FetchError::Blocked(_)), "{path}: {error:?}");
    }
    for path in ["/file", "/round", "/nowhere"] {
        let error = client.picture(&server.url(path), MOST).await.unwrap_err();
        assert!(matches!(error, FetchError::Failed(_)), "{path}: {error:?}");
    }
    assert_eq!(
        server
            .heard()
            .iter()
            .filter(|heard| heard.path == "/round")
            .count(),
        5
    );
    let first = &server.heard()[0].headers;
    assert!(first["user-agent"].starts_with("neural-storyteller/"));
    assert!(!first.contains_key("cookie") && !first.contains_key("authorization"));
}

#[tokio::test]
async fn nothing_is_read_beyond_the_cap_whether_it_is_announced_or_not() {
    let server = Receiver::start(|request, _| match request.path.as_str() {
        "/fits" => Reply::body(vec![1; 1000]),
        "/announced" => Reply {
            missing: 1 << 40,
            ..Reply::body("x")
        },
        "/streamed" => {
            let chunk = [b"190\r\n".as_slice(), &[2; 400], b"\r\n"].concat();
            Reply::body(chunk.repeat(100)).with("Transfer-Encoding", "chunked")
        }
        "/cut" => Reply {
            missing: 10,
            ..Reply::body("x")
        },
        _ => Reply::status(404),
    })
    .await;
    let client = inside();
    assert_eq!(
        client
            .picture(&server.url("/fits"), MOST)
            .await
            .unwrap()
            .len(),
        1000
    );
    for path in ["/announced", "/streamed"] {
        let error = client.picture(&server.url(path), MOST).await.unwrap_err();
        assert_eq!(error, FetchError::TooLarge(MOST), "{path}");
    }
    for (path, expected) in [("/cut", "in the middle"), ("/none", "answered 404")] {
        let error = client.picture(&server.url(path), MOST).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{path}: {error}");
    }
    let closed = inside()
        .picture("http://127.0.0.1:1/", MOST)
        .await
        .unwrap_err();
    assert!(closed.to_string().contains("no connection"), "{closed}");
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_given_up_after_fifteen_seconds() {
    let pause = Duration::from_secs(60);
    let server = Receiver::start(move |_, _| Reply {
        pause,
        ..Reply::status(200)
    })
    .await;
    let headers = Secrets::one(Secret::new()).sign("msg_1", 0, b"{}");
    let begun = Instant::now();
    let error = inside()
        .send_webhook(&server.url("/"), &headers, b"{}".to_vec())
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Failed(_)), "{error:?}");
    let waited = begun.elapsed().as_secs_f64();
    assert!((14.9..25.0).contains(&waited), "{waited} s");
}

#[tokio::test]
async fn a_webhook_follows_no_redirect_and_goes_without_https_only_where_that_is_allowed() {
    let server = Receiver::start(|_, _| Reply::to("/elsewhere")).await;
    let headers = Secrets::one(Secret::new()).sign("msg_1", 0, b"{}");
    let answer = inside()
        .send_webhook(&server.url("/hook"), &headers, b"{}".to_vec())
        .await
        .unwrap();
    assert_eq!(answer.status, 302);
    assert_eq!(server.heard().len(), 1, "the redirect was followed");

    for (client, url) in [
        (outside(), "http://example.com/"),
        (outside(), "https://127.0.0.1/"),
        (outside(), "https://[fd00:ec2::254]/"),
        (inside(), "http://8.8.8.8/"),
        (inside(), "https://10.0.0.1/"),
    ] {
        let checked = client.check_webhook(url).unwrap_err();
        let sent = client
            .send_webhook(url, &headers, Vec::new())
            .await
            .unwrap_err();
        assert_eq!(checked, sent, "{url}");
        assert!(!matches!(sent, FetchError::Failed(_)), "{url}: {sent:?}");
    }
    outside()
        .check_webhook("https://example.com/hook?of=mine")
        .unwrap();
    inside().check_webhook(&server.url("/hook")).unwrap();
}

#[tokio::test]
async fn a_wish_to_be_left_alone_is_heard_in_seconds_and_as_a_date() {
    let server = Receiver::start(|request, _| {
        let asked = request.path.trim_start_matches('/').replace('+', " ");
        Reply::status(503).with("Retry-After", asked)
    })
    .await;
    let headers = Secrets::one(Secret::new()).sign("msg_1", 0, b"{}");
    let later = httpdate_in(Duration::from_secs(120));
    for (asked, expected) in [
        ("30", Some(30)),
        ("soon", None),
        ("-1", None),
        (later.as_str(), Some(120)),
    ] {
        let url = server.url(&format!("/{}", asked.replace(' ', "+")));
        let answer = inside()
            .send_webhook(&url, &headers, Vec::new())
            .await
            .unwrap();
        let heard = answer.retry_after.map(|wait| wait.as_secs());
        let near = |expected: u64| heard.is_some_and(|heard| heard.abs_diff(expected) <= 2);
        assert!(expected.map_or(heard.is_none(), near), "{asked}: {heard:?}");
    }
}

fn httpdate_in(time: Duration) -> String {
    let at = chrono::Utc::now() + time;
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
