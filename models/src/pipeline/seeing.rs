//! Seeing: from what two pairs of eyes find in a picture to the few captions that describe it best.
//!
//! Every caption gets a score of small named terms ([`score`]); the best hundred form a council that says what they agree
//! on ([`consensus`]) and which objects are there ([`objects`]); the captions nearest to both are told with why. All of it
//! is arithmetic on vectors: the sentence encoder and the eyes are asked by the caller.

pub mod consensus;
pub mod eyes;
pub mod mentions;
pub mod names;
pub mod objects;
pub mod part;
pub mod readings;
pub mod score;
pub mod squash;

use crate::error::{Error, Result};
use crate::networks::joint::Joint;
use crate::tensors::floats::floats;
use crate::tensors::unit_rows::unit_rows;
use crate::tensors::weights::Weights as Arrays;
use consensus::{Council, Member, first_of_each};
use mentions::Mentions;
use names::Names;
use objects::{Belief, Evidence};
use readings::Readings;
use score::{Parts, Term, Weights};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tch::{Kind, Tensor};

/// The numbers of the score: a part of `bundle.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// How much each term counts.
    pub weights: Weights,
    /// What scores of the detector say for and against named objects.
    pub evidence: Evidence,
    /// How much of what the photo network recognises counts when it is unsure; when it is sure, all does.
    pub unsure: f64,
    /// How many pictures tell how near a caption is to whatever picture.
    pub neighbours: i64,
    /// Who is asked for agreement.
    pub council: Council,
    /// What is believed to be there.
    pub belief: Belief,
}

/// What the eyes found in one picture, on the processor.
#[derive(Debug)]
pub struct Look {
    /// What the first photo network found.
    pub photo: PhotoLook,
    /// NanoDet's scores and means (592).
    pub nanodet: Tensor,
    /// What the second photo network found, where a bundle has one.
    pub beside: Option<PhotoLook>,
}

/// What a photo network found in one picture.
#[derive(Debug)]
pub struct PhotoLook {
    /// Its feature (1280).
    pub feature: Tensor,
    /// How likely each of its classes is (1000).
    pub likely: Tensor,
}

/// A caption found for a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its row in the gallery.
    pub row: usize,
    /// The product of the two unit vectors of the joint space.
    pub similarity: f32,
    /// What it got from each term, weights applied.
    pub why: Vec<(Term, f32)>,
    /// How well it agrees with the council.
    pub agreement: f32,
    /// What it gained or lost by the objects that it names.
    pub objects: f32,
}

/// All that turns a look into captions.
#[derive(Debug)]
pub struct Seeing {
    recipe: Recipe,
    joints: Vec<(Joint, Tensor)>,
    names: Names,
    mentions: Mentions,
    usual: Vec<f32>,
}

impl Seeing {
    /// Takes the joint spaces (each with `bank` (B, D), the pictures that hubs are told by), the names of the classes
    /// (`centred`, `q90`, and `named`: how often captions name each class of the detector) and the list of mentions.
    ///
    /// # Errors
    /// When an array is missing or has another shape, or there is no joint space.
    pub fn load(
        recipe: Recipe,
        joints: &[Arrays],
        names: &Arrays,
        mentions: Mentions,
    ) -> Result<Self> {
        let mut spaces = Vec::with_capacity(joints.len());
        for arrays in joints {
            let joint = Joint::load(arrays)?;
            let bank = arrays.tensor("bank", &[-1, joint.dim()])?;
            spaces.push((joint, bank));
        }
        let Some((first, _)) = spaces.first() else {
            return Err(Error::format(
                "the joint space",
                "there is none: name at least one file",
            ));
        };
        let names_of = Names::load(names, first.texts())?;
        let usual = Vec::try_from(names.tensor("named", &[names_of.detector_classes()])?)?;
        Ok(Self {
            names: names_of,
            recipe,
            joints: spaces,
            mentions,
            usual,
        })
    }

    /// The numbers of the score.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Reads a gallery: captions and their unit sentence vectors (N, T).
    ///
    /// # Errors
    /// When there are not as many captions as vectors.
    pub fn read(&self, captions: &[String], vectors: Tensor) -> Result<Readings> {
        Readings::read(self, captions, vectors)
    }

    /// As [`Seeing::read`], from `file` (without its ending) in a cache if they were read before with all the same.
    ///
    /// # Errors
    /// As [`Seeing::read`].
    pub fn recall(&self, captions: &[String], vectors: Tensor, file: &Path) -> Result<Readings> {
        Readings::recall(self, captions, vectors, file)
    }

    /// Which of the detector's classes captions name.
    pub fn mentions(&self) -> &Mentions {
        &self.mentions
    }

    /// How many numbers of a look the joint spaces read at most.
    pub fn features(&self) -> i64 {
        let all = self.joints.iter().map(|(joint, _)| joint.features());
        all.max().expect("there is at least one joint space")
    }

    /// The unit vectors (D) of a picture, one for each joint space.
    pub fn images(&self, look: &Look) -> Vec<Tensor> {
        let features = look.features().unsqueeze(0);
        self.joints
            .iter()
            .map(|(joint, _)| joint.image(&features).squeeze_dim(0))
            .collect()
    }

