//! Where pictures are kept, behind one seam: a directory now, an object store when the service is distributed.
//! The API puts and gets, the worker gets. What must stay true: a picture is whole or not there, it is never
//! overwritten, and no name reaches outside the store.

mod directory;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use directory::Directory;

use crate::error::{Error, Result};

/// Longer names meet limits of file systems.
const LONGEST_KEY: usize = 128;

/// A place for pictures.
pub trait Images: Send + Sync {
    /// Keeps the bytes under a new name; once it returns they survive a crash.
    ///
    /// Fails with `ImageExists` if the name is taken, `ImageKey` if it is none, `Unavailable` otherwise.
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<()>>;

    /// The bytes kept under a name. Fails with `ImageMissing`, `ImageKey` or `Unavailable`.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Bytes>>;

    /// Forgets a name; whether it was there makes no difference. Fails with `ImageKey` or `Unavailable`.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Whether pictures can be kept now. Fails with `Unavailable`.
    fn ping(&self) -> BoxFuture<'_, Result<()>>;
}

/// The name under which the picture of a job is kept, such as `0193….jpg`.
pub fn key(job: Uuid, media_type: &str) -> String {
    let ending = match media_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        _ => "bin",
    };
    format!("{}.{ending}", job.simple())
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
        return Err(Error::ImageKey {
            key: key.chars().take(LONGEST_KEY).collect(),
        });
    }
    Ok(())
}
