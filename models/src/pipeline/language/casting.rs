//! Who a story is about, and what sets it going: chosen by the shifted thought among what the bundle offers.
//!
//! Asked for a scene, a small model lists what is in it; asked for somebody who wants something there, it tells what he does.
//! People who read both blind liked the second ones better, and heard the style in who it is. What must stay true: the same
//! picture, style and seed give the same hero.

use super::Language;
use super::item::Item;
use crate::bundle::Bundle;
use crate::bundle::language_model::LanguageModelPart;
use crate::error::Result;
use crate::networks::bert::SentenceEncoder;
use crate::pipeline::options::Mode;
use crate::tensors::unit_rows::unit_rows;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use tch::{Device, Tensor};

/// Of so many that are nearest to the thought one is drawn, so that another seed tells of somebody else.
const NEAREST: i64 = 4;

/// All that stories may be about.
#[derive(Debug)]
pub(super) struct Casting {
    /// By style.
    heroes: BTreeMap<String, Offered>,
    /// Where the style names nobody.
    anybody: Offered,
    turns: Offered,
}

/// Texts to choose from.
#[derive(Debug)]
struct Offered {
    texts: Vec<String>,
    /// Their thoughts less the mean of prose (N, T), each of length 1.
    thoughts: Tensor,
}

/// Who it is about, and what sets it going; empty where the bundle offers nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cast {
    pub(super) hero: String,
    pub(super) turn: String,
}

impl Cast {
    /// What there is of it, for people.
    pub(super) fn said(&self) -> impl Iterator<Item = &String> {
        [&self.hero, &self.turn]
            .into_iter()
            .filter(|text| !text.is_empty())
    }
}

impl Casting {
    /// Those of a bundle, read by its encoder; `mean`: the mean thought of prose (T).
    ///
    /// # Errors
    /// When a text cannot be cut into pieces.
    pub(super) fn open(
        bundle: &Bundle,
        part: &LanguageModelPart,
        encoder: &SentenceEncoder,
        mean: &Tensor,
    ) -> Result<Self> {
        let offered = |texts: &Vec<String>| -> Result<Offered> {
            let thoughts = match texts.is_empty() {
                true => Tensor::zeros_like(mean).unsqueeze(0).narrow(0, 0, 0),
                false => encoder.encode(texts, &mut |_| {})?.to_device(Device::Cpu) - mean,
            };
            Ok(Offered {
                texts: texts.clone(),
                thoughts: unit_rows(&thoughts),
            })
        };
        let styles = bundle.manifest().styles.iter();
        let styles = styles.filter(|style| !style.heroes.is_empty());
        let heroes = styles.map(|style| Ok((style.name.clone(), offered(&style.heroes)?)));
        Ok(Self {
            heroes: heroes.collect::<Result<_>>()?,
            anybody: offered(&part.heroes)?,
            turns: offered(&part.turns)?,
        })
    }
}

/// Chooses for a request whose thought, less the mean of prose, is `toward` (T).
///
/// # Errors
/// When tensors cannot be read.
pub(super) fn cast(language: &Language, item: &Item, toward: &Tensor) -> Result<Cast> {
    let casting = &language.casting;
    let mut of_styles = item.mix.names_by_weight();
    let heroes = of_styles.find_map(|name| casting.heroes.get(name));
    let seed = match item.options.mode {
        Mode::Beam => 0,
        Mode::Sample { seed, .. } => seed,
    };
    let mut random = ChaCha8Rng::seed_from_u64(item.seed(seed));
    Ok(Cast {
        hero: heroes
            .unwrap_or(&casting.anybody)
            .draw(toward, &mut random)?,
        turn: casting.turns.draw(toward, &mut random)?,
    })
}

impl Offered {
    /// One of those nearest to a direction; nothing where nothing is offered.
    fn draw(&self, toward: &Tensor, random: &mut ChaCha8Rng) -> Result<String> {
        let count = NEAREST.min(self.texts.len() as i64);
        if count == 0 {
            return Ok(String::new());
        }
        let (_, rows) = self.thoughts.mv(toward).topk(count, 0, true, true);
        let rows = Vec::<i64>::try_from(rows)?;
        let row = rows.choose(random).copied().unwrap_or_default();
        Ok(self.texts[row as usize].clone())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tch::Kind;

    fn drawn(texts: usize, seed: u64) -> String {
        let offered = Offered {
            texts: (0..texts).map(|text| text.to_string()).collect(),
            thoughts: Tensor::eye(texts.max(1) as i64, (Kind::Float, Device::Cpu)),
        };
        // the later ones are nearer
        let toward = Tensor::arange(texts.max(1) as i64, (Kind::Float, Device::Cpu));
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        offered.draw(&toward, &mut random).unwrap()
    }

    #[test]
    fn one_of_the_nearest_is_drawn_and_a_seed_says_which() {
        let all: BTreeSet<String> = (0..60).map(|seed| drawn(9, seed)).collect();
        let nearest = ["5", "6", "7", "8"].map(str::to_owned);
        assert_eq!(all, BTreeSet::from(nearest));
        assert_eq!(drawn(9, 3), drawn(9, 3));
        assert_eq!(drawn(1, 3), "0");
        assert_eq!(drawn(0, 3), "");
    }
}
