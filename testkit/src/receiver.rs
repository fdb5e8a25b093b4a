//! A real HTTP server of a test's own, which answers as it is told and remembers what it heard.
//! Used by the tests of webhooks and of `image_url` in three packages.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// A request, read to its end.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// As sent.
    pub method: String,
    /// With its query.
    pub path: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// All of it.
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Besides its length.
    pub headers: Vec<(&'static str, String)>,
    /// What follows.
    pub body: Vec<u8>,
    /// Before the first byte.
    pub pause: Duration,
    /// So many bytes of the body are promised and not sent.
    pub missing: usize,
}

impl Reply {
    /// A status and nothing else.
    pub fn status(status: u16) -> Reply {
        Reply {
            status,
            ..Reply::default()
        }
    }

    /// 200 and these bytes.
    pub fn body(body: impl Into<Vec<u8>>) -> Reply {
        Reply {
            status: 200,
            body: body.into(),
            ..Reply::default()
        }
    }

    /// A redirect.
    pub fn to(address: impl Into<String>) -> Reply {
        Reply {
            status: 302,
            ..Reply::default()
        }
        .with("Location", address)
    }

    /// With another header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }
}

/// The server; it ends with the value.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    task: AbortHandle,
}

impl Receiver {
    /// One that answers as `answer` says, which is told how many requests there were.
    pub async fn start(
        answer: impl Fn(&Heard, usize) -> Reply + Send + Sync + 'static,
    ) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (remembered, answer) = (heard.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let (heard, answer) = (remembered.clone(), answer.clone());
                tokio::spawn(async move {
                    let _ = serve(connection, &heard, &*answer).await;
                });
            }
        });
        Receiver {
            address,
            heard,
            task: task.abort_handle(),
        }
    }

    /// One that answers everybody with this status.
    pub async fn answering(status: u16) -> Receiver {
        Receiver::start(move |_, _| Reply::status(status)).await
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut connection: TcpStream,
    heard: &Mutex<Vec<Heard>>,
    answer: &(dyn Fn(&Heard, usize) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let request = read(&mut connection).await?;
    let number = {
        let mut heard = heard.lock().unwrap();
        heard.push(request.clone());
        heard.len()
    };
    let reply = answer(&request, number);
    tokio::time::sleep(reply.pause).await;
    let mut head = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !reply
        .headers
        .iter()
        .any(|(name, _)| *name == "Transfer-Encoding")
    {
        head += &format!("Content-Length: {}\r\n", reply.body.len() + reply.missing);
    }
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(b"\r\n").await?;
    connection.write_all(&reply.body).await?;
    connection.shutdown().await
}

async fn read(connection: &mut TcpStream) -> std::io::Result<Heard> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines
        .next()
        .unwrap_or_default()
        .split(' ')
        .map(str::to_owned);
    let mut heard = Heard {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: bytes.split_off(end + 4),
    };
    let length = heard
        .headers
        .get("content-length")
        .and_then(|length| length.parse().ok());
    while heard.body.len() < length.unwrap_or(0) {
        if connection.read_buf(&mut heard.body).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(heard)
}
