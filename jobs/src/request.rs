//! What can be asked for: the fields of a story request, their defaults and their limits.
//! The API reads it from a form or JSON, the worker turns it into the networks' options. What must stay true:
//! a request that passes [`StoryRequest::validate`] can be told, but for a style nobody knows. A new field is added to
//! [`StoryRequest`], to its default and, if it has limits, to `validate`; the form, the JSON, the document and the views
//! follow by themselves.

mod events;
mod reading;
mod telling;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Styles in one mix: more than a handful cannot be told apart in the result.
const MOST_STYLES: usize = 8;
/// Style names end up in file names and URLs.
const LONGEST_STYLE_NAME: usize = 64;
/// Labels are for finding a job again, not for storing documents.
const MOST_METADATA: usize = 16;
const LONGEST_METADATA_KEY: usize = 64;
const LONGEST_METADATA_VALUE: usize = 512;
/// A minute, to be seen at all, and ten years of 365 days, in seconds.
const SHORTEST_KEEP: u32 = 60;
const LONGEST_KEEP: u32 = 10 * 365 * 24 * 3600;
/// The largest whole number that every JSON reader keeps exactly.
const LARGEST_SEED: u64 = (1 << 53) - 1;

/// What a story should be like: the one type behind the form and the JSON of a submit, the rows of the database, what
/// callers are shown, and the options of the program. Fields that are not given have the defaults of
/// [`StoryRequest::default`]. Rows outlive versions, so serde passes over fields that it does not know; a caller's are
/// refused by [`StoryRequest::read`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"style": "romance:0.7,adventure:0.3", "max_words": 150, "metadata": {"album": "2026"}}))]
pub struct StoryRequest {
    /// A style's name, or a mix such as `romance:0.7,adventure:0.3`.
    #[schema(default = "romance")]
    pub style: String,
    /// How far the thought is moved from captions towards the style: 0 not at all, 1 fully, at most 2.
    #[schema(default = 1.0, minimum = 0, maximum = 2)]
    pub style_strength: f64,
    /// Prose, or lyrics with a line for each clause.
    #[schema(default = "prose")]
    pub form: Form,
    /// How many beginnings a search keeps, or how many stories are drawn to choose from.
    #[schema(default = 50, minimum = 1, maximum = 100)]
    pub beam_width: u32,
    /// From how many captions the story is told.
    #[schema(default = 100, minimum = 1, maximum = 1000)]
    pub captions: u32,
    /// The most words it may have.
    #[schema(default = 120, minimum = 20, maximum = 400)]
    pub max_words: u32,
    /// Draw by chance and tell the best, or search for the likeliest. A language model draws sentence by sentence and takes
    /// the best of `beam_width`, at most twelve, and of a line of verse at most ten; the networks of 2015 draw `beam_width`
    /// whole stories. Settled at submit if not
    /// given: `compat=strict` always searches, others are drawn.
    #[schema(default = "sample")]
    pub mode: Option<Mode>,
    /// Drawing only: below 1 safer, above 1 wilder.
    #[schema(default = 0.8, minimum = 0.05, maximum = 2)]
    pub temperature: f64,
    /// Drawing only: among the likeliest words that together have this probability; above 0.
    #[schema(default = 0.92, maximum = 1)]
    pub top_p: f64,
    /// Drawing only: the same seed draws the same story.
    #[schema(default = 1)]
    pub seed: Option<u64>,
    /// Written for people, or exactly by the rules of the original of 2015 (then `max_words` does not count, and only
    /// `mode=beam` is possible).
    #[schema(default = "modern")]
    pub compat: Compat,
    /// How many stories of the picture are told, the best first.
    #[schema(default = 1, minimum = 1, maximum = 4)]
    pub count: u32,
    /// A story of this service to go on from: what is told begins where that one ends. Without a picture of its own it is
    /// told of that one's.
    #[serde(rename = "continue")]
    pub continues: Option<Uuid>,
    /// The caller's own labels: up to 16 texts.
    pub metadata: BTreeMap<String, String>,
    /// Not told at all if no worker has taken it by then.
    pub deadline: Option<DateTime<Utc>>,
    /// Higher is told earlier.
    #[schema(default = 0, minimum = 0, maximum = 9)]
    pub priority: u8,
    /// Told of the end of the story by Standard Webhooks: an https address.
    pub webhook_url: Option<String>,
    /// Of which ends it is told: `story.succeeded`, `story.failed`, `story.cancelled`, `story.expired`. All of them if none
    /// is named.
    #[serde(deserialize_with = "reading::names")]
    pub webhook_events: Vec<String>,
    /// For how many seconds the story is kept once it has ended, with its picture: then both are deleted. The service's own
    /// time if not given.
    #[schema(minimum = 60, maximum = 315_360_000)]
    pub keep_for: Option<u32>,
}

