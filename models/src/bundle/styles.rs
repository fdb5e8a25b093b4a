//! Style vectors and the shift that turns a description into a story (algorithm.md §6).
//!
//! A style is the mean thought of many passages of one kind; one of them, the caption style c, stands for plain
//! descriptions. With the mean thought x of a picture's captions and a style b the decoder starts from F(x) = x − c + b.
//! Ours: mixes and strength, x − s·c + s·Σ wᵢbᵢ with weights scaled to sum 1 (s = 1 with one style is F, s = 0 retells the
//! captions); and emphasis, b̄ + g·(b − b̄) for b with the mean b̄ of all styles. All prose lies close together, and a small
//! decoder hears its manners apart only when they are further apart than they are; g = 1 is F. Behind its thought a style of a
//! language model may say how often its books use common words.

use crate::error::{Error, Result};
use crate::tensors::weights::Weights;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};
use usage::StyleUsage;

mod usage;

/// The named style vectors of a bundle, all of size C.
#[derive(Debug)]
pub struct Styles {
    caption: Tensor,
    named: BTreeMap<String, Tensor>,
    /// Added by callers: told in like the others, but no part of what the bundle's styles have in common.
    added: BTreeMap<String, Tensor>,
    usage: StyleUsage,
    emphasis: f64,
}

/// What to shift towards.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    parts: Vec<(String, f32)>,
    strength: f32,
    emphasis: f64,
}

impl Mix {
    /// The names of its styles, the weightiest first; none at strength 0.
    pub fn names_by_weight(&self) -> impl Iterator<Item = &str> {
        let mut parts: Vec<&(String, f32)> = self
            .parts
            .iter()
            .filter(|(_, weight)| weight * self.strength > 0.0)
            .collect();
        parts.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        parts.into_iter().map(|(name, _)| name.as_str())
    }

    /// The same without emphasis, as the original shifts.
    pub fn plain(self) -> Self {
        Mix {
            emphasis: 1.0,
            ..self
        }
    }
}

impl Styles {
    /// Takes every array of `weights` as a style (C, and behind it the usage of `words` words); the one called `caption`
    /// becomes c.
    ///
    /// # Errors
    /// When the caption style is missing or a vector has not as many numbers.
    pub fn new(weights: &Weights, caption: &str, size: i64, words: i64) -> Result<Self> {
        let vector = |name: &str| weights.tensor(name, &[size + words]);
        let mut named = BTreeMap::new();
        let mut usage = StyleUsage::of(words);
        for name in weights.names().filter(|&name| name != caption) {
            let vector = vector(name)?;
            named.insert(name.to_owned(), vector.narrow(0, 0, size));
            usage.know(name, &vector.narrow(0, size, words));
        }
        Ok(Self {
            caption: vector(caption)?.narrow(0, 0, size),
            named,
            added: BTreeMap::new(),
            usage,
            emphasis: 1.0,
        })
    }

    /// The same styles, set apart from their mean `emphasis` times as far as they are.
    pub fn with_emphasis(self, emphasis: f64) -> Self {
        Self { emphasis, ..self }
    }

    /// Adds a style (C, with or without the usage of words behind it), or takes another vector for one that was added.
    ///
    /// # Errors
    /// When the vector has not as many numbers as the others, or the bundle has a style of this name.
    pub fn add(&mut self, name: &str, vector: &[f32]) -> Result<()> {
        let (found, wanted) = (vector.len(), self.caption.size1()?);
        let whole = wanted + self.usage.words();
        let reason = if self.named.contains_key(name) {
            format!("the bundle has a style `{name}` of its own")
        } else if ![Ok(wanted), Ok(whole)].contains(&i64::try_from(found)) {
            format!("style `{name}` has {found} numbers, this bundle's have {whole}")
        } else {
            let vector = Tensor::from_slice(vector).to_device(self.caption.device());
            let behind = vector.narrow(0, wanted, found as i64 - wanted);
            self.usage.add(name, &behind);
            self.added
                .insert(name.to_owned(), vector.narrow(0, 0, wanted));
            return Ok(());
        };
        Err(Error::Option {
            field: "style",
            reason,
        })
    }

    fn vector(&self, name: &str) -> Option<&Tensor> {
        self.named.get(name).or_else(|| self.added.get(name))
    }

    /// The names, in alphabetical order, without the caption style.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }

