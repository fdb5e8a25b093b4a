//! Turns the texts of a form into a request for a story.
//! `submit.rs` calls it; what a number may be is decided in `jobs::request`, here only that it is one.
//! What must stay true: every problem names its field, and a field we do not know is never ignored.

use std::collections::BTreeMap;
use std::str::FromStr;

use jobs::request::{Compat, Form, Mode, StoryRequest};

use crate::error::{Error, Result};
use crate::nearest::nearest;

/// Every field of the form, as the OpenAPI document lists them.
pub(crate) const KNOWN: [&str; 18] = [
    "image",
    "image_url",
    "style",
    "style_strength",
    "form",
    "beam_width",
    "captions",
    "max_words",
    "mode",
    "temperature",
    "top_p",
    "seed",
    "compat",
    "metadata",
    "deadline",
    "priority",
    "webhook_url",
    "webhook_events",
];

/// The request that these fields describe.
///
/// # Errors
/// `invalid_parameter` naming the first field that is unknown, missing or not what it should be.
pub(crate) fn request_of(texts: &BTreeMap<String, String>) -> Result<StoryRequest> {
    let mut request = StoryRequest::default();
    for (field, text) in texts {
        read(&mut request, field, text.trim())?;
    }
    request.validate()?;
    Ok(request)
}

fn read(request: &mut StoryRequest, field: &str, text: &str) -> Result<()> {
    match field {
        "style" => request.style = text.to_owned(),
        "style_strength" => request.style_strength = number(field, text)?,
        "form" => {
            request.form = choice(
                field,
                text,
                &[("prose", Form::Prose), ("lyrics", Form::Lyrics)],
            )?;
        }
        "beam_width" => request.beam_width = whole(field, text)?,
        "captions" => request.captions = whole(field, text)?,
        "max_words" => request.max_words = whole(field, text)?,
        "mode" => {
            request.mode = Some(choice(
                field,
                text,
                &[("beam", Mode::Beam), ("sample", Mode::Sample)],
            )?);
        }
        "temperature" => request.temperature = number(field, text)?,
        "top_p" => request.top_p = number(field, text)?,
        "seed" => request.seed = Some(whole(field, text)?),
        "compat" => {
            request.compat = choice(
                field,
                text,
                &[("modern", Compat::Modern), ("strict", Compat::Strict)],
            )?;
        }
        "metadata" => request.metadata = labels(text)?,
        "deadline" => request.deadline = Some(moment(field, text)?),
        "priority" => request.priority = whole(field, text)?,
        "webhook_url" => request.webhook_url = Some(text.to_owned()),
        "webhook_events" => request.webhook_events = names(field, text)?,
        unknown => return Err(stranger(unknown)),
    }
    Ok(())
}

fn stranger(field: &str) -> Error {
    let meant = nearest(field, KNOWN).map_or_else(
        || format!("the fields are {}", KNOWN.join(", ")),
        |known| format!("did you mean `{known}`?"),
    );
    Error::field(field, format!("there is no field `{field}`; {meant}"))
}

fn number(field: &str, text: &str) -> Result<f64> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(Error::field(
            field,
            format!("`{field}` is a number such as 0.8, not `{}`", shown(text)),
        )),
    }
}

fn whole<T: FromStr>(field: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| {
        Error::field(
            field,
            format!(
                "`{field}` is a whole number such as 50, not `{}`",
                shown(text)
            ),
        )
    })
}

fn choice<T: Copy>(field: &str, text: &str, choices: &[(&str, T)]) -> Result<T> {
    if let Some((_, chosen)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*chosen);
    }
    let names: Vec<_> = choices
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    Err(Error::field(
        field,
        format!("`{field}` is {}, not `{}`", names.join(" or "), shown(text)),
    ))
}

fn labels(text: &str) -> Result<BTreeMap<String, String>> {
    serde_json::from_str(text).map_err(|error| {
        Error::field(
            "metadata",
            format!(
                "`metadata` is a JSON object of texts such as {{\"album\": \"2026\"}}: {error}"
            ),
        )
    })
}

/// Names separated by commas, or an array of them in JSON.
fn names(field: &str, text: &str) -> Result<Vec<String>> {
    if text.starts_with('[') {
        return serde_json::from_str(text)
            .map_err(|_| Error::field(field, format!("`{field}` is a list of names")));
    }
    Ok(text.split(',').map(|name| name.trim().to_owned()).collect())
}

fn moment(field: &str, text: &str) -> Result<chrono::DateTime<chrono::Utc>> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|moment| moment.to_utc())
        .map_err(|_| {
            Error::field(
                field,
                format!(
                    "`{field}` is a moment such as 2026-11-23T12:00:00Z, not `{}`",
                    shown(text)
                ),
            )
        })
}

/// What somebody typed, short enough for a sentence.
fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