/// How the text is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FormName)]
pub enum Form {
    /// Running text.
    #[default]
    Prose,
    /// Lines of verse.
    Lyrics,
}

/// How words are chosen.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = ModeName)]
pub enum Mode {
    /// The best story that a beam search finds.
    #[default]
    Beam,
    /// Words drawn at random by their probability.
    Sample,
}

/// Whose rules a story follows.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = CompatName)]
pub enum Compat {
    /// Written for people: whole sentences, set as in a book, no phrase twice, the picture upright.
    #[default]
    Modern,
    /// The original's rules: the likeliest text, its bare tokens but the last, the picture as its pixels are stored.
    Strict,
}

/// A field that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field's name in the API.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` {}", self.field, self.message)
    }
}

impl std::error::Error for FieldProblem {}

impl FieldProblem {
    /// A problem with `field`; the message continues a sentence that starts with the field's name.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        FieldProblem {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl Default for StoryRequest {
    fn default() -> Self {
        StoryRequest {
            style: "romance".to_owned(),
            style_strength: 1.0,
            form: Form::default(),
            beam_width: 50,
            captions: 100,
            max_words: 120,
            mode: None,
            temperature: 0.6,
            top_p: 0.92,
            seed: None,
            compat: Compat::default(),
            count: 1,
            continues: None,
            metadata: BTreeMap::new(),
            deadline: None,
            priority: 0,
            webhook_url: None,
            webhook_events: Vec::new(),
            keep_for: None,
        }
    }
}

impl StoryRequest {
    /// The styles to mix with their shares, which add up to 1.
    ///
    /// # Errors
    /// As [`parse_style`].
    pub fn styles(&self) -> Result<Vec<(String, f64)>, FieldProblem> {
        parse_style(&self.style)
    }

    /// Their names alone.
    ///
    /// # Errors
    /// As [`parse_style`].
    pub fn style_names(&self) -> Result<Vec<String>, FieldProblem> {
        Ok(self.styles()?.into_iter().map(|(name, _)| name).collect())
    }