    /// Whether there is a style of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.vector(name).is_some()
    }

    /// Checks a mix and scales its weights to sum 1. A mix without parts is the plain description
    /// (no shift).
    ///
    /// # Errors
    /// When a style is unknown (the message lists the known ones), a weight is negative or not a
    /// number, all weights are 0, or the strength is not a number.
    pub fn mix(&self, parts: &[(String, f32)], strength: f32) -> Result<Mix> {
        let wrong = |reason: String| Error::Option {
            field: "style",
            reason,
        };
        if !strength.is_finite() {
            let reason = format!("{strength} is not a number");
            return Err(Error::Option {
                field: "style_strength",
                reason,
            });
        }
        for (name, weight) in parts {
            if !self.contains(name) {
                let known: Vec<&str> = self.names().collect();
                return Err(wrong(format!(
                    "no style `{name}`; there are {}",
                    known.join(", ")
                )));
            }
            if !weight.is_finite() || *weight < 0.0 {
                return Err(wrong(format!(
                    "weight {weight} of `{name}` is not a positive number"
                )));
            }
        }
        let sum: f32 = parts.iter().map(|(_, weight)| weight).sum();
        if parts.is_empty() {
            return Ok(Mix {
                parts: Vec::new(),
                strength: 0.0,
                emphasis: 1.0,
            });
        }
        if sum <= 0.0 {
            return Err(wrong("all weights are 0".to_owned()));
        }
        let parts = parts
            .iter()
            .map(|(name, weight)| (name.clone(), weight / sum))
            .collect();
        let emphasis = self.emphasis;
        Ok(Mix {
            parts,
            strength,
            emphasis,
        })
    }

    /// Shifts the mean thought (C) of a picture's captions; the result (C) is not normalised.
    pub fn shift(&self, mean: &Tensor, mix: &Mix) -> Tensor {
        let strength = f64::from(mix.strength);
        let parts = mix
            .parts
            .iter()
            .filter_map(|(name, weight)| Some((self.vector(name)?, *weight)));
        let parts: Vec<(&Tensor, f32)> = parts.collect();
        if mix.emphasis != 1.0 {
            return self.emphasised(mean, &parts, mix);
        }
        if let (true, [(style, _)]) = (mix.strength == 1.0, parts.as_slice()) {
            // the original's order of operations, so that its numbers come out to the last bit
            return mean - &self.caption + *style;
        }
        let mut towards = mean - &self.caption * strength;
        for (style, weight) in parts {
            towards += style * (strength * f64::from(weight));
        }
        towards
    }

    /// The shift with styles that are set apart from their mean.
    fn emphasised(&self, mean: &Tensor, parts: &[(&Tensor, f32)], mix: &Mix) -> Tensor {
        let (strength, common) = (f64::from(mix.strength), self.common());
        let mut towards = mean - &self.caption * strength;
        for (style, weight) in parts {
            let apart = &common + (*style - &common) * mix.emphasis;
            towards += apart * (strength * f64::from(*weight));
        }
        towards
    }

    /// The caption style (C).
    pub fn caption(&self) -> &Tensor {
        &self.caption
    }

    /// Where a mix leads from `mean` (C), the mean thought of prose: the styles' unit directions, weighted, times the strength;
    /// zeros for the plain description. Bundles with a language model shift by it instead of by [`Styles::shift`]: their
    /// styles differ in direction, and hardly in length.
    pub fn direction(&self, mix: &Mix, mean: &Tensor) -> Tensor {
        let mut direction = mean.zeros_like();
        for (name, weight) in &mix.parts {
            if let Some(vector) = self.vector(name) {
                let apart = vector - mean;
                let length = apart.square().sum(Kind::Float).sqrt().clamp_min(1e-12);
                direction += apart / length * f64::from(weight * mix.strength);
            }
        }
        direction
    }

    /// How much more a mix uses each word than the bundle's styles do in common (W), within bounds; empty where none is known.
    ///
    /// # Errors
    /// When the numbers cannot be read.
    pub fn leaning(&self, mix: &Mix) -> Result<Vec<f32>> {
        self.usage.leaning(&mix.parts, mix.strength)
    }

    /// The mean of all styles (C), or the caption style where there are none: a thought shifted by no picture.
    pub fn common(&self) -> Tensor {
        let named: Vec<&Tensor> = self.named.values().collect();
        if named.is_empty() {
            return self.caption.shallow_clone();
        }
        Tensor::stack(&named, 0).mean_dim(0i64, false, Kind::Float)
    }

    /// The same styles on another device.
    pub fn to_device(&self, device: Device) -> Self {
        let move_one = |t: &Tensor| t.to_device(device).to_kind(Kind::Float);
        let named = self
            .named
            .iter()
            .map(|(n, t)| (n.clone(), move_one(t)))
            .collect();
        Self {
            caption: move_one(&self.caption),
            added: self
                .added
                .iter()
                .map(|(n, t)| (n.clone(), move_one(t)))
                .collect(),
            usage: self.usage.clone(),
            named,
            emphasis: self.emphasis,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn styles() -> Styles {
        let vector = |values: [f32; 2]| Tensor::from_slice(&values);
        let arrays = [
            ("caption", vector([1.0, 0.0])),
            ("romance", vector([0.0, 4.0])),
            ("sea", vector([2.0, 2.0])),
        ];
        let weights = Weights::from_tensors("styles", arrays.map(|(n, t)| (n.to_owned(), t)));
        Styles::new(&weights, "caption", 2, 0).unwrap()
    }

    fn shifted(parts: &[(&str, f32)], strength: f32) -> Vec<f32> {
        let parts: Vec<_> = parts.iter().map(|&(n, w)| (n.to_owned(), w)).collect();
        let mix = styles().mix(&parts, strength).unwrap();
        Vec::try_from(styles().shift(&Tensor::from_slice(&[10f32, 10.0]), &mix)).unwrap()
    }

    #[test]
    fn strength_one_is_the_original_shift_and_zero_is_none() {
        assert_eq!(shifted(&[("romance", 1.0)], 1.0), [9.0, 14.0]);
        assert_eq!(shifted(&[("romance", 0.3)], 1.0), [9.0, 14.0]);
        assert_eq!(shifted(&[("romance", 1.0)], 0.0), [10.0, 10.0]);
        assert_eq!(shifted(&[], 1.0), [10.0, 10.0]);
    }

    #[test]
    fn a_mix_is_weighted_by_its_shares() {
        assert_eq!(shifted(&[("romance", 3.0), ("sea", 1.0)], 1.0), [9.5, 13.5]);
        assert_eq!(shifted(&[("romance", 3.0), ("sea", 1.0)], 2.0), [9.0, 17.0]);
    }

    #[test]
    fn the_weightiest_style_is_named_first_and_none_without_strength() {
        let parts = [("romance".to_owned(), 1.0), ("sea".to_owned(), 3.0)];
        let mix = styles().mix(&parts, 1.0).unwrap();
        assert!(mix.names_by_weight().eq(["sea", "romance"]));
        let none = styles().mix(&parts, 0.0).unwrap();
        assert_eq!(none.names_by_weight().count(), 0);
    }

    #[test]
    fn emphasis_sets_styles_apart_from_their_mean_and_a_plain_mix_has_none() {
        let styles = styles().with_emphasis(3.0);
        let thought = Tensor::from_slice(&[10f32, 10.0]);
        let shifted = |mix: &Mix| Vec::<f32>::try_from(styles.shift(&thought, mix)).unwrap();
        let romance = |share: f32| {
            let parts = [("romance", share), ("sea", 1.0 - share)];
            styles
                .mix(&parts.map(|(n, w)| (n.to_owned(), w)), 1.0)
                .unwrap()
        };
        // the mean is (1, 3), romance is (−1, 1) away from it
        assert_eq!(
            shifted(&romance(1.0)),
            [10.0 - 1.0 + 1.0 - 3.0, 10.0 + 3.0 + 3.0]
        );
        assert_eq!(shifted(&romance(0.5)), [10.0, 13.0]);
        assert_eq!(shifted(&romance(1.0).plain()), [9.0, 14.0]);
    }

    #[test]
    fn an_added_style_is_told_in_and_changes_nothing_for_the_others() {
        let mut styles = styles();
        let common = Vec::<f32>::try_from(styles.common()).unwrap();
        styles.add("mine", &[6.0, 8.0]).unwrap();
        let mix = styles.mix(&[("mine".to_owned(), 1.0)], 1.0).unwrap();
        let thought = styles.shift(&Tensor::from_slice(&[10f32, 10.0]), &mix);
        assert_eq!(Vec::<f32>::try_from(thought).unwrap(), [15.0, 18.0]);
        assert_eq!(Vec::<f32>::try_from(styles.common()).unwrap(), common);
        assert!(styles.names().all(|name| name != "mine"));
        assert!(styles.add("mine", &[1.0]).is_err());
        assert!(styles.add("sea", &[1.0, 1.0]).is_err());
    }

    #[test]
    fn an_unknown_style_is_answered_with_the_known_ones() {
        let error = styles()
            .mix(&[("horror".to_owned(), 1.0)], 1.0)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("horror") && error.contains("romance, sea"),
            "{error}"
        );
        assert!(styles().mix(&[("sea".to_owned(), -1.0)], 1.0).is_err());
        assert!(styles().mix(&[("sea".to_owned(), 0.0)], 1.0).is_err());
    }
}
