//! Whether these pictures are this database's alone: a copy of it, restored elsewhere, has its id and may have its bucket.
//! The chores that delete ask first. What must stay true: from the first chore that a copy does on, the next chore of
//! either sees it, and then neither deletes until somebody has taken the tokens away.

use std::collections::BTreeSet;

use jobs::Store;
use pictures::Images;
use pictures::images::{DISPUTED, Deployment};
use uuid::Uuid;

/// Why it could not be seen, or what was begun could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer.
    #[error(transparent)]
    Jobs(#[from] jobs::Error),
    /// The place for pictures did not.
    #[error(transparent)]
    Pictures(#[from] pictures::Error),
}

/// How a database stands to the pictures of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tenancy {
    /// Nobody has left a token: it is the first.
    First,
    /// Every token there is its own.
    Ours,
    /// Another copy is or was at work here.
    Disputed,
}

/// Looks, and changes nothing.
pub(super) async fn look(
    store: &Store,
    images: &dyn Images,
    deployment: Deployment,
) -> Result<Tenancy, Error> {
    let lying = deployment.tokens(images).await?;
    judge(store, &lying).await
}

/// What the tokens that lie there mean. What is known is asked after they were seen: one that was made in between is no
/// copy's.
async fn judge(store: &Store, lying: &BTreeSet<Uuid>) -> Result<Tenancy, Error> {
    if lying.is_empty() {
        return Ok(Tenancy::First);
    }
    let known = store.tokens().await?;
    let ours = lying.iter().all(|token| known.know(*token));
    Ok(if ours {
        Tenancy::Ours
    } else {
        Tenancy::Disputed
    })
}

/// Looks, and leaves a new token in the place of its own; if there is a copy's, one that tells the copy as well.
pub(super) async fn sign(
    store: &Store,
    images: &dyn Images,
    deployment: Deployment,
) -> Result<Tenancy, Error> {
    // asked before the place is looked at: a token made in between is somebody else's, and `next_token` sees that
    let known = store.tokens().await?;
    let lying = deployment.tokens(images).await?;
    let tenancy = judge(store, &lying).await?;
    if tenancy == Tenancy::Disputed {
        deployment.leave(images, DISPUTED).await?;
        return Ok(tenancy);
    }
    // written down before it is left: whoever dies in between still knows the one that lies there
    let Some(next) = store.next_token(known, lying.first().copied()).await? else {
        return Ok(Tenancy::First);
    };
    deployment.leave(images, next).await?;
    for token in lying {
        deployment.take_away(images, token).await?;
    }
    Ok(tenancy)
}