    /// Where a picture points among sentence vectors (T), of length 1: the mean of what the joint spaces ask.
    pub fn direction(&self, look: &Look) -> Tensor {
        let images = self.images(look);
        let each = self.joints.iter().zip(&images);
        let asked: Vec<Tensor> = each
            .map(|((joint, _), image)| unit_rows(&joint.question(image).direction))
            .collect();
        unit_rows(&Tensor::stack(&asked, 0).mean_dim(0i64, false, Kind::Float))
    }

    /// All terms of all captions for one picture.
    pub fn parts(&self, look: &Look, readings: &Readings) -> Parts {
        let vectors = &readings.vectors;
        let images = self.images(look);
        let spaces = self.joints.iter().zip(&images).zip(&readings.joint_lengths);
        let joint: Vec<Tensor> = spaces
            .map(|(((joint, _), image), lengths)| {
                let question = joint.question(image);
                (vectors.mv(&question.direction) + question.constant) / lengths
            })
            .collect();
        let joint = Tensor::stack(&joint, 0).mean_dim(0i64, false, Kind::Float);
        let mean = self.joints[0].0.text_mean();
        let near = |names: Tensor| {
            let name = names.squeeze_dim(0);
            let constant = mean.dot(&name).double_value(&[]);
            floats(&((vectors.mv(&name) - constant) / &readings.centred_lengths))
        };
        let scores = look.scores();
        let evidence = self.recipe.evidence.of(&floats(&scores));
        Parts([
            floats(&joint),
            near(
                self.names
                    .recognised(&look.likely().unsqueeze(0), self.recipe.unsure),
            ),
            near(self.names.detected(&scores)),
            readings.hub.clone(),
            readings.named.sums(&evidence),
        ])
    }

    /// The `count` captions that describe a picture best, best first, at most one of each source; captions without a source
    /// may not be told.
    pub fn find<S: std::hash::Hash + Eq>(
        &self,
        look: &Look,
        readings: &Readings,
        count: usize,
        source: impl Fn(usize) -> Option<S>,
    ) -> Vec<Found> {
        let parts = self.parts(look, readings);
        let mut totals = parts.totals(&self.recipe.weights);
        for (row, total) in totals.iter_mut().enumerate() {
            if source(row).is_none() {
                *total = f32::NEG_INFINITY;
            }
        }
        let council = self.recipe.council.agree(&totals, |rows| {
            readings.vectors.index_select(0, &Tensor::from_slice(rows))
        });
        let belief = self.belief(look, &council, readings);
        let mut judged: Vec<(f32, Member)> = council
            .into_iter()
            .map(|member| (self.gain(&belief, readings, member.row), member))
            .collect();
        judged
            .sort_by(|(a, one), (b, other)| (b + other.agreement).total_cmp(&(a + one.agreement)));
        let rows = judged.iter().map(|(_, member)| member.row);
        let kept = first_of_each(rows, count, source);
        let mut judged = judged.into_iter();
        let found = kept.into_iter().map(|row| {
            let (objects, member) = judged
                .find(|(_, member)| member.row == row)
                .expect("kept rows are judged rows in the same order");
            Found {
                row,
                similarity: parts.of(Term::Joint)[row],
                why: parts.why(row, &self.recipe.weights),
                agreement: member.agreement,
                objects,
            }
        });
        found.collect()
    }

    /// How likely each class is to be named, given who sits in the council.
    fn belief(&self, look: &Look, council: &[Member], readings: &Readings) -> Vec<f32> {
        let mut shares = vec![0f32; self.usual.len()];
        for member in council {
            for class in readings.named.classes(member.row) {
                shares[class] += member.weight;
            }
        }
        let scores = floats(&look.scores());
        self.recipe.belief.of(&scores, &self.usual, &shares)
    }

    fn gain(&self, belief: &[f32], readings: &Readings, row: usize) -> f32 {
        let Belief { weight, line, .. } = self.recipe.belief;
        weight
            * readings
                .named
                .classes(row)
                .map(|class| belief[class] - line)
                .sum::<f32>()
    }
}

impl Look {
    /// The same numbers once more, not copied.
    pub fn again(&self) -> Self {
        Self {
            photo: self.photo.again(),
            nanodet: self.nanodet.shallow_clone(),
            beside: self.beside.as_ref().map(PhotoLook::again),
        }
    }

    /// All that the joint spaces and the word head look at (1872, or 3152 with a second photo network).
    pub fn features(&self) -> Tensor {
        let mut parts = vec![&self.photo.feature, &self.nanodet];
        parts.extend(self.beside.as_ref().map(|beside| &beside.feature));
        Tensor::cat(&parts, 0)
    }

    /// How likely each class of the photo networks is (1000): the mean of what they say.
    fn likely(&self) -> Tensor {
        match &self.beside {
            Some(beside) => (&self.photo.likely + &beside.likely) / 2.0,
            None => self.photo.likely.shallow_clone(),
        }
    }

    /// The detector's scores (1, 80).
    fn scores(&self) -> Tensor {
        self.nanodet
            .narrow(0, 0, crate::networks::nanodet::CLASSES)
            .unsqueeze(0)
    }
}

impl PhotoLook {
    fn again(&self) -> Self {
        Self {
            feature: self.feature.shallow_clone(),
            likely: self.likely.shallow_clone(),
        }
    }
}
