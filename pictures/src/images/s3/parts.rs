//! Large objects in parts: each can be sent again by itself, and none has to fit one request.
//! `s3.rs` sends what is above 16 MB this way. What must stay true: the object appears with the last step or not at
//! all, only if its name is free, and parts without an object are removed.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::refusal::{Reason, Refusal};
use super::{S3, WRITER, media_type};
use crate::error::Result;

/// S3 takes no smaller ones, but for the last.
const PART: usize = 8 * 1024 * 1024;
/// Parts on their way at once.
const AT_ONCE: usize = 3;

impl S3 {
    /// Creates an object from parts. Amazon lets one of two through who complete one name at the same moment;
    /// SeaweedFS 4.48 sometimes both. So the name is claimed first with an empty object, which every server
    /// creates once only, and which the sweep of orphans removes if its writer dies.
    pub(super) async fn put_in_parts(
        &self,
        key: &str,
        writer: &str,
        bytes: Bytes,
    ) -> Result<(), Refusal> {
        let claim = format!("{key}.claim");
        if let Err(refusal) = self.put_whole(&claim, writer, Bytes::new()).await {
            let own = refusal.reason() == Reason::Taken && self.is_by(&claim, writer).await?;
            if !own {
                return Err(refusal);
            }
        }
        let sent = self.upload(key, writer, bytes).await;
        let forgotten = self.client.delete_object().bucket(&self.bucket);
        if let Err(error) = forgotten.key(&claim).send().await {
            tracing::warn!(claim, cause = %Refusal::of(error), "a claim could not be removed yet");
        }
        sent
    }

    async fn upload(&self, key: &str, writer: &str, bytes: Bytes) -> Result<(), Refusal> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .metadata(WRITER, writer)
            .content_type(media_type(key))
            .send()
            .await
            .map_err(Refusal::of)?;
        let upload = begun
            .upload_id()
            .ok_or_else(|| Refusal::other("the server began an upload without an id"))?;
        let sent = self.send_parts(key, upload, bytes).await;
        if sent.is_err() {
            self.abort(key, upload).await;
        }
        sent
    }

    async fn send_parts(&self, key: &str, upload: &str, bytes: Bytes) -> Result<(), Refusal> {
        let starts = (0..bytes.len()).step_by(PART);
        let parts = (1..).zip(starts).map(|(number, start)| {
            let part = bytes.slice(start..bytes.len().min(start + PART));
            self.send_part(key, upload, number, part)
        });
        let parts: Vec<_> = stream::iter(parts).buffered(AT_ONCE).try_collect().await?;
        let whole = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        self.client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .if_none_match("*")
            .multipart_upload(whole)
            .send()
            .await
            .map(drop)
            .map_err(Refusal::of)
    }

    async fn send_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        part: Bytes,
    ) -> Result<CompletedPart, Refusal> {
        let sent = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .part_number(number)
            .body(ByteStream::from(part))
            .send()
            .await
            .map_err(Refusal::of)?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag().map(str::to_owned))
            .build())
    }

    /// What cannot be removed now is removed by [`S3::abort_older`] later.
    async fn abort(&self, key: &str, upload: &str) {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket);
        if let Err(error) = abort.key(key).upload_id(upload).send().await {
            tracing::warn!(key, cause = %Refusal::of(error), "the parts of a picture could not be removed yet");
        }
    }

    /// Removes parts of our pictures whose object never came.
    pub(super) async fn abort_older(&self, prefix: &str, age: Duration) -> Result<usize> {
        let doing = "remove parts of pictures";
        let uploads = self.client.list_multipart_uploads().bucket(&self.bucket);
        let uploads = uploads
            .prefix(prefix)
            .send()
            .await
            .map_err(|error| self.trouble(doing, Refusal::of(error)))?;
        let now = SystemTime::now();
        let mut removed = 0;
        for upload in uploads.uploads() {
            let begun = upload
                .initiated()
                .and_then(|at| SystemTime::try_from(*at).ok());
            // others may use the bucket as well, and not every server looks at what is asked for
            let ours = upload.key().is_some_and(|key| key.starts_with(prefix));
            let old =
                ours && begun.is_some_and(|at| now.duration_since(at).unwrap_or_default() > age);
            let (Some(key), Some(id), true) = (upload.key(), upload.upload_id(), old) else {
                continue;
            };
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket);
            match abort
                .key(key)
                .upload_id(id)
                .send()
                .await
                .map_err(Refusal::of)
            {
                Err(refusal) if refusal.reason() != Reason::Conflict => {
                    return Err(self.trouble(doing, refusal));
                }
                _ => removed += 1,
            }
        }
        Ok(removed)
    }
}
