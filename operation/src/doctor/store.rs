//! The place for pictures: whether something can be kept there, read and taken away, and whether it is this database's.
//! What must stay true: a bucket that another database filled is told from one that is new.

use std::path::Path;

use pictures::ImageOptions;
use pictures::images::{Deployment, Tenants, probe};
use uuid::Uuid;

use super::Finding;

const PART: &str = "pictures";

/// Tries the place that is asked for, `default` if none is; `deployment` is the database's id, if it has one.
pub async fn pictures(
    options: &ImageOptions,
    default: Option<&Path>,
    deployment: Option<Uuid>,
) -> Finding {
    let place = options.place(default);
    let images = match options.open(default.map(Path::to_owned)).await {
        Ok(images) => images,
        Err(error) => {
            let todo =
                "name a folder with --images, or a bucket with S3_BUCKET and what goes with it";
            return Finding::wrong(PART, error.to_string(), todo);
        }
    };
    let deployment = deployment.map(Deployment);
    match probe(images.as_ref(), deployment).await {
        Ok(tenants) => whose(&place, tenants, deployment.is_some()),
        Err(error) => {
            let todo = format!("see that this user may write to, read from and delete in {place}");
            Finding::wrong(PART, error.to_string(), todo)
        }
    }
}

fn whose(place: &str, tenants: Tenants, known: bool) -> Finding {
    let works = format!("{place}: kept, read and deleted a probe");
    match tenants {
        Tenants { disputed: true, .. } => Finding::wrong(
            PART,
            format!(
                "{works}; a copy of this database has been at work here, so no chore deletes anything"
            ),
            "give the copy a bucket or folder of its own, then see \"A copy of the database\" in docs/backup.md",
        ),
        Tenants { ours: true, .. } => Finding::ok(PART, format!("{works}; it is this database's")),
        Tenants { others: 0, .. } => Finding::ok(PART, format!("{works}; nobody's pictures yet")),
        Tenants { others, .. } if known => Finding::warning(
            PART,
            format!(
                "{works}; {others} other databases keep theirs here, and this one has none yet"
            ),
            "unless that is meant, compare DATABASE_URL and S3_BUCKET: after a restore the old pictures belong to the old database",
        ),
        Tenants { .. } => Finding::ok(PART, works),
    }
}
