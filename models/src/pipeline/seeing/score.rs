//! The score of a caption for a picture: a sum of small named terms, each with its weight in the bundle.
//!
//! No term knows of another; leaving one out is a weight of 0, and what a caption got from each is told with it.

use serde::{Deserialize, Serialize};

/// What a caption is scored by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Term {
    /// The product of picture and caption in the joint space; the mean of several spaces.
    Joint,
    /// How near the caption is to the names of what the photo network recognises.
    Recognised,
    /// How near it is to the names of what the detector sees with more than usual strength.
    Detected,
    /// How near it is to whatever picture: captions that resemble everything are held back.
    Hub,
    /// What speaks for and against the objects that it names.
    Objects,
}

impl Term {
    /// All of them, in the order of [`Weights::of`] and [`Parts`].
    pub const ALL: [Self; 5] = [
        Self::Joint,
        Self::Recognised,
        Self::Detected,
        Self::Hub,
        Self::Objects,
    ];

    /// Its name in the bundle and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Joint => "joint",
            Self::Recognised => "recognised",
            Self::Detected => "detected",
            Self::Hub => "hub",
            Self::Objects => "objects",
        }
    }
}

/// How much each term counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Of [`Term::Joint`].
    pub joint: f64,
    /// Of [`Term::Recognised`].
    pub recognised: f64,
    /// Of [`Term::Detected`].
    pub detected: f64,
    /// Of [`Term::Hub`]: negative.
    pub hub: f64,
    /// Of [`Term::Objects`].
    pub objects: f64,
}

impl Weights {
    /// The weight of a term.
    pub fn of(&self, term: Term) -> f64 {
        match term {
            Term::Joint => self.joint,
            Term::Recognised => self.recognised,
            Term::Detected => self.detected,
            Term::Hub => self.hub,
            Term::Objects => self.objects,
        }
    }
}

/// The unweighted terms of all captions of a gallery for one picture.
#[derive(Debug)]
pub struct Parts(pub(super) [Vec<f32>; Term::ALL.len()]);

impl Parts {
    /// One term of all captions.
    pub fn of(&self, term: Term) -> &[f32] {
        let place = Term::ALL.iter().position(|&other| other == term);
        &self.0[place.expect("every term is in the list of all")]
    }

    /// The score of each caption.
    pub fn totals(&self, weights: &Weights) -> Vec<f32> {
        let mut totals = vec![0f64; self.0[0].len()];
        for (term, part) in Term::ALL.into_iter().zip(&self.0) {
            let weight = weights.of(term);
            for (total, &value) in totals.iter_mut().zip(part) {
                *total += weight * f64::from(value);
            }
        }
        totals.into_iter().map(|total| total as f32).collect()
    }

    /// What one caption got from each term, weights applied.
    pub fn why(&self, row: usize, weights: &Weights) -> Vec<(Term, f32)> {
        let each = Term::ALL.into_iter().zip(&self.0);
        each.map(|(term, part)| (term, (weights.of(term) * f64::from(part[row])) as f32))
            .collect()
    }
}
