//! The styles that can be asked for, as the workers have registered them.
//! What must stay true: the API knows no styles of its own, so a request is refused only for what no worker can do.

use super::row::{failed, read, write};
use super::{Catalogue, Store};
use crate::error::Result;
use crate::job::StyleEntry;

impl Store {
    /// Makes these the styles that can be asked for; each worker does so when it starts.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn register_styles(&self, bundle: &str, styles: &[StyleEntry]) -> Result<()> {
        let doing = "register the styles of a bundle";
        sqlx::query!(
            "insert into bundles (bundle, styles, registered_at) values ($1, $2, clock_timestamp())
            on conflict (bundle) do update set styles = $2, registered_at = clock_timestamp()",
            bundle,
            write(doing, &styles)?,
        )
        .execute(&self.pool)
        .await
        .map_err(|error| failed(doing, error))?;
        Ok(())
    }

    /// The styles that can be asked for; none until a worker has registered.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn styles(&self) -> Result<Option<Catalogue>> {
        let row =
            sqlx::query!("select bundle, styles from bundles order by registered_at desc limit 1")
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| failed("read the styles", error))?;
        row.map(|row| {
            Ok(Catalogue {
                bundle: row.bundle,
                styles: read("read the styles of a bundle", row.styles)?,
            })
        })
        .transpose()
    }
}
