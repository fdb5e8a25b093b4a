//! The service seen from outside: the one HTTP client of the commands and of the tests.
//! It speaks only what the API documents, in the API's own types. What must stay true: a problem answer becomes an error in
//! the service's own words, and what listens on this machine is never asked through a proxy.

mod batches;
mod following;
mod stories;
mod styles;

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::error::Problem;
use jobs::State;
use reqwest::multipart::Part;
use reqwest::{Method, RequestBuilder, Url};
use serde::de::DeserializeOwned;

pub use following::Event;
pub use stories::{Listing, story_of};
pub use styles::NewStyle;

/// Longer than the 60 s for which the service holds a waiting poll.
const ANSWER: Duration = Duration::from_secs(90);

/// Why the service could not be asked, or what it said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was named as the service is no address.
    #[error("`{0}` is no address of a service: say one such as http://127.0.0.1:7878")]
    Address(String),
    /// A file that is to be sent cannot be read.
    #[error("cannot read {}: {cause}", file.display())]
    File {
        /// The file that was named.
        file: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Nobody answers there, or not in HTTP.
    #[error("no answer from {server}: is `storyteller serve` running there? ({cause})")]
    Unreachable {
        /// The service that was asked.
        server: String,
        /// What the HTTP client said.
        cause: reqwest::Error,
    },
    /// Somebody answers, but not our service.
    #[error(
        "{server} answered {status} with something that this program does not understand: it is no storyteller service, or one of another version"
    )]
    NotOurs {
        /// The service that was asked.
        server: String,
        /// The HTTP status of its answer.
        status: u16,
    },
    /// The service refused, in its own words.
    #[error("{detail} (HTTP {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's detail.
        detail: String,
        /// Whether it may answer differently later.
        retryable: bool,
    },
    /// The job ended without a story.
    #[error("there is no story, the job is {state}: {reason}")]
    NoStory {
        /// The state it ended in.
        state: State,
        /// The job's own error.
        reason: String,
    },
}

impl Error {
    /// Whether the same question may be answered in a moment: nobody is there, or the service or a proxy before it says so.
    fn may_pass(&self) -> bool {
        match self {
            Error::Unreachable { .. } => true,
            Error::Refused { retryable, .. } => *retryable,
            Error::NotOurs { status, .. } => matches!(status, 502..=504),
            Error::Address(_) | Error::File { .. } | Error::NoStory { .. } => false,
        }
    }
}

/// A connection to one service.
pub struct Client {
    http: reqwest::Client,
    server: Url,
    /// Sent with every request, if the service asks for one.
    key: Option<String>,
}

/// The address of a service, for example `http://127.0.0.1:7878`.
///
/// # Errors
/// [`Error::Address`] when it is none.
pub fn address(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| Error::Address(text.to_owned()))
}

impl Client {
    /// A client of the service at `server`, for example `http://127.0.0.1:7878`.
    ///
    /// # Errors
    /// When that is no address, or no HTTP client can be set up on this machine.
    pub fn new(server: &str) -> Result<Self, Error> {
        let server = address(server)?;
        let mut http = reqwest::Client::builder().timeout(ANSWER);
        if is_here(&server) {
            // a proxy for the world knows nothing of what listens on this machine
            http = http.no_proxy();
        }
        match http.build() {
            Ok(http) => Ok(Client {
                http,
                server,
                key: None,
            }),
            Err(cause) => Err(Error::Unreachable {
                server: name(&server),
                cause,
            }),
        }
    }

    /// The same, saying who asks.
    #[must_use]
    pub fn with_key(self, key: Option<String>) -> Self {
        Client { key, ..self }
    }

    /// Whether the service is ready, and its own words about it.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn ready(&self) -> Result<(bool, String), Error> {
        let (status, text) = self.exchange(self.get(&["readyz"])).await?;
        Ok((status == 200, text))
    }

    fn get(&self, path: &[&str]) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn post(&self, path: &[&str]) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let request = self.http.request(method, url);
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// What is asked for.
    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let (status, text) = self.exchange(request).await?;
        if !(200..300).contains(&status) {
            return Err(self.refusal(status, &text));
        }
        serde_json::from_str(&text).map_err(|_| self.stranger(status))
    }

    /// That it is done, where there is nothing to answer.
    async fn done(&self, request: RequestBuilder) -> Result<(), Error> {
        let (status, text) = self.exchange(request).await?;
        if (200..300).contains(&status) {
            return Ok(());
        }
        Err(self.refusal(status, &text))
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<(u16, String), Error> {
        let unreachable = |cause| self.unreachable(cause);
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(unreachable)?))
    }

    fn refusal(&self, status: u16, text: &str) -> Error {
        match serde_json::from_str::<Problem>(text) {
            Ok(problem) => Error::Refused {
                status,
                detail: problem.detail,
                retryable: problem.retryable,
            },
            Err(_) => self.stranger(status),
        }
    }

    fn stranger(&self, status: u16) -> Error {
        let server = name(&self.server);
        Error::NotOurs { server, status }
    }

    fn unreachable(&self, cause: reqwest::Error) -> Error {
        let server = name(&self.server);
        Error::Unreachable { server, cause }
    }
}

/// An address as people write it.
fn name(server: &Url) -> String {
    server.as_str().trim_end_matches('/').to_owned()
}

/// Whether an address leads to this machine itself.
fn is_here(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = |address: std::net::IpAddr| address.is_loopback();
    host == "localhost" || address.parse().is_ok_and(loopback)
}

/// A file as a part of a form.
async fn part_of(file: &Path) -> Result<Part, Error> {
    let bytes = tokio::fs::read(file).await.map_err(|cause| Error::File {
        file: file.to_owned(),
        cause,
    })?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Ok(Part::bytes(bytes).file_name(name.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_an_address_of_http_and_may_lie_under_a_path() {
        for wrong in ["", "127.0.0.1:7878", "localhost", "ftp://host", "http://"] {
            assert!(matches!(address(wrong), Err(Error::Address(_))), "{wrong}");
        }
        for (server, whole) in [
            (
                "http://127.0.0.1:7878",
                "http://127.0.0.1:7878/v1/styles/a%2Fb",
            ),
            ("https://host/tell/", "https://host/tell/v1/styles/a%2Fb"),
        ] {
            let client = Client::new(server).expect("that is an address");
            let request = client.get(&["v1", "styles", "a/b"]).build();
            assert_eq!(request.expect("it is whole").url().as_str(), whole);
        }
    }

    #[test]
    fn what_listens_on_this_machine_is_known_by_its_address() {
        for (server, here) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://127.example.com", false),
            ("http://192.168.1.2", false),
        ] {
            assert_eq!(is_here(&address(server).expect("an address")), here);
        }
    }
}
