//! Waiting with the caller: `?wait=n` of a poll and `Prefer: wait=n` of a submit (RFC 7240).
//! What must stay true: a wait ends at the latest after 60 s, at once when the job ends or the service stops,
//! and earlier if the caller says which version it has and there is a newer one.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IfNoneMatch};
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::etag;
use crate::feed::News;
use crate::seen::{Seen, see};
use crate::service::Service;

/// The header in which a submit says that it would rather wait.
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Longer waits run into the time limits of proxies.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// The wait of a query: nothing, or 0 to 60 seconds.
///
/// # Errors
/// `invalid_parameter` for anything else.
pub(crate) fn of_query(text: Option<&str>) -> Result<Duration> {
    let Some(text) = text else {
        return Ok(Duration::ZERO);
    };
    match text.parse::<u64>() {
        Ok(seconds) if seconds <= LONGEST.as_secs() => Ok(Duration::from_secs(seconds)),
        _ => Err(Error::field(
            "wait",
            format!("`wait` is 0 to {} seconds", LONGEST.as_secs()),
        )),
    }
}

/// The wait of a `Prefer` header: a preference, so one that makes no sense is ignored and a long one cut.
pub fn preferred(request: &HttpRequest) -> Option<Duration> {
    request
        .headers()
        .get_all(PREFER)
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split([',', ';']))
        .filter_map(|preference| preference.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, seconds)| seconds.trim().trim_matches('"').parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST))
}

/// The job as it stands when it has ended, when it is no longer the version `known`, or when `patience` is over.
///
/// # Errors
/// `not_found`, or `unavailable` when the database is away.
pub(crate) async fn for_change(
    service: &Service,
    id: Uuid,
    patience: Duration,
    known: Option<&IfNoneMatch>,
) -> Result<Seen> {
    if patience.is_zero() {
        return see(service, id).await;
    }
    let until = Instant::now() + patience;
    // before the first look, or a change right after it would be missed
    let mut watch = service.feed.watch(id);
    loop {
        let seen = see(service, id).await?;
        let changed = known.is_some() && !etag::matches(known, &seen.tag);
        if seen.ended || changed || Instant::now() >= until {
            return Ok(seen);
        }
        // who does not say which version he has waits for the end
        let wanted = |news: &News| known.is_some() || news.standing.state.is_final();
        tokio::select! {
            _ = watch.until(wanted) => {}
            () = tokio::time::sleep_until(until) => {}
            () = service.shutdown.cancelled() => return Ok(seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_preference_is_cut_to_a_minute_and_nonsense_is_ignored() {
        let preferred_of = |header: &str| {
            preferred(
                &TestRequest::default()
                    .insert_header(("prefer", header))
                    .to_http_request(),
            )
        };
        assert_eq!(
            preferred_of("respond-async, wait=5"),
            Some(Duration::from_secs(5))
        );
        assert_eq!(preferred_of("wait=600"), Some(LONGEST));
        assert_eq!(preferred_of("wait=soon"), None);
        assert_eq!(preferred_of("return=minimal"), None);
    }

    #[test]
    fn a_query_waits_up_to_a_minute_and_no_longer() {
        assert_eq!(of_query(None).expect("nothing is no wait"), Duration::ZERO);
        assert_eq!(of_query(Some("60")).expect("a minute is allowed"), LONGEST);
        for wrong in ["61", "-1", "soon", ""] {
            assert!(of_query(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
