//! What every recipe is told: sizes, batches, precision, device and course.
//! The trainers take it together with what is theirs alone, and write all of it into their checkpoints.

use serde_json::Value;
use tch::{Device, Kind};

use crate::course::Course;
use crate::order::Grouping;

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Size of a word's vector.
    pub dim_word: i64,
    /// Size of the states, of a sentence's vector, of the joint space.
    pub dim: i64,
    /// Examples an update.
    pub batch: usize,
    /// How examples come together.
    pub grouping: Grouping,
    /// The share of what a network is shown that is dropped in training; never with the original's costs of texts.
    pub dropout: f64,
    /// What the matrix products are computed in; weights and optimiser stay in f32.
    pub kind: Kind,
    /// Where to compute.
    pub device: Device,
    /// Rate, optimiser, length and seed.
    pub course: Course,
}

impl Settings {
    /// All that decides the outcome, for the checkpoint: these settings and what a recipe adds to them.
    pub(crate) fn recipe(&self, own: Value) -> Value {
        let mut recipe = serde_json::json!({
            "course": self.course, "dim_word": self.dim_word, "dim": self.dim, "batch": self.batch,
            "grouping": self.grouping, "dropout": self.dropout, "kind": format!("{:?}", self.kind),
            "device": format!("{:?}", self.device),
        });
        if let (Some(all), Value::Object(own)) = (recipe.as_object_mut(), own) {
            all.extend(own);
        }
        recipe
    }
}
