//! Pictures as objects in a bucket, for the distributed service: Amazon's S3, SeaweedFS and others of its kind.
//! Addresses are in path style, because few servers but Amazon's have a name for each bucket. What must stay true: an
//! object is only ever created (`If-None-Match: *`), and a put whose answer was lost recognises its own object.

mod connection;
mod https;
mod keys;
mod parts;
mod refusal;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, StreamExt as _};
use uuid::Uuid;

use super::{Announced, Images, Kept, Reading, SignedUrl, check_key, check_size};
use crate::error::{Error, Result};
pub use connection::Settings;
use connection::{check_endpoint, client};
pub use keys::Keys;
use refusal::{Reason, Refusal};

/// Probes come every few seconds and are not tried twice.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// Two who create one name at once may both be told to come again.
const CONFLICTS: u32 = 5;
/// Larger objects are sent in parts.
const LARGEST_WHOLE: usize = 16 * 1024 * 1024;
/// Names the put that made an object, so that it knows its own.
const WRITER: &str = "writer";

/// A bucket of pictures.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    /// Signs addresses as callers outside see them.
    signer: Client,
    bucket: String,
    /// For errors: `bucket … at …`.
    place: String,
}

impl S3 {
    /// Gets ready to talk to the server; asks it nothing yet, so that services may start before it.
    ///
    /// # Errors
    /// `Setting` when an address cannot be read.
    pub fn open(settings: Settings) -> Result<Self> {
        for (setting, url) in [
            ("S3_ENDPOINT", &settings.endpoint),
            ("S3_PUBLIC_ENDPOINT", &settings.public_endpoint),
        ] {
            check_endpoint(setting, url.as_deref())?;
        }
        let at = settings
            .endpoint
            .clone()
            .unwrap_or_else(|| format!("Amazon in {}", settings.region));
        let outside = settings.public_endpoint.clone();
        Ok(S3 {
            client: client(&settings, settings.endpoint.clone()),
            signer: client(&settings, outside.or(settings.endpoint.clone())),
            place: format!("bucket `{}` at {at}", settings.bucket),
            bucket: settings.bucket,
        })
    }

