//! Pictures that no job has: left by a submit that never reached its row, or by a delete that failed.
//! The dispatcher's chores call [`tidy`]. What must stay true: only a picture is deleted whose name is one of ours,
//! that is older than any submit takes, and whose job is not in the table or has another picture.

use std::time::{Duration, SystemTime};

use jobs::Store;
use pictures::Images;
use pictures::images::job_of;

/// Why pictures were not looked at to the end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer.
    #[error(transparent)]
    Jobs(#[from] jobs::Error),
    /// The place for pictures did not.
    #[error(transparent)]
    Pictures(#[from] pictures::Error),
}

/// What a sweep has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Pictures looked at.
    pub looked_at: usize,
    /// Pictures without a job that were deleted.
    pub orphans: usize,
    /// Half-written ones that were removed.
    pub unfinished: usize,
}

/// Deletes the pictures older than `age` that no job has, and what was never finished.
///
/// # Errors
/// When the store or the pictures cannot be reached; what was deleted until then stays deleted.
pub async fn tidy(store: &Store, images: &dyn Images, age: Duration) -> Result<Tidied, Error> {
    let mut tidied = Tidied::default();
    let mut after: Option<String> = None;
    loop {
        let page = images.list(after.as_deref()).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        tidied.looked_at += page.len();
        let now = SystemTime::now();
        let old: Vec<String> = page
            .into_iter()
            .filter(|kept| now.duration_since(kept.at).unwrap_or_default() > age)
            .filter(|kept| job_of(&kept.key).is_some())
            .map(|kept| kept.key)
            .collect();
        for key in store.without_a_job(&old).await? {
            tracing::info!(key, "a picture that no job has is deleted");
            images.delete(&key).await?;
            tidied.orphans += 1;
        }
    }
    tidied.unfinished = images.clear_unfinished(age).await?;
    Ok(tidied)
}
