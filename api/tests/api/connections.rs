//! Connections on which no request arrives as it should: headers that dribble in, and bytes that are no HTTP.
//! What must stay true: each is answered or cut within its time, and others are served as ever.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use api::Config;
use jobs::Rules;
use reqwest::Method;
use testkit::{PATIENCE, photos};

use crate::harness::{Answer, TestService, form};

fn connect(service: &TestService) -> TcpStream {
    let connection = TcpStream::connect(service.address.trim_start_matches("http://")).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// What comes back until the connection is closed, whatever it is sent meanwhile.
fn heard(mut connection: TcpStream) -> String {
    let mut answer = Vec::new();
    // a reset ends it as well
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn who_dribbles_headers_is_cut() {
    let config = Config {
        head_patience: Duration::from_millis(500),
        ..Config::default()
    };
    let service = TestService::start_with(Rules::default(), config).await;
    let connection = connect(&service);
    let mut dribbling = connection.try_clone().unwrap();
    let dribbler = std::thread::spawn(move || {
        let head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ";
        let letters = head.iter().chain(std::iter::repeat(&b'a'));
        // one header of hours, a letter at a time, until nobody takes it
        for letter in letters {
            if dribbling.write_all(&[*letter]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let answer = blocking(move || heard(connection)).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(service.get("/livez").await.status, 200);
    blocking(move || dribbler.join().unwrap()).await;
    service.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_http_are_answered_with_400_and_harm_nobody() {
    let service = TestService::start().await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000));
    for nonsense in [
        &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET /livez HTTP/7.7\r\nHost: localhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nno header\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/stories HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        long.as_bytes(),
    ] {
        let (connection, nonsense) = (connect(&service), nonsense.to_vec());
        let answer = blocking(move || {
            // the answer may come, and the connection go, before all is sent
            let _ = (&connection).write_all(&nonsense);
            heard(connection)
        })
        .await;
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answer.starts_with("HTTP/1.1 4") && answers == 1, "{answer}");
    }
    assert_eq!(service.get("/livez").await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn a_key_whose_first_request_is_still_under_way_is_told_to_come_again() {
    let service = TestService::start().await;
    let mut first = connect(&service);
    let head = "POST /v1/stories HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: mine\r\nContent-Length: 100000\r\n\
                Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n";
    first.write_all(head.as_bytes()).unwrap();
    let submit = async |key: &str| {
        let request = service.request(Method::POST, "/v1/stories");
        let request = request.header("idempotency-key", key);
        Answer::of(request.multipart(form(photos::jpeg(), &[]))).await
    };
    assert_eq!(submit("another").await.status, 202);
    // this one may have come before the first was heard; then it is the first, and the next finds its story
    let refused = testkit::eventually("the first is heard of", async || {
        let answer = submit("mine").await;
        (answer.status == 409).then_some(answer)
    })
    .await;
    let problem = refused.problem(409, "request_in_progress");
    assert_eq!(problem["retryable"], true);
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    drop(first);
    testkit::eventually("the key is free again", async || {
        (submit("mine").await.status == 202).then_some(())
    })
    .await;
    service.stop().await;
}
