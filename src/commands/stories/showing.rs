//! A story in words: a line of a list, all that is known of it, and why it is so.
//! `list`, `show`, `explain`, `gallery` and `dead-letters` print them. What must stay true: programs read `--json`; these words may change.

use api::view::{SharedStoryView, StoryView};
use jobs::Explanation;

/// Characters of a story in a list.
const BEGINNING: usize = 60;
/// Captions that are shown of a hundred.
const CAPTIONS: usize = 5;

/// One of many.
pub(super) fn line(job: &StoryView) -> String {
    let when = job.created_at.format("%Y-%m-%d %H:%MZ");
    let (state, style) = (job.state.name(), &job.request.style);
    let told = match (&job.result, &job.error, &job.stage) {
        (Some(result), ..) => beginning(&result.story),
        (None, Some(error), _) => beginning(&error.message),
        (None, None, Some(stage)) => stage.clone(),
        _ if job.data_removed => "removed".to_owned(),
        _ => String::new(),
    };
    let line = format!("{}  {when}  {state:<9}  {style:<12}  {told}", job.id);
    line.trim_end().to_owned()
}

/// All that is known.
pub(super) fn described(job: &StoryView) -> String {
    let mut lines = vec![format!("{}  {}", job.id, job.state)];
    let mut say = |what: &str, words: String| lines.push(format!("  {what:<9} {words}"));
    say("asked", job.created_at.to_rfc3339());
    if let Some(at) = job.finished_at {
        say("ended", at.to_rfc3339());
    }
    if let Some(position) = job.position {
        say("waits", place(position, job.eta_seconds));
    }
    if let Some(stage) = &job.stage {
        say("now", stage.clone());
    }
    say("style", job.request.style.clone());
    if let Some(image) = &job.image {
        let (width, height, kind) = (image.width, image.height, &image.media_type);
        say("picture", format!("{width} × {height}, {kind}"));
    }
    for (key, value) in &job.request.metadata {
        say("label", format!("{key}={value}"));
    }
    if job.shared {
        say("shared", "everybody may see it".to_owned());
    }
    if job.data_removed {
        say("removed", "picture and story were taken back".to_owned());
    }
    if let Some(result) = &job.result {
        say("told by", result.bundle.clone());
        for caption in result.captions.iter().take(CAPTIONS) {
            say(
                "sees",
                format!("{:.2} {}", caption.similarity, caption.text),
            );
        }
    }
    if let Some(error) = &job.error {
        say("error", format!("{}: {}", error.kind, error.message));
    }
    lines.extend(attempts(job).lines().map(str::to_owned));
    if let Some(result) = &job.result {
        lines.push(format!("\n{}", result.story));
        let others = result.others.iter();
        lines.extend(others.map(|other| format!("\nor:\n{other}")));
    }
    lines.join("\n")
}

/// Why a story is the one it is.
pub(super) fn explained(why: &Explanation) -> String {
    let mut lines = vec!["seen in the picture".to_owned()];
    for caption in why.captions.iter().take(CAPTIONS) {
        lines.push(format!("  {:.2} {}", caption.similarity, caption.text));
    }
    if !why.words.is_empty() {
        lines.push(format!("told from the words\n  {}", why.words.join(", ")));
    }
    let sides = [
        ("near its thought before the style", &why.before),
        ("after the style", &why.after),
    ];
    for (title, captions) in sides {
        if !captions.is_empty() {
            lines.push(title.to_owned());
        }
        let near = captions.iter().take(CAPTIONS);
        lines.extend(near.map(|near| format!("  {:.2} {}", near.similarity, near.text)));
    }
    if !why.styles.is_empty() {
        lines.push("nearness to the styles, before and after".to_owned());
    }
    for style in &why.styles {
        let (before, after) = (style.before, style.after);
        lines.push(format!("  {before:>5.2} {after:>5.2}  {}", style.name));
    }
    lines.join("\n")
}

/// Each attempt at it: a line each.
pub(crate) fn attempts(job: &StoryView) -> String {
    let mut lines = String::new();
    for attempt in job.history.iter().flatten() {
        let outcome = attempt.outcome.as_deref().unwrap_or("running");
        let error = attempt.error.as_ref().map_or("", |error| &error.message);
        let started = attempt.started_at.to_rfc3339();
        lines += format!("   {started}  {outcome}  {error}").trim_end();
        lines += "\n";
    }
    lines
}

/// A story that everybody may see.
pub(super) fn shared(story: &SharedStoryView) -> String {
    format!("{}  {}\n{}\n", story.id, story.style, story.story)
}

/// Where it waits.
pub(super) fn place(position: u64, eta: Option<u64>) -> String {
    match eta {
        Some(seconds) => format!("{position} before it, about {seconds} s"),
        None => format!("{position} before it"),
    }
}

fn beginning(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(BEGINNING) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}
