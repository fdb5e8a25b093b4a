//! A small HTTP listener beside a process that has no other: `/livez`, `/readyz` with reasons, `/metrics`.
//! The `worker` program starts it if it is told where to listen. What must stay true: it shows and changes nothing,
//! it answers while the networks load and while the worker drains, and it shows no cause that could hold a secret.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use jobs::Store;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::metrics::{MEDIA_TYPE, exposition};

/// Whoever asks says so at once; others are cut off.
const PATIENCE: Duration = Duration::from_secs(10);
/// When a caller could not be taken in because the process has too many files open.
const REST: Duration = Duration::from_millis(100);

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

/// Answers on `listener` until it is dropped.
///
/// # Errors
/// When the socket cannot be served.
pub async fn run(status: Status, listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (caller, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            // too many open files, or a caller that has gone: others may do better
            Err(error) => {
                tracing::warn!(%error, "a caller for health or metrics was not answered");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let status = status.clone();
        let answers = service_fn(move |request| {
            let status = status.clone();
            async move { Ok::<_, Infallible>(status.answer(&request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(caller), answers);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a caller for health or metrics went away");
            }
        });
    }
}

type Answer = Response<Full<Bytes>>;

impl Status {
    async fn answer(&self, request: &Request<Incoming>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered");
            let get = hyper::header::HeaderValue::from_static("GET, HEAD");
            refusal.headers_mut().insert(ALLOW, get);
            return refusal;
        }
        match request.uri().path() {
            "/livez" => self.liveness(),
            "/readyz" => self.readiness().await,
            "/metrics" => self.numbers().await,
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /livez, /readyz and /metrics",
            ),
        }
    }

    fn liveness(&self) -> Answer {
        let doomed = self.health.doomed();
        let body = serde_json::json!({"alive": doomed.is_none(), "reason": doomed});
        json(ok_if(doomed.is_none()), &body)
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
        json(
            ok_if(ready),
            &serde_json::json!({"ready": ready, "reasons": reasons}),
        )
    }

    async fn numbers(&self) -> Answer {
        match exposition(&self.store, &self.health).await {
            Ok(numbers) => answer(StatusCode::OK, MEDIA_TYPE, numbers),
            Err(cause) => {
                tracing::error!(%cause, "no metrics");
                let words = "the log says why there are no metrics";
                text(StatusCode::INTERNAL_SERVER_ERROR, words)
            }
        }
    }
}

fn ok_if(well: bool) -> StatusCode {
    if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn json(status: StatusCode, body: &serde_json::Value) -> Answer {
    answer(status, "application/json", body.to_string())
}

fn text(status: StatusCode, words: &str) -> Answer {
    answer(status, "text/plain", words.to_owned())
}

fn answer(status: StatusCode, media_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    for (name, value) in [(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store")] {
        let value = hyper::header::HeaderValue::from_static(value);
        answer.headers_mut().insert(name, value);
    }
    answer
}
