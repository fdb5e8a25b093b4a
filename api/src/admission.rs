//! Whether a submit is let in: room in the queue, by number and by bytes, and a turn to send.
//! The submits ask before they read a body, and once more when they know the picture. What must stay true: nothing is read
//! or kept for a request that would be refused anyhow, and who asks again under his key is let in.

use actix_web::HttpRequest;
use jobs::{QueueLimit, Room};
use tokio::sync::SemaphorePermit;

use crate::callers::Caller;
use crate::error::{Error, Result};
use crate::repeated::{AtWork, idempotency_key};
use crate::service::Service;

/// Until the pace of the service is known, and at most.
pub(crate) const FIRST_RETRY: u64 = 2;
pub(crate) const LATEST_RETRY: u64 = 60;

/// A request that may go on.
pub(crate) struct Admitted<'a> {
    /// Its key.
    pub(crate) key: Option<String>,
    /// How many stories would be taken.
    pub(crate) left: u32,
    /// Of how many bytes their pictures may be together.
    pub(crate) room: u64,
    /// What tells others with this key to wait, until there is an answer.
    pub(crate) at_work: Option<AtWork>,
    /// The turns to send pictures.
    pub(crate) turns: SemaphorePermit<'a>,
}

/// Before anything of a request is read: whether there is room for it, and its turns to send pictures.
pub(crate) async fn admitted<'a>(
    request: &HttpRequest,
    service: &'a Service,
    caller: &Caller,
    turns: usize,
) -> Result<Admitted<'a>> {
    let key = idempotency_key(request)?;
    let begin = |key: &str| service.running.begin(caller.key_id(), key);
    let at_work = key.as_deref().map(begin).transpose()?;
    match caller.store.room(key.as_deref()).await? {
        Room::Full(limit) => Err(full(service, limit).await?),
        Room::For { stories, bytes } => Ok(Admitted {
            key,
            at_work,
            left: stories,
            room: bytes,
            turns: service.turns.uploads(turns).await?,
        }),
    }
}

/// The limit that a picture of so many bytes would break, when so many are left.
pub(crate) fn no_room(service: &Service, left: u64, bytes: u64) -> Option<QueueLimit> {
    (bytes > left).then(|| QueueLimit::Pictures {
        most: service.state.store.rules().max_queued_bytes,
        left,
    })
}

/// What is said when too much waits already; come back when a story of it has been told.
pub(crate) async fn full(service: &Service, limit: QueueLimit) -> Result<Error> {
    let pace = service.state.store.pace().await?;
    let retry_after = pace.map_or(FIRST_RETRY, |pace| pace.as_secs());
    Ok(Error::Full {
        limit,
        retry_after: retry_after.clamp(FIRST_RETRY, LATEST_RETRY),
    })
}
