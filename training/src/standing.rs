//! How far a course of training is.
//! `course` carries it on and tells it to who watches, `checkpoint` keeps it. What must stay true: with it and the parameters
//! a course that was interrupted goes on as if it had never been.

use serde::{Deserialize, Serialize};

/// How far a course is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Updates done.
    pub update: usize,
    /// Loss since the last report.
    pub loss: f64,
    /// Words (or pairs) since the last report.
    pub told: usize,
    /// The best measurement, if there is one.
    pub best: Option<f64>,
    /// Measurements since the best one.
    pub worse: usize,
}