    /// Makes the bucket unless it is there. Tests and first starts call it.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn make_bucket(&self) -> Result<()> {
        let made = self
            .client
            .create_bucket()
            .bucket(&self.bucket)
            .send()
            .await;
        match made.map_err(Refusal::of) {
            Err(refusal) if refusal.reason() != Reason::Taken => {
                Err(self.trouble("make the bucket", refusal))
            }
            _ => Ok(()),
        }
    }

    async fn keep(&self, key: &str, bytes: Bytes) -> Result<()> {
        let doing = "keep a picture";
        let writer = Uuid::new_v4().to_string();
        for conflict in 0..CONFLICTS {
            let sent = if bytes.len() > LARGEST_WHOLE {
                self.put_in_parts(key, &writer, bytes.clone()).await
            } else {
                self.put_whole(key, &writer, bytes.clone()).await
            };
            let Err(refusal) = sent else { return Ok(()) };
            match refusal.reason() {
                Reason::Taken => {
                    let by = self.is_by(key, &writer).await;
                    let own = by.map_err(|refusal| self.trouble(doing, refusal))?;
                    let key = key.to_owned();
                    return if own {
                        Ok(())
                    } else {
                        Err(Error::Exists { key })
                    };
                }
                Reason::Conflict => {
                    tokio::time::sleep(Duration::from_millis(50 << conflict)).await;
                }
                _ => return Err(self.trouble(doing, refusal)),
            }
        }
        Err(self.trouble(doing, Refusal::other("too many others write the same name")))
    }

    async fn put_whole(&self, key: &str, writer: &str, bytes: Bytes) -> Result<(), Refusal> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .if_none_match("*")
            .metadata(WRITER, writer)
            .content_type(media_type(key))
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map(drop)
            .map_err(Refusal::of)
    }

    /// Whether the object under `key` was made by this very put: its first try got through, its answer did not.
    async fn is_by(&self, key: &str, writer: &str) -> Result<bool, Refusal> {
        let head = self.client.head_object().bucket(&self.bucket).key(key);
        match head.send().await.map_err(Refusal::of) {
            Ok(head) => {
                let by = head.metadata().and_then(|about| about.get(WRITER));
                Ok(by.is_some_and(|by| by == writer))
            }
            // deleted since
            Err(refusal) if refusal.reason() == Reason::Missing => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    async fn read(&self, key: &str) -> Result<Reading> {
        let doing = "read a picture";
        let asked = self.client.get_object().bucket(&self.bucket).key(key);
        let object = match asked.send().await.map_err(Refusal::of) {
            Ok(object) => object,
            Err(refusal) if refusal.reason() == Reason::Missing => {
                return Err(Error::Missing {
                    key: key.to_owned(),
                });
            }
            Err(refusal) => return Err(self.trouble(doing, refusal)),
        };
        let bytes = object.content_length().unwrap_or(0).unsigned_abs();
        check_size(key, bytes)?;
        let store = self.clone();
        let key = key.to_owned();
        let chunks = stream::try_unfold((object.body, bytes), move |(mut body, left)| {
            let (store, key) = (store.clone(), key.clone());
            async move {
                let broken = |said: String| {
                    let what = format!("`{key}` ends {left} bytes early: {said}");
                    Err(store.trouble(doing, Refusal::other(&what)))
                };
                match body.try_next().await {
                    Ok(Some(chunk)) if chunk.len() as u64 <= left => {
                        let left = left - chunk.len() as u64;
                        Ok(Some((chunk, (body, left))))
                    }
                    Ok(Some(_)) => broken("more came than was announced".to_owned()),
                    Ok(None) if left == 0 => Ok(None),
                    Ok(None) => broken("the server stopped".to_owned()),
                    Err(error) => broken(error.to_string()),
                }
            }
        });
        Ok(Reading {
            bytes,
            chunks: chunks.boxed(),
        })
    }

    /// What the caller is told: which bucket where, what it said, what to do.
    fn trouble(&self, doing: &'static str, refusal: Refusal) -> Error {
        Error::Unavailable {
            place: "the picture store",
            doing,
            cause: format!("{}: {refusal}", self.place).into(),
        }
    }
}

impl Images for S3 {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<()>> {
        async move {
            check_key(key)?;
            check_size(key, bytes.len() as u64)?;
            self.keep(key, bytes).await
        }
        .boxed()
    }

    fn open<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Reading>> {
        async move {
            check_key(key)?;
            self.read(key).await
        }
        .boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            check_key(key)?;
            let deleted = self.client.delete_object().bucket(&self.bucket).key(key);
            match deleted.send().await.map_err(Refusal::of) {
                Err(refusal) if refusal.reason() != Reason::Missing => {
                    Err(self.trouble("remove a picture", refusal))
                }
                _ => Ok(()),
            }
        }
        .boxed()
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Kept>>> {
        async move {
            let page = self.client.list_objects_v2().bucket(&self.bucket);
            let page = page
                .prefix(prefix)
                .set_start_after(after.map(str::to_owned));
            let page = page.send().await;
            let page =
                page.map_err(|error| self.trouble("list the pictures", Refusal::of(error)))?;
            let kept = page.contents().iter().filter_map(|object| {
                let at = (*object.last_modified()?).try_into().ok()?;
                Some(Kept {
                    key: object.key()?.to_owned(),
                    at,
                })
            });
            Ok(kept.collect())
        }
        .boxed()
    }

    fn clear_unfinished<'a>(
        &'a self,
        prefix: &'a str,
        age: Duration,
    ) -> BoxFuture<'a, Result<usize>> {
        self.abort_older(prefix, age).boxed()
    }

    /// Asks for the bucket: server, name and keys must be right for it.
    fn ping(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            let once = aws_sdk_s3::config::Builder::new()
                .retry_config(RetryConfig::disabled())
                .timeout_config(
                    TimeoutConfig::builder()
                        .operation_timeout(PING_TIMEOUT)
                        .build(),
                );
            let head = self.client.head_bucket().bucket(&self.bucket).customize();
            let answer = head.config_override(once).send().await;
            answer
                .map(drop)
                .map_err(|error| self.trouble("see whether it answers", Refusal::of(error)))
        }
        .boxed()
    }

    fn upload_url<'a>(
        &'a self,
        key: &'a str,
        announced: Announced<'a>,
        valid: Duration,
    ) -> BoxFuture<'a, Result<Option<SignedUrl>>> {
        async move {
            check_key(key)?;
            check_size(key, announced.bytes)?;
            let put = self.signer.put_object().bucket(&self.bucket).key(key);
            let put = put
                .if_none_match("*")
                .content_type(announced.media_type)
                .content_length(i64::try_from(announced.bytes).unwrap_or(i64::MAX));
            let signed = put.presigned(validity(valid)?).await;
            let signed =
                signed.map_err(|error| self.trouble("sign an address", Refusal::of(error)))?;
            let headers = signed
                .headers()
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            Ok(Some(SignedUrl {
                method: "PUT",
                url: signed.uri().to_owned(),
                headers: headers.collect(),
            }))
        }
        .boxed()
    }
}

fn validity(valid: Duration) -> Result<PresigningConfig> {
    PresigningConfig::expires_in(valid)
        .map_err(|error| Error::unexpected("sign an address for so long", error))
}

fn media_type(key: &str) -> &'static str {
    match key.rsplit_once('.') {
        Some((_, "jpg")) => "image/jpeg",
        Some((_, "png")) => "image/png",
        Some((_, "webp")) => "image/webp",
        Some((_, "gif")) => "image/gif",
        _ => "application/octet-stream",
    }
}
