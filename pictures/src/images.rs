//! Where pictures are kept, behind one seam: a directory in one process, an object store when the service is
//! distributed. The API puts and reads, the worker reads, the sweep of orphans lists. What must stay true: a picture
//! is whole or not there, it is never overwritten, and no name reaches outside the store.

mod deployment;
mod directory;
mod options;
mod probing;
mod s3;

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use futures_util::stream::{BoxStream, StreamExt as _};

pub use deployment::{DISPUTED, Deployment, Moved};
pub use directory::Directory;
pub use options::ImageOptions;
pub use probing::{Tenants, probe};
pub use s3::{Keys as S3Keys, S3, Settings as S3Settings};

use crate::error::{Error, Result};

/// Longer names meet limits of file systems.
const LONGEST_KEY: usize = 128;
/// Three times what the API takes as it is set up: whatever is larger was not put here by us.
pub const LARGEST: u64 = 64 * 1024 * 1024;

/// A picture on its way out of the store.
pub struct Reading {
    /// How many bytes there are.
    pub bytes: u64,
    /// The bytes in order. It ends with `Unavailable` if the store stops in the middle.
    pub chunks: BoxStream<'static, Result<Bytes>>,
}

/// An entry of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The name.
    pub key: String,
    /// When it was put.
    pub at: SystemTime,
}

/// What is going to be put to a signed address: nothing else is taken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced<'a> {
    /// Its media type, such as `image/jpeg`.
    pub media_type: &'a str,
    /// How many bytes it has.
    pub bytes: u64,
}

/// An address to which anybody may put one picture for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    /// The method to ask with.
    pub method: &'static str,
    /// The address; whoever has it may use it until it expires.
    pub url: String,
    /// Headers that must be sent along, because they are signed as well.
    pub headers: Vec<(String, String)>,
}

/// A place for pictures.
pub trait Images: Send + Sync {
    /// Keeps the bytes under a new name; once it returns they survive a crash.
    ///
    /// Fails with `Exists` if the name is taken, `Key` if it is none, `TooLarge` above [`LARGEST`],
    /// `Unavailable` otherwise; then it may or may not be kept.
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<()>>;

    /// The bytes kept under a name, as they come. Fails with `Missing`, `Key`, `TooLarge` or
    /// `Unavailable`.
    fn open<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Reading>>;

    /// The bytes kept under a name. Fails as [`Images::open`] and the stream that it answers with.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Bytes>> {
        async move { self.open(key).await?.to_end().await }.boxed()
    }

    /// Forgets a name; whether it was there makes no difference. Fails with `Key` or `Unavailable`.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>>;

    /// The next names after `after` of those that begin with `prefix`, in an order of the store's own; none at the
    /// end. Fails with `Unavailable`.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Kept>>>;

    /// Removes what was begun under a name with this beginning and not finished for longer than `age`; answers how many.
    /// Fails with `Unavailable`.
    fn clear_unfinished<'a>(
        &'a self,
        prefix: &'a str,
        age: Duration,
    ) -> BoxFuture<'a, Result<usize>>;

    /// Whether pictures can be reached now. Fails with `Unavailable`.
    fn ping(&self) -> BoxFuture<'_, Result<()>>;

    /// An address to which the picture that is announced can be put under this name, once, within `valid`; none if the
    /// store has no addresses. Fails with `Key`.
    fn upload_url<'a>(
        &'a self,
        key: &'a str,
        announced: Announced<'a>,
        valid: Duration,
    ) -> BoxFuture<'a, Result<Option<SignedUrl>>> {
        let _ = (key, announced, valid);
        ready(Ok(None)).boxed()
    }
}

impl Reading {
    /// All bytes that there are.
    ///
    /// # Errors
    /// `Unavailable` if the store stops in the middle.
    pub async fn to_end(mut self) -> Result<Bytes> {
        // at most LARGEST, which every store checks when it opens
        let mut bytes = BytesMut::with_capacity(usize::try_from(self.bytes).unwrap_or(0));
        while let Some(chunk) = self.chunks.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes.freeze())
    }
}

/// Every store checks names with this before it uses them.
fn check_key(key: &str) -> Result<()> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if key.is_empty()
        || key.len() > LONGEST_KEY
        || key.starts_with('.')
        || !key.bytes().all(allowed)
    {
        return Err(Error::Key {
            key: key.chars().take(LONGEST_KEY).collect(),
        });
    }
    Ok(())
}

/// Every store checks sizes with this before it writes and before it reads.
fn check_size(key: &str, bytes: u64) -> Result<()> {
    if bytes > LARGEST {
        return Err(Error::TooLarge {
            key: key.to_owned(),
            bytes,
            most: LARGEST,
        });
    }
    Ok(())
}
