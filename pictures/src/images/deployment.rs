//! Whose pictures they are: several services may keep theirs in one place, and one may come back with another database.
//! The API makes names with it, the sweep of orphans looks for no others. What must stay true: the names of one
//! deployment are never those of another.

use bytes::Bytes;
use uuid::Uuid;

use super::Images;
use crate::error::{Error, Result};

/// One service with its database, by the id that the database was given when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment(pub Uuid);

/// Whether a place for pictures had been a deployment's before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It has just been marked: whatever is in it, this database may not know of yet.
    In,
    /// It was marked already.
    Before,
}

impl Deployment {
    /// What the names of its pictures begin with.
    pub fn prefix(&self) -> String {
        format!("{}-", self.0.simple())
    }

    /// The name under which the picture of a job is kept, such as `9f3a…-0193….jpg`.
    pub fn key(&self, job: Uuid, media_type: &str) -> String {
        let ending = match media_type {
            "image/jpeg" => "jpg",
            "image/png" => "png",
            "image/webp" => "webp",
            "image/gif" => "gif",
            _ => "bin",
        };
        format!("{}{}.{ending}", self.prefix(), job.simple())
    }

    /// The job whose picture has this name; none if [`Deployment::key`] never made it.
    pub fn job_of(&self, key: &str) -> Option<Uuid> {
        let (id, _) = key.strip_prefix(&self.prefix())?.split_once('.')?;
        Uuid::try_parse(id).ok()
    }

    /// What the names of its uploads begin with: pictures that callers send to the store themselves.
    pub fn uploads(&self) -> String {
        format!("{}upload-", self.prefix())
    }

    /// The name under which an upload lies until its story is asked for. It has the owner in it, so that whoever else
    /// knows the id finds nothing, and no ending, so that it is the picture of no job.
    pub fn upload(&self, owner: Option<Uuid>, id: Uuid) -> String {
        let owner = owner.unwrap_or_default();
        format!("{}{}-{}", self.uploads(), owner.simple(), id.simple())
    }

    /// Marks the place as this deployment's unless it is marked already.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn move_in(&self, images: &dyn Images) -> Result<Moved> {
        let mark = format!("deployment-{}.txt", self.0.simple());
        match images.open(&mark).await {
            Ok(_) => return Ok(Moved::Before),
            Err(Error::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
        let text = Bytes::from_static(b"The pictures of this deployment are kept here.\n");
        match images.put(&mark, text).await {
            Ok(()) | Err(Error::Exists { .. }) => Ok(Moved::In),
            Err(error) => Err(error),
        }
    }
}
