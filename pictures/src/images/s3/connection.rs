//! The way to an S3 server: settings, client, and how long it is waited for.
//! `s3.rs` opens it. What must stay true: ring is the only TLS provider, and every request ends within its time.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Region, RequestChecksumCalculation, ResponseChecksumValidation};

use super::https::http_client;
use super::keys::Keys;
use crate::error::{Error, Result};

/// A server in the same network answers a connection in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the first byte of an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// One try of one request; 16 MB take as long on a slow line.
const TRY_TIMEOUT: Duration = Duration::from_secs(20);
/// All tries of one request: what an API caller waits for at most.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(45);
/// Requests are tried so often when the server is out of reach or overloaded.
const TRIES: u32 = 3;
/// Where the bucket is and who asks.
#[derive(Clone)]
pub struct Settings {
    /// The bucket; it must exist.
    pub bucket: String,
    /// The server; Amazon's of the region if none is given.
    pub endpoint: Option<String>,
    /// The server as callers outside reach it; the same if none is given.
    pub public_endpoint: Option<String>,
    /// What requests are signed for.
    pub region: String,
    /// Who asks.
    pub keys: Keys,
}

/// A client of the server at `endpoint`.
pub(super) fn client(settings: &Settings, endpoint: Option<String>) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(ANSWER_TIMEOUT)
        .operation_attempt_timeout(TRY_TIMEOUT)
        .operation_timeout(REQUEST_TIMEOUT);
    let mut config = aws_sdk_s3::Config::builder()
        .http_client(http_client())
        .credentials_provider(settings.keys.provider())
        .region(Region::new(settings.region.clone()))
        .force_path_style(true)
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
        .timeout_config(timeouts.build())
        // not every server knows them, and a picture's SHA-256 is compared by whoever reads it
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    config.set_endpoint_url(endpoint);
    Client::from_conf(config.build())
}

/// An address is looked at before anything starts.
pub(super) fn check_endpoint(setting: &'static str, url: Option<&str>) -> Result<()> {
    match url.map(url::Url::parse) {
        None => Ok(()),
        Some(Ok(url)) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        Some(_) => Err(Error::Setting {
            setting,
            reason: "is no address such as http://127.0.0.1:8333".to_owned(),
        }),
    }
}
