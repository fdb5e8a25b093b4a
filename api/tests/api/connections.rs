//! Connections on which no request arrives as it should: headers that dribble in, and bytes that are no HTTP; and answers that
//! nobody reads.
//! What must stay true: each is answered or cut within its time, and others are served as ever.

use std::io::{ErrorKind, Read as _, Write as _};
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
    let ended = connection
        .read_to_end(&mut answer)
        .map_err(|error| error.kind());
    assert_ne!(ended, Err(ErrorKind::WouldBlock), "nobody closes it");
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
    let head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ";
    let answer = dribbled(&service, head).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(service.get("/livez").await.status, 200);
    service.stop().await;
}

/// What comes back when this was sent and more dribbles in, until the connection is closed.
async fn dribbled(service: &TestService, sent: &'static [u8]) -> String {
    let connection = connect(service);
    let mut dribbling = connection.try_clone().unwrap();
    let dribbler = std::thread::spawn(move || {
        // one line of hours, a letter at a time, until nobody takes it
        let mut dribbled = dribbling.write_all(sent);
        while dribbled.is_ok() {
            std::thread::sleep(Duration::from_millis(20));
            dribbled = dribbling.write_all(b"a");
        }
    });
    let answer = blocking(move || heard(connection)).await;
    blocking(move || dribbler.join().unwrap()).await;
    answer
}

#[tokio::test]
async fn who_dribbles_after_an_answer_is_cut_as_well() {
    let config = Config {
        keep_alive: Duration::from_millis(300),
        head_patience: Duration::from_millis(500),
        ..Config::default()
    };
    let service = TestService::start_with(Rules::default(), config).await;
    for sent in [
        // the headers of a second request
        &b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nX-Long: "[..],
        // before a request
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        // a body that nobody wants
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
    ] {
        let answer = dribbled(&service, sent).await;
        let answers = answer.matches("HTTP/1.1 200").count();
        assert_eq!(answers, 1, "{answer}");
    }
    assert_eq!(service.get("/livez").await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn who_takes_his_time_with_a_request_or_its_answer_is_not_cut_between_them() {
    let config = Config {
        keep_alive: Duration::from_millis(300),
        head_patience: Duration::from_millis(500),
        ..Config::default()
    };
    let service = TestService::start_with(Rules::default(), config).await;
    let id = service.submit(&[]).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut connection = connect(&service);
    let wait = format!("GET /v1/stories/{id}?wait=2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for part in [
        "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &wait,
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ] {
        connection.write_all(part.as_bytes()).unwrap();
    }
    let answer = blocking(move || heard(connection)).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{answer}");
    service.stop().await;
}

#[tokio::test]
async fn who_reads_nothing_of_an_answer_is_cut_and_who_reads_slowly_is_not() {
    const ASKED: usize = 200;
    let config = Config {
        answer_patience: Duration::from_millis(600),
        ..Config::default()
    };
    let service = TestService::start_with(Rules::default(), config).await;
    let answers = async |pause: Duration| {
        let connection = connect(&service);
        let head = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n";
        let last = format!("{head}Connection: close\r\n\r\n");
        let all = format!("{head}\r\n").repeat(ASKED - 1) + &last;
        // more than the buffers between here and there hold, so that the answers stand still
        (&connection).write_all(all.as_bytes()).unwrap();
        let heard = blocking(move || {
            std::thread::sleep(pause);
            slowly(connection)
        });
        heard.await
    };
    assert_eq!(answers(Duration::ZERO).await, ASKED);
    assert!(answers(Duration::from_secs(3)).await < ASKED);
    assert_eq!(service.get("/livez").await.status, 200);
    service.stop().await;
}

/// How many answers come until the connection is closed, read with pauses.
fn slowly(mut connection: TcpStream) -> usize {
    let (mut answer, mut some) = (Vec::new(), vec![0; 1 << 20]);
    loop {
        match connection.read(&mut some) {
            Ok(read) if read > 0 => answer.extend_from_slice(&some[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nobody closes it"),
            _ => break,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    String::from_utf8_lossy(&answer)
        .matches("HTTP/1.1 200")
        .count()
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
