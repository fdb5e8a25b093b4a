//! Why a story is the one it is: what the worker writes down beside it and callers are shown.
//! Rows outlive versions: a field that an older worker did not write is empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Where the thought of a story came from, and where the style moved it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({
    "captions": [{"text": "A woman stands on the beach .", "similarity": 0.61, "reasons": {"joint": 0.61, "agreement": 0.08}}],
    "words": ["sea", "quiet"],
    "before": [{"text": "A woman by the water .", "similarity": 0.72}],
    "after": [{"text": "A woman dreams of the water .", "similarity": 0.55}],
    "styles": [{"name": "romance", "before": 0.12, "after": 0.58}],
    "map": [{"kind": "before", "label": "", "x": -0.4, "y": 0.1}, {"kind": "style", "label": "romance", "x": 0.8, "y": 0.3}]
}))]
pub struct Explanation {
    /// The captions it was told from, the nearest first, and what each was chosen for; the first twenty.
    pub captions: Vec<ChosenCaption>,
    /// The words that were read out of the shifted thought and told to the decoder.
    pub words: Vec<String>,
    /// Captions of the gallery nearest to the thought before the style moved it; −1 to 1.
    pub before: Vec<UsedCaption>,
    /// The same after it.
    pub after: Vec<UsedCaption>,
    /// How near the thought is to what makes each style, before and after.
    pub styles: Vec<StyleShift>,
    /// All of these on the plane in which they differ most.
    pub map: Vec<MapPoint>,
}

/// A caption, and how near it is to a picture or a thought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = NearCaption, example = json!({"text": "A woman by the water .", "similarity": 0.72}))]
pub struct UsedCaption {
    /// The caption's words.
    pub text: String,
    /// How near it is, −1 to 1.
    #[serde(deserialize_with = "number_or_nothing")]
    pub similarity: f64,
}

/// What is no number is written as `null` in JSON: it must not keep a whole story from being read.
fn number_or_nothing<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A caption that was chosen for a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"text": "A woman stands on the beach .", "similarity": 0.61, "reasons": {"joint": 0.61, "agreement": 0.08}}))]
pub struct ChosenCaption {
    /// Its text.
    pub text: String,
    /// The cosine of the angle between picture and caption.
    pub similarity: f64,
    /// What it got, and gave up, for each reason: `joint` (near the picture), `recognised` and `detected` (near what the
    /// networks name in it), `hub` (near any picture: taken off), `objects` (names what is there), `agreement` (with the
    /// other good captions), `belief` (in the objects it names). Empty with the networks of 2015, which know the
    /// similarity only.
    pub reasons: BTreeMap<String, f64>,
}

/// What the shift did to the nearness of one style.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"name": "romance", "before": 0.12, "after": 0.58}))]
pub struct StyleShift {
    /// Its name.
    pub name: String,
    /// The cosine before the shift.
    pub before: f64,
    /// The cosine after it.
    pub after: f64,
}

/// Something on the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(example = json!({"kind": "style", "label": "romance", "x": 0.8, "y": 0.3}))]
pub struct MapPoint {
    /// `caption`, `style`, or the thought itself: `before` and `after` it was moved.
    pub kind: String,
    /// The caption's text or the style's name; empty for the thought.
    pub label: String,
    /// Across, −1 to 1.
    pub x: f64,
    /// Upwards, −1 to 1.
    pub y: f64,
}
