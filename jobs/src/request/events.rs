//! Which ends of a story somebody may wish to be told of.
//! A request names them in `webhook_events`. What must stay true: names are what webhooks carry as their `type`, so they are
//! never changed.

use super::FieldProblem;

/// What can be told of a story: each end that a job can have. Of a batch its end is told, as `batch.finished`.
pub(super) const EVENTS: [&str; 4] = [
    "story.succeeded",
    "story.failed",
    "story.cancelled",
    "story.expired",
];

/// Checks a wish to hear of these events only.
///
/// # Errors
/// When there is no such event, or nobody to tell.
pub(super) fn check(url: Option<&str>, events: &[String]) -> Result<(), FieldProblem> {
    let problem = |message| Err(FieldProblem::new("webhook_events", message));
    if let Some(event) = events
        .iter()
        .find(|event| !EVENTS.contains(&event.as_str()))
    {
        let shown: String = event.chars().take(40).collect();
        return problem(format!(
            "names `{shown}`; the events are {}",
            EVENTS.join(", ")
        ));
    }
    if url.is_none() && !events.is_empty() {
        return problem(
            "says which ends to tell of, but `webhook_url` says not to whom".to_owned(),
        );
    }
    Ok(())
}
