//! HTTP to addresses that callers name: webhooks are sent and pictures are fetched with this client and no other.
//! A name is resolved once, what it resolves to is filtered, and one of those very addresses is dialled, so that no
//! answer of a name server can lead into our own network. What must stay true: every hop is checked, nothing is read
//! beyond its cap, and everything ends within its time.

mod address;
mod options;
mod resolver;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::dns::Resolve;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, StatusCode, Url};

pub use address::Allowed;
pub use options::FetchOptions;

use crate::error::{Error, Result};
use crate::signing::{Headers, ID, SIGNATURE, TIMESTAMP};
use address::Rule;
use resolver::{Barred, Resolver, System};

/// A receiver of webhooks has so long from the connection to the status, as Standard Webhooks recommends.
const WEBHOOK_TIME: Duration = Duration::from_secs(15);
/// All hops and bytes of a picture; somebody waits for the answer to his submit meanwhile.
const PICTURE_TIME: Duration = Duration::from_secs(20);
/// Whoever does not take a connection by then is not there.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// What the pictures of this service are decoded from: `image/*` would ask for AVIF as well (RFC 9110 §12.5.1).
const READABLE: &str = "image/jpeg, image/png, image/webp, image/gif";
/// Shorteners and moved hosts need two or three.
const MOST_HOPS: usize = 5;
/// As long as browsers take; longer ones end in every log line.
const LONGEST_URL: usize = 2048;
/// How we introduce ourselves.
const AGENT: &str = concat!("neural-storyteller/", env!("CARGO_PKG_VERSION"));

/// Why something was not fetched or sent; the text is for the person who named the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It is no address that can be used.
    #[error("{0}")]
    Address(String),
    /// It leads to a place that callers may not reach through us.
    #[error("{0}")]
    Blocked(String),
    /// More bytes than are taken.
    #[error("there are more than {0} bytes behind it, which is the most that is taken")]
    TooLarge(u64),
    /// Nobody answered as hoped.
    #[error("{0}")]
    Failed(String),
}

/// What a receiver of a webhook answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// How long it asked us to stay away.
    pub retry_after: Option<Duration>,
}

/// The client. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    allowed: Arc<Allowed>,
    /// To the world and to what is allowed.
    open: reqwest::Client,
    /// To what is allowed only.
    inside: reqwest::Client,
}

impl Client {
    /// A client that reaches public addresses, and inside our own network only what is `allowed`.
    ///
    /// # Errors
    /// `Unexpected`, if the certificates of this machine cannot be read.
    pub fn new(allowed: Allowed) -> Result<Client> {
        Self::asking(Arc::new(System), allowed)
    }

    /// The same with somebody else to ask where names lead.
    fn asking(names: Arc<dyn Resolve>, allowed: Allowed) -> Result<Client> {
        let allowed = Arc::new(allowed);
        let client = |rule| {
            client(Resolver {
                names: Arc::clone(&names),
                allowed: Arc::clone(&allowed),
                rule,
            })
        };
        Ok(Client {
            open: client(Rule::Public)?,
            inside: client(Rule::AllowedOnly)?,
            allowed,
        })
    }

    /// Whether webhooks can be sent to this address, as far as can be known without asking a name server.
    ///
    /// # Errors
    /// `Address` or `Blocked`.
    pub fn check_webhook(&self, url: &str) -> Result<(), FetchError> {
        let url = parse(url)?;
        let rule = self.webhook_rule(&url)?;
        self.check_literal(&url, rule)
    }

    /// Sends a webhook and answers with what the receiver said. Its body is not read.
    ///
    /// # Errors
    /// `Address`, `Blocked` or `Failed`.
    pub async fn send_webhook(
        &self,
        url: &str,
        headers: &Headers,
        body: Vec<u8>,
    ) -> Result<Answer, FetchError> {
        let url = parse(url)?;
        let rule = self.webhook_rule(&url)?;
        self.check_literal(&url, rule)?;
        let mut request = self
            .client(rule)
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ID, &headers.id)
            .header(TIMESTAMP, headers.timestamp)
            .header(SIGNATURE, &headers.signature)
            .body(body);
        if let Some(traceparent) = &headers.traceparent {
            request = request.header("traceparent", traceparent);
        }
        let answer = within(WEBHOOK_TIME, ask(request)).await?;
        Ok(Answer {
            status: answer.status().as_u16(),
            retry_after: retry_after(&answer, SystemTime::now()),
        })
    }

    /// Fetches a picture of up to `most` bytes; redirects are followed, each checked like the first address.
    ///
    /// # Errors
    /// Any [`FetchError`].
    pub async fn picture(&self, url: &str, most: u64) -> Result<Bytes, FetchError> {
        within(PICTURE_TIME, self.follow(parse(url)?, most)).await
    }

    async fn follow(&self, mut url: Url, most: u64) -> Result<Bytes, FetchError> {
        for _ in 0..MOST_HOPS {
            self.check_literal(&url, Rule::Public)?;
            let request = self.open.get(url.clone()).header(ACCEPT, READABLE);
            let answer = ask(request).await?;
            let status = answer.status();
            if status.is_success() {
                return read(answer, most).await;
            }
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                return Err(FetchError::Failed(format!(
                    "its server answered {}",
                    status.as_u16()
                )));
            }
            url = next_hop(&url, &answer)?;
        }
        Err(FetchError::Failed(format!(
            "it redirects more than {MOST_HOPS} times"
        )))
    }

    fn client(&self, rule: Rule) -> &reqwest::Client {
        match rule {
            Rule::Public => &self.open,
            Rule::AllowedOnly => &self.inside,
        }
    }

    /// Without encryption webhooks go nowhere but to what an operator has allowed.
    fn webhook_rule(&self, url: &Url) -> Result<Rule, FetchError> {
        match url.scheme() {
            "https" => Ok(Rule::Public),
            _ if !self.allowed.is_empty() => Ok(Rule::AllowedOnly),
            _ => Err(FetchError::Address(
                "begins with http:; webhooks are sent to https:, without it only to what --allow-addresses opens"
                    .to_owned(),
            )),
        }
    }

    /// The resolver sees names only; an address that is written out is checked here.
    fn check_literal(&self, url: &Url, rule: Rule) -> Result<(), FetchError> {
        let host = url.host_str().unwrap_or_default();
        match host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
        {
            Ok(address) if !self.allowed.passes(address, rule) => Err(blocked(host)),
            _ => Ok(()),
        }
    }
}

