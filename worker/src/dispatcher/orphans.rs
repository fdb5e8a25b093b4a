//! Pictures that no job has: left by a submit that never reached its row, by a delete that failed, or by a caller who sent
//! one to the store and never asked for its story. The dispatcher's chores call [`tidy`]. What must stay true: only a picture is deleted that this database's own service
//! has put, that is older than any submit takes, that no job had for the whole time in the trash, and that is one of
//! few: a database that knows little of what is there is more likely a wrong or an old one than right.

use std::time::{Duration, SystemTime};

use jobs::Store;
use operation::metrics::METRICS;
use pictures::Images;
use pictures::images::{Deployment, Moved};
use uuid::Uuid;

use super::tenancy::{Error, Tenancy, sign};

/// Names noted in one sweep; those beyond are found by a later one.
const MOST_AT_ONCE: usize = 10_000;

/// When a picture without a job goes.
#[derive(Clone, Copy, Debug)]
pub struct Tidying {
    /// Younger ones are not looked at: a submit may be under way.
    pub age: Duration,
    /// How long it lies in the trash, where it can still be had.
    pub in_trash: Duration,
    /// Nothing is done if more than this share of the pictures, 0 to 1, have no job.
    pub most: f64,
}

impl Default for Tidying {
    /// An hour, because no submit takes as long between its picture and its row; a week, because by then somebody has
    /// noticed that stories are missing; and one in ten.
    fn default() -> Self {
        Tidying {
            age: Duration::from_secs(3600),
            in_trash: Duration::from_secs(7 * 24 * 3600),
            most: 0.1,
        }
    }
}

/// What a sweep has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Whether this place was met for the first time: then nothing is deleted.
    pub moved_in: bool,
    /// Whether a copy of the database has been at work here: then nothing is deleted.
    pub disputed: bool,
    /// Pictures looked at.
    pub looked_at: usize,
    /// Pictures without a job.
    pub orphans: usize,
    /// Whether they were too many to be believed: then nothing is deleted.
    pub refused: bool,
    /// Those that were deleted.
    pub deleted: usize,
    /// Uploads that were deleted, because no story was asked for while there was time.
    pub abandoned: usize,
    /// Half-written ones that were removed.
    pub unfinished: usize,
}

/// Puts the pictures that no job has into the trash, deletes those that were there for long, and removes what was never
/// finished.
///
/// # Errors
/// When the store or the pictures cannot be reached; what was deleted until then stays deleted.
pub async fn tidy(store: &Store, images: &dyn Images, tidying: Tidying) -> Result<Tidied, Error> {
    let deployment = Deployment(store.deployment().await?);
    let mut tidied = Tidied::default();
    let moved = deployment.move_in(images).await?;
    let tenancy = sign(store, images, deployment).await?;
    if tenancy == Tenancy::Disputed {
        tracing::error!(
            deployment = %deployment.0,
            "a copy of this database is or was at work on the same pictures, so none is deleted: give the copy a bucket \
             of its own, then see \"A copy of the database\" in docs/backup.md"
        );
        tidied.disputed = true;
        return Ok(tidied);
    }
    if moved == Moved::In || tenancy == Tenancy::First {
        tracing::info!("this database meets these pictures for the first time; none is deleted");
        tidied.moved_in = true;
        return Ok(tidied);
    }
    tidied.abandoned = delete_uploads(images, deployment, tidying.age).await?;
    let found = find(store, images, deployment, tidying.age).await?;
    (tidied.looked_at, tidied.orphans) = (found.looked_at, found.orphans);
    METRICS.orphans.set(tidied.orphans as f64);
    if tidied.orphans as f64 > tidying.most * tidied.looked_at as f64 {
        tracing::error!(
            orphans = tidied.orphans,
            pictures = tidied.looked_at,
            most = tidying.most,
            "so many pictures without a job are not deleted: is this the right database, and is it whole? \
             If so, raise --orphan-share"
        );
        tidied.refused = true;
        return Ok(tidied);
    }
    for key in store.trash(&found.noted, tidying.in_trash).await? {
        tracing::info!(key, "a picture that no job has is deleted");
        images.delete(&key).await?;
        store.emptied(&key).await?;
        tidied.deleted += 1;
    }
    let prefix = deployment.prefix();
    tidied.unfinished = images.clear_unfinished(&prefix, tidying.age).await?;
    Ok(tidied)
}

/// Deletes the uploads that are older than `age`. They need no trash: whoever sent one has it, and its time was told.
async fn delete_uploads(
    images: &dyn Images,
    deployment: Deployment,
    age: Duration,
) -> Result<usize, Error> {
    let (prefix, now) = (deployment.uploads(), SystemTime::now());
    let (mut deleted, mut after) = (0, None::<String>);
    loop {
        let page = images.list(&prefix, after.as_deref()).await?;
        let Some(last) = page.last() else {
            return Ok(deleted);
        };
        after = Some(last.key.clone());
        for upload in page {
            if now.duration_since(upload.at).unwrap_or_default() > age {
                images.delete(&upload.key).await?;
                deleted += 1;
            }
        }
    }
}

/// The pictures that no job has.
#[derive(Default)]
struct Found {
    looked_at: usize,
    /// All of them.
    orphans: usize,
    /// The names of as many as are noted at once.
    noted: Vec<String>,
}

/// The pictures of this deployment that no job has.
async fn find(
    store: &Store,
    images: &dyn Images,
    deployment: Deployment,
    age: Duration,
) -> Result<Found, Error> {
    let prefix = deployment.prefix();
    let mut found = Found::default();
    let mut after: Option<String> = None;
    loop {
        let page = images.list(&prefix, after.as_deref()).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = Some(last.key.clone());
        let now = SystemTime::now();
        let old: Vec<(Uuid, String)> = page
            .into_iter()
            .filter_map(|kept| Some((deployment.job_of(&kept.key)?, kept)))
            .inspect(|_| found.looked_at += 1)
            .filter(|(_, kept)| now.duration_since(kept.at).unwrap_or_default() > age)
            .map(|(job, kept)| (job, kept.key))
            .collect();
        let orphans = store.without_a_job(&old).await?;
        found.orphans += orphans.len();
        let room = MOST_AT_ONCE.saturating_sub(found.noted.len());
        found.noted.extend(orphans.into_iter().take(room));
    }
}
