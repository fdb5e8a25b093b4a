//! A small HTTP listener beside the worker: `/livez`, `/readyz` with reasons, `/metrics`.
//! The `worker` program starts it if it is told where to listen. What must stay true: it shows and changes nothing,
//! it answers while the networks load and while the worker drains, and it shows no cause that could hold a secret.

use std::io;
use std::time::Duration;

use jobs::Store;
use operation::Health;
use operation::metrics::{MEDIA_TYPE, exposition};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Whoever asks says so at once; others are cut off.
const PATIENCE: Duration = Duration::from_secs(10);
/// A request for one of three addresses is shorter.
const LONGEST_REQUEST: usize = 8 * 1024;
const JSON: &str = "application/json";

/// What is shown.
#[derive(Clone)]
pub struct Status {
    /// Asked whether it answers, and how the queue stands.
    pub store: Store,
    /// What the parts of this process say about themselves.
    pub health: Health,
    /// Once it is cancelled the process is not ready any more.
    pub shutdown: CancellationToken,
}

/// Answers on `listener` until it is dropped: one request for each connection, as health checks and Prometheus ask.
///
/// # Errors
/// When the socket cannot be served.
pub async fn run(status: Status, listener: std::net::TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((caller, _)) => {
                let status = status.clone();
                tokio::spawn(async move { timeout(PATIENCE, serve(&status, caller)).await });
            }
            // too many open files, or a caller that has gone: others may do better
            Err(error) => {
                tracing::warn!(%error, "a caller for health or metrics was not answered");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(status: &Status, mut caller: TcpStream) -> io::Result<()> {
    let head = head(&mut caller).await?;
    let mut words = head.split_ascii_whitespace();
    let (code, media_type, body) = match (words.next(), words.next()) {
        (Some("GET"), Some("/livez")) => status.liveness(),
        (Some("GET"), Some("/readyz")) => status.readiness().await,
        (Some("GET"), Some("/metrics")) => status.numbers().await,
        (Some("GET"), Some(_)) => {
            let there_is = "there are /livez, /readyz and /metrics".to_owned();
            ("404 Not Found", "text/plain", there_is)
        }
        _ => {
            let answered = "only GET is answered".to_owned();
            ("400 Bad Request", "text/plain", answered)
        }
    };
    let head = format!(
        "HTTP/1.1 {code}\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    caller.write_all(head.as_bytes()).await?;
    caller.write_all(body.as_bytes()).await?;
    caller.shutdown().await
}

/// Everything up to the empty line, or as much as is taken: only the first line counts.
async fn head(caller: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while head.len() < LONGEST_REQUEST && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match caller.read(&mut piece).await? {
            0 => break,
            read => head.extend_from_slice(&piece[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Status, media type and body.
type Answer = (&'static str, &'static str, String);

impl Status {
    fn liveness(&self) -> Answer {
        let doomed = self.health.doomed();
        let code = if doomed.is_none() {
            "200 OK"
        } else {
            "503 Service Unavailable"
        };
        let body = serde_json::json!({"alive": doomed.is_none(), "reason": doomed});
        (code, JSON, body.to_string())
    }

    async fn readiness(&self) -> Answer {
        let mut reasons = self.health.reasons();
        if let Err(cause) = self.store.ping().await {
            tracing::warn!(%cause, "not ready");
            reasons.insert("database".to_owned(), "it does not answer".to_owned());
        }
        if self.shutdown.is_cancelled() {
            let stopping = "it is stopping: what runs is finished, nothing new is taken";
            reasons.insert("service".to_owned(), stopping.to_owned());
        }
        let ready = reasons.is_empty();
        let code = if ready {
            "200 OK"
        } else {
            "503 Service Unavailable"
        };
        let body = serde_json::json!({"ready": ready, "reasons": reasons});
        (code, JSON, body.to_string())
    }

    async fn numbers(&self) -> Answer {
        match exposition(&self.store, &self.health).await {
            Ok(text) => ("200 OK", MEDIA_TYPE, text),
            Err(cause) => {
                tracing::error!(%cause, "no metrics");
                let body = "the log says why there are no metrics".to_owned();
                ("500 Internal Server Error", "text/plain", body)
            }
        }
    }
}