    /// Checks every field against its limits; whether the style is known is for the caller to ask.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn validate(&self) -> Result<(), FieldProblem> {
        self.styles()?;
        within("style_strength", self.style_strength, 0.0, 2.0)?;
        within("beam_width", self.beam_width, 1, 100)?;
        within("captions", self.captions, 1, 1000)?;
        within("max_words", self.max_words, 20, 400)?;
        within("count", self.count, 1, 4)?;
        within("temperature", self.temperature, 0.05, 2.0)?;
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(FieldProblem::new(
                "top_p",
                format!("is {}; it must be above 0 and at most 1", self.top_p),
            ));
        }
        within("seed", self.seed.unwrap_or(0), 0, LARGEST_SEED)?;
        within("priority", self.priority, 0, 9)?;
        if let Some(keep_for) = self.keep_for {
            within("keep_for", keep_for, SHORTEST_KEEP, LONGEST_KEEP)?;
        }
        events::check(self.webhook_url.as_deref(), &self.webhook_events)?;
        if self.compat == Compat::Strict && self.continues.is_some() {
            return Err(FieldProblem::new(
                "continue",
                "is given, but the original began every story anew; leave out `compat=strict`",
            ));
        }
        if self.compat == Compat::Strict && self.mode == Some(Mode::Sample) {
            return Err(FieldProblem::new(
                "compat",
                "is strict: the original searched for its stories; leave out `mode=sample`",
            ));
        }
        self.validate_metadata()
    }

    /// Fills in what depends on other fields, so that every attempt at the job tells the same story: strict stories are
    /// searched for, others are drawn unless a search is wanted.
    #[must_use]
    pub fn filled_in(mut self) -> Self {
        let mode = *self.mode.get_or_insert(match self.compat {
            Compat::Modern => Mode::Sample,
            Compat::Strict => Mode::Beam,
        });
        if mode == Mode::Sample {
            self.seed.get_or_insert(1);
        }
        self
    }

    fn validate_metadata(&self) -> Result<(), FieldProblem> {
        let problem = |message: String| Err(FieldProblem::new("metadata", message));
        if self.metadata.len() > MOST_METADATA {
            return problem(format!(
                "has {} labels; at most {MOST_METADATA} are kept",
                self.metadata.len()
            ));
        }
        for (key, value) in &self.metadata {
            if key.is_empty() || key.len() > LONGEST_METADATA_KEY {
                return problem(format!(
                    "has a label named `{key}`; names have 1 to {LONGEST_METADATA_KEY} bytes"
                ));
            }
            if value.len() > LONGEST_METADATA_VALUE {
                return problem(format!(
                    "has a value of {} bytes under `{key}`; at most {LONGEST_METADATA_VALUE} are kept",
                    value.len()
                ));
            }
            if key.contains('\0') || value.contains('\0') {
                return problem(
                    "has a label with a NUL character, which cannot be stored".to_owned(),
                );
            }
        }
        Ok(())
    }
}

fn within<T: PartialOrd + fmt::Display>(
    field: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), FieldProblem> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(FieldProblem::new(
        field,
        format!("is {value}; it must be between {least} and {most}"),
    ))
}

/// Reads a style or a mix of styles: `romance`, or `romance:0.7,adventure:0.3`. The shares are scaled so that
/// they add up to 1; a name without a share counts 1.
///
/// # Errors
/// When a name is empty, too long, given twice or has other characters than `a–z`, `0–9`, `_` and `-`; when a
/// share is no number above 0; when there are more than eight.
pub fn parse_style(text: &str) -> Result<Vec<(String, f64)>, FieldProblem> {
    let mut styles: Vec<(String, f64)> = Vec::new();
    for part in text.split(',') {
        let (name, share) = match part.split_once(':') {
            Some((name, share)) => (name.trim(), parse_share(name.trim(), share.trim())?),
            None => (part.trim(), 1.0),
        };
        check_style_name(name)?;
        if styles.iter().any(|(known, _)| known == name) {
            return Err(FieldProblem::new("style", format!("names `{name}` twice")));
        }
        styles.push((name.to_owned(), share));
    }
    if styles.len() > MOST_STYLES {
        return Err(FieldProblem::new(
            "style",
            format!(
                "mixes {} styles; at most {MOST_STYLES} can be mixed",
                styles.len()
            ),
        ));
    }
    let total: f64 = styles.iter().map(|(_, share)| share).sum();
    for (_, share) in &mut styles {
        *share /= total;
    }
    Ok(styles)
}

fn parse_share(name: &str, share: &str) -> Result<f64, FieldProblem> {
    match share.parse::<f64>() {
        // far smaller or larger shares would only lose precision when scaled
        Ok(share) if (1e-6..=1e6).contains(&share) => Ok(share),
        _ => Err(FieldProblem::new(
            "style",
            format!(
                "gives `{name}` the share `{share}`; a share is a number above 0, as in `romance:0.7,adventure:0.3`"
            ),
        )),
    }
}

fn check_style_name(name: &str) -> Result<(), FieldProblem> {
    if name.is_empty() {
        return Err(FieldProblem::new(
            "style",
            "has an empty name; give one such as `romance`",
        ));
    }
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
    };
    if name.len() > LONGEST_STYLE_NAME || !name.bytes().all(allowed) {
        let shown: String = name.chars().take(LONGEST_STYLE_NAME).collect();
        return Err(FieldProblem::new(
            "style",
            format!(
                "has the name `{shown}`; names are up to {LONGEST_STYLE_NAME} of a–z, 0–9, _ and -"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
