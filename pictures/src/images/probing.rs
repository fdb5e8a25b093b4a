//! Whether a place for pictures does all that the service asks of it, found out by doing it: `storyteller doctor`.
//! What must stay true: what it puts there it takes away, and its name is nobody's picture.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use uuid::Uuid;

use super::deployment::{MARK, left_by};
use super::{DISPUTED, Deployment, ImageOptions, Images};
use crate::error::{Error, Result};

/// Names of probes begin so: no deployment's pictures do.
const PROBE: &str = "probe-";

/// Whose pictures are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tenants {
    /// Whether the deployment that was asked for has been here.
    pub ours: bool,
    /// Whether another copy of its database has been at work here, so that the chores of neither delete anything.
    pub disputed: bool,
    /// How many others have.
    pub others: usize,
}

/// Keeps something, reads it, takes it away, and looks whose pictures are there.
///
/// # Errors
/// As the step that failed.
pub async fn probe(images: &dyn Images, ours: Option<Deployment>) -> Result<Tenants> {
    images.ping().await?;
    let key = format!("{PROBE}{}.txt", Uuid::new_v4().simple());
    let bytes = Bytes::from_static(b"Whether pictures can be kept here.\n");
    images.put(&key, bytes.clone()).await?;
    let read = images.get(&key).await;
    images.delete(&key).await?;
    if read? != bytes {
        let what = "it answers with other bytes than it was given";
        return Err(Error::unexpected("read back what was kept", what));
    }
    let kept = images.list(MARK, None).await?;
    let mut found: BTreeSet<Uuid> = kept
        .iter()
        .filter_map(|kept| Some(left_by(&kept.key)?.0))
        .collect();
    let mut tenants = Tenants::default();
    if let Some(ours) = ours {
        tenants.ours = found.remove(&ours.0);
        tenants.disputed = ours.tokens(images).await?.contains(&DISPUTED);
    }
    tenants.others = found.len();
    Ok(tenants)
}

impl ImageOptions {
    /// Where that is, in words; `default` is the folder if none is asked for.
    pub fn place(&self, default: Option<&Path>) -> String {
        match (&self.s3_bucket, &self.s3_endpoint) {
            (Some(bucket), Some(endpoint)) => format!("bucket {bucket} at {endpoint}"),
            (Some(bucket), None) => format!("bucket {bucket} at Amazon in {}", self.s3_region),
            (None, _) => match self.images.as_deref().or(default) {
                Some(folder) => folder.display().to_string(),
                None => "nowhere".to_owned(),
            },
        }
    }
}
