//! Chooses among drafts: the one that fits its picture and its style, reads fluently, and ends well.
//!
//! Every sentence of a draft becomes a thought, and is held against what the story is about. Most weights
//! are those of the program that trained the starter's adapter; what each is worth has not been measured yet.

use super::Language;
use super::prompting::Subject;
use crate::Result;
use crate::pipeline::writer::Draft;
use crate::text::sentences::sentences;
use crate::text::words::stem;
use std::collections::HashSet;
use tch::{Device, Kind, Tensor};

/// What counts how much.
const NEAREST_TWO: f64 = 2.0;
const NEAR: f64 = 1.0;
const FLUENCY: f64 = 0.5;
const STYLE: f64 = 0.5;
const REPETITION: f64 = -4.0;
const WORDS_TOLD: f64 = 0.6;
const BROKEN_OFF: f64 = -0.15;
const SHORT: f64 = -0.5;
/// A draft of fewer words is no story.
const SHORTEST: usize = 50;

/// A draft made ready for people.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) text: String,
    pub(super) draft: Draft,
}

/// The place of the best candidate and its score.
pub(super) fn best(
    language: &Language,
    subject: &Subject,
    candidates: &[Candidate],
) -> Result<(usize, f64)> {
    let split: Vec<Vec<&str>> = candidates
        .iter()
        .map(|candidate| sentences(&candidate.text))
        .collect();
    let all: Vec<&str> = split.concat();
    let mean = language.mean.to_device(language.sentences.device());
    let thoughts = language.sentences.encode(&all, &mut |_| {})? - mean;
    let thoughts = unit(&thoughts.to_device(Device::Cpu));
    let near = floats(&thoughts.mv(&unit(&subject.content)))?;
    let has_style = subject.style.abs().max().double_value(&[]) > 0.0;
    let mut first = 0;
    let mut best = (0, f64::NEG_INFINITY);
    for (place, (candidate, own)) in candidates.iter().zip(&split).enumerate() {
        let count = own.len();
        let style = if has_style {
            let mean =
                thoughts
                    .narrow(0, first as i64, count as i64)
                    .mean_dim(0i64, false, Kind::Float);
            unit(&mean).dot(&unit(&subject.style)).double_value(&[])
        } else {
            0.0
        };
        let score = picture(&near[first..first + count])
            + STYLE * style
            + language_of(candidate, &subject.words);
        if score > best.1 {
            best = (place, score);
        }
        first += count;
    }
    Ok(best)
}

/// How well the sentences fit the picture.
fn picture(near: &[f32]) -> f64 {
    let mut sorted: Vec<f64> = near.iter().map(|&n| f64::from(n)).collect();
    sorted.sort_by(|a: &f64, b| b.total_cmp(a));
    let mean = |some: &[f64]| some.iter().sum::<f64>() / some.len().max(1) as f64;
    NEAREST_TWO * mean(&sorted[..sorted.len().min(2)]) + NEAR * mean(&sorted)
}

/// How well a draft reads, whatever it is about.
fn language_of(candidate: &Candidate, told: &[String]) -> f64 {
    let lower = candidate.text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .collect();
    let pairs: HashSet<(&str, &str)> = words
        .iter()
        .copied()
        .zip(words.iter().copied().skip(1))
        .collect();
    let repeated = 1.0 - pairs.len() as f64 / words.len().saturating_sub(1).max(1) as f64;
    let spoken: HashSet<&str> = words.iter().copied().map(stem).collect();
    let heard = told
        .iter()
        .filter(|word| spoken.contains(stem(word.as_str())))
        .count();
    FLUENCY * candidate.draft.fluency
        + REPETITION * repeated
        + WORDS_TOLD * heard as f64 / told.len().max(1) as f64
        + if candidate.draft.ended {
            0.0
        } else {
            BROKEN_OFF
        }
        + if words.len() < SHORTEST { SHORT } else { 0.0 }
}

/// Rows (…, T) to unit length.
fn unit(rows: &Tensor) -> Tensor {
    let norm = rows
        .square()
        .sum_dim_intlist(-1i64, true, Kind::Float)
        .sqrt();
    rows / norm.clamp_min(1e-12)
}

fn floats(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::try_from(tensor)?)
}
