//! Styles that callers add: what one is made of, what comes of it, and how it stands.
//! The API takes drafts, a worker turns a draft into a vector, every worker tells in it. What must stay true: a style
//! belongs to the bundle it was made with, because its numbers mean nothing to another one.

use serde::Serialize;
use uuid::Uuid;

use crate::job::{JobError, Stage, State, StyleEntry};
use crate::key::Quota;

/// What is to become a style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StyleDraft {
    /// The name to ask for: small letters, digits and hyphens.
    pub name: String,
    /// What to expect, for people.
    pub description: String,
    /// Where the text is from.
    pub source: String,
    /// The text, without NUL characters.
    pub text: String,
}

/// A style that was made of a draft.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LearntStyle {
    /// The bundle whose encoder made it.
    pub bundle: String,
    /// How many passages it is the mean of.
    pub passages: u32,
    /// How many different ones the text has.
    pub found: u32,
    /// The share of the text's words that the bundle knows, in per cent.
    pub known: f64,
    /// The mean thought of the passages.
    #[serde(skip)]
    pub vector: Vec<f32>,
}

/// A style that a story can be told in although it is not in the bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct AddedStyle {
    /// The job that made it: another one of the same name has another job.
    pub job: Uuid,
    /// The name to ask for.
    pub name: String,
    /// The mean thought of its passages.
    pub vector: Vec<f32>,
}

/// An added style as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleStanding {
    /// Name and words for people; no passages until it is made.
    pub entry: StyleEntry,
    /// The state of the job that makes it.
    pub state: State,
    /// While it is made: how far that is.
    pub stage: Option<Stage>,
    /// Why it could not be made.
    pub error: Option<JobError>,
}

/// What became of a draft that was handed in.
#[derive(Clone, Debug, PartialEq)]
pub enum StyleSubmitted {
    /// It will become a style, or say why not.
    New(StyleStanding),
    /// The same text came under this name before.
    Same(StyleStanding),
    /// Another text has this name.
    Taken,
    /// Too many jobs are waiting.
    Full {
        /// How many wait, at least.
        queued: u32,
    },
    /// The caller has handed in as much as he may for now.
    OverQuota(Quota),
}