/// Whose places at the table an address takes: its host, whatever the port and path.
#[must_use]
pub fn host_of(url: &str) -> Option<String> {
    parse(url).ok()?.host_str().map(str::to_lowercase)
}

fn client(resolver: Resolver) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(AGENT)
        .dns_resolver(Arc::new(resolver))
        // a proxy would resolve names by itself
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIME)
        // each request dials an address that was checked for it
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| Error::unexpected("set up the HTTP client", error))
}

fn parse(text: &str) -> Result<Url, FetchError> {
    let refused = |why: &str| Err(FetchError::Address(why.to_owned()));
    if text.len() > LONGEST_URL {
        return Err(FetchError::Address(format!(
            "has more than {LONGEST_URL} characters"
        )));
    }
    let Ok(url) = Url::parse(text) else {
        return refused("is no address such as https://example.com/path");
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return refused("is no address on the web: it begins with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused(
            "has a user name or password in it, which would end in logs: leave them out",
        );
    }
    if url.port() == Some(0) {
        return refused("names port 0, at which nobody can listen");
    }
    Ok(url)
}

fn next_hop(from: &Url, answer: &Response) -> Result<Url, FetchError> {
    let to = answer
        .headers()
        .get(LOCATION)
        .and_then(|to| to.to_str().ok());
    let to = to.and_then(|to| from.join(to).ok());
    let to = to.ok_or_else(|| {
        FetchError::Failed("its server redirects without saying where to".to_owned())
    })?;
    if from.scheme() == "https" && to.scheme() != "https" {
        return Err(FetchError::Blocked(
            "it redirects from https to something else".to_owned(),
        ));
    }
    parse(to.as_str()).map_err(|error| FetchError::Failed(format!("it redirects to what {error}")))
}

async fn ask(request: RequestBuilder) -> Result<Response, FetchError> {
    request.send().await.map_err(|error| {
        if let Some(barred) = barred(&error) {
            return blocked(&barred.name);
        }
        let why = match &error {
            error if error.is_connect() => "no connection could be made",
            error if error.is_timeout() => "it took too long",
            _ => "its server does not speak HTTP as it should",
        };
        FetchError::Failed(format!("{why} ({})", root(&error)))
    })
}

async fn read(mut answer: Response, most: u64) -> Result<Bytes, FetchError> {
    if answer.content_length().is_some_and(|length| length > most) {
        return Err(FetchError::TooLarge(most));
    }
    let mut bytes = BytesMut::new();
    loop {
        let chunk = answer.chunk().await;
        let chunk = chunk.map_err(|error| {
            FetchError::Failed(format!("it ends in the middle ({})", root(&error)))
        })?;
        let Some(chunk) = chunk else {
            return Ok(bytes.freeze());
        };
        if (bytes.len() + chunk.len()) as u64 > most {
            return Err(FetchError::TooLarge(most));
        }
        bytes.extend_from_slice(&chunk);
    }
}

async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    let late = || FetchError::Failed(format!("it took more than {} s", time.as_secs()));
    tokio::time::timeout(time, work)
        .await
        .unwrap_or_else(|_| Err(late()))
}

/// Seconds, or a date.
fn retry_after(answer: &Response, now: SystemTime) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .ok(),
    }
}

fn blocked(host: &str) -> FetchError {
    FetchError::Blocked(format!(
        "{host} is not a public address, and this service reaches no others for callers"
    ))
}

/// What the resolver said, if it was the resolver.
fn barred(error: &reqwest::Error) -> Option<&Barred> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(barred) = error.downcast_ref() {
            return Some(barred);
        }
        cause = error.source();
    }
    None
}

/// The innermost cause: the outer ones repeat the address.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
