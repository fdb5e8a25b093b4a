//! Whose pictures they are: several services may keep theirs in one place, and one may come back with another database.
//! The API makes names with it, the sweep of orphans looks for no others. What must stay true: the names of one
//! deployment are never those of another, and of two copies of a database none goes on unnoticed with the other's pictures.

use std::collections::BTreeSet;

use bytes::Bytes;
use uuid::Uuid;

use super::Images;
use crate::error::{Error, Result};

/// What the names of marks and tokens begin with: no picture's name does.
pub(super) const MARK: &str = "deployment-";
/// A token that no database knows: whoever finds it has a copy at work beside him.
pub const DISPUTED: Uuid = Uuid::nil();

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

    /// The mark of the place, which also says whose a name of a token is.
    fn mark(&self) -> String {
        format!("{MARK}{}", self.0.simple())
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
        let mark = format!("{}.txt", self.mark());
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

    /// The tokens that lie here: what the databases with this id have left when they were last at work. A database and its
    /// copy have one id, but each soon has a token that the other does not know.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn tokens(&self, images: &dyn Images) -> Result<BTreeSet<Uuid>> {
        let prefix = format!("{}-", self.mark());
        // a handful, so the first page has them all
        let kept = images.list(&prefix, None).await?;
        let tokens = kept.iter().filter_map(|kept| {
            let name = kept.key.strip_prefix(&prefix)?.strip_suffix(".txt")?;
            Uuid::try_parse(name).ok()
        });
        Ok(tokens.collect())
    }

    /// Leaves a token.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn leave(&self, images: &dyn Images, token: Uuid) -> Result<()> {
        let text = Bytes::from_static(
            b"Whose chores were last done here. If a copy of the database was at work here too, see docs/backup.md.\n",
        );
        match images.put(&self.token(token), text).await {
            Ok(()) | Err(Error::Exists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes a token away.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn take_away(&self, images: &dyn Images, token: Uuid) -> Result<()> {
        images.delete(&self.token(token)).await
    }

    fn token(&self, token: Uuid) -> String {
        format!("{}-{}.txt", self.mark(), token.simple())
    }
}

/// The deployment that a mark or a token of this name was left by.
pub(super) fn left_by(key: &str) -> Option<Deployment> {
    let id = key.strip_prefix(MARK)?.get(..32)?;
    Uuid::try_parse(id).ok().map(Deployment)
}
