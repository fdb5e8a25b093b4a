//! Stories whose time is over are forgotten, with their pictures.
//! The dispatcher's chores call [`forget`] until nothing is left to do. What must stay true: the row goes first, so that no
//! story is shown without its picture; a picture that cannot be deleted now has no job and is found by the orphans' chore.

use jobs::{Forgotten, Store};
use operation::metrics::METRICS;
use pictures::Images;

/// Stories of one end forgotten in one step: a statement of some milliseconds.
const MOST: u32 = 500;

/// Forgets some of the stories whose time is over, and deletes their pictures.
///
/// # Errors
/// When the database does not answer.
pub async fn forget(store: &Store, images: &dyn Images) -> Result<Forgotten, jobs::Error> {
    let forgotten = store.forget_stories(MOST).await?;
    for (state, count) in &forgotten.stories {
        METRICS
            .forgotten
            .with_label_values(&[state.name()])
            .inc_by(*count);
    }
    for key in &forgotten.pictures {
        if let Err(cause) = images.delete(key).await {
            tracing::warn!(key, %cause, "the picture of a forgotten story could not be deleted yet");
        }
    }
    Ok(forgotten)
}
