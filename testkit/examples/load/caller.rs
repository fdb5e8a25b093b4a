//! Callers: each has a connection of its own and asks again as soon as it is answered.
//! Requests are put together from bytes and answers are hardly looked at, so that callers cost little beside what they measure.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

/// Whom to ask, how many do, and for how long.
pub(crate) struct Asking {
    pub(crate) address: SocketAddr,
    pub(crate) callers: usize,
    pub(crate) time: Duration,
}

/// What came back.
#[derive(Default)]
pub(crate) struct Answers {
    /// How long each took that was a good one.
    pub(crate) times: Vec<Duration>,
    /// Their bodies.
    pub(crate) bodies: Vec<Vec<u8>>,
    /// How many were refused.
    pub(crate) refused: usize,
}

/// One connection.
pub(crate) struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Caller {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = Vec::with_capacity(16 * 1024);
        Ok(Caller { stream, buffer })
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await
    }

    /// The next answer: its status and its body.
    pub(crate) async fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        loop {
            if let Some((status, head, body)) = head_of(&self.buffer)? {
                while self.buffer.len() < head + body {
                    self.more().await?;
                }
                let rest = self.buffer.split_off(head + body);
                let body = self.buffer.split_off(head);
                self.buffer = rest;
                return Ok((status, body));
            }
            self.more().await?;
        }
    }

    /// What comes until these bytes, and them.
    pub(crate) async fn until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            let found = self.buffer.windows(end.len()).position(|part| part == end);
            if let Some(place) = found {
                let rest = self.buffer.split_off(place + end.len());
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Status, length of the head and length of the body, once the head is whole.
fn head_of(bytes: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let parsed = answer.parse(bytes).map_err(io::Error::other)?;
    let httparse::Status::Complete(head) = parsed else {
        return Ok(None);
    };
    let mut headers = answer.headers.iter();
    let length = headers.find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok());
    let length = length.and_then(|text| text.trim().parse().ok());
    let length = length.ok_or_else(|| io::Error::other("an answer without its length"))?;
    Ok(Some((answer.code.unwrap_or(0), head, length)))
}

/// All callers ask until the time is over; `request` makes the request of each turn.
pub(crate) async fn ask_all(
    asking: &Asking,
    request: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) -> Answers {
    let request = Arc::new(request);
    let turns = Arc::new(AtomicUsize::new(0));
    let until = Instant::now() + asking.time;
    let mut callers = Vec::new();
    for _ in 0..asking.callers {
        let mut caller = Caller::open(asking.address).await.unwrap();
        let (request, turns) = (Arc::clone(&request), Arc::clone(&turns));
        callers.push(tokio::spawn(async move {
            let mut answers = Answers::default();
            while Instant::now() < until {
                let request = request(turns.fetch_add(1, Ordering::Relaxed));
                let begun = Instant::now();
                caller.send(&request).await.unwrap();
                let (status, body) = caller.answer().await.unwrap();
                if (200..300).contains(&status) {
                    answers.times.push(begun.elapsed());
                    answers.bodies.push(body);
                } else {
                    answers.refused += 1;
                }
            }
            answers
        }));
    }
    let mut all = Answers::default();
    for caller in callers {
        let answers = caller.await.unwrap();
        all.times.extend(answers.times);
        all.bodies.extend(answers.bodies);
        all.refused += answers.refused;
    }
    all.times.sort();
    all
}

/// Requests that look at one of these stories after the other.
pub(crate) fn poll_one_of(ids: &[Uuid]) -> impl Fn(usize) -> Vec<u8> + Send + Sync + use<> {
    let ids = ids.to_vec();
    move |turn| get(&format!("/v1/stories/{}", ids[turn % ids.len()]))
}

/// A request to look at something.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// A form with a photo, a style and further fields.
pub(crate) fn form(path: &str, photo: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    const EDGE: &str = "an-edge-that-no-photo-has";
    let mut begin = String::new();
    for (name, value) in [&[("style", "romance")], fields].concat() {
        begin += &format!(
            "--{EDGE}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    begin += &format!(
        "--{EDGE}\r\ncontent-disposition: form-data; name=\"image\"; filename=\"photo.jpg\"\r\ncontent-type: image/jpeg\r\n\r\n"
    );
    let end = format!("\r\n--{EDGE}--\r\n");
    let length = begin.len() + photo.len() + end.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: multipart/form-data; boundary={EDGE}\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), begin.as_bytes(), photo, end.as_bytes()].concat()
}
