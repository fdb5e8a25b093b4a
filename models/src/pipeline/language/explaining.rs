//! Explains a story by its thought: which captions and styles it is near, before and after it is shifted.
//! `telling` asks once a story is written. What must stay true: the thought is the one that the story was told from.

use super::Language;
use super::prompting::Ready;
use crate::error::Result;
use crate::pipeline::explanation::{Explanation, Near, Place, PlaceKind, StyleShift};
use crate::pipeline::options::Options;
use crate::pipeline::seeing::Found;
use crate::tensors::unit_rows::unit_rows;
use tch::{Kind, Tensor};

/// Captions named on each side of the shift, and captions of the picture on the map.
const NEAREST: i64 = 8;
const ON_THE_MAP: usize = 12;

/// What can be said of a story.
///
/// # Errors
/// When tensors cannot be read.
pub(super) fn explain(language: &Language, ready: &Ready) -> Result<Explanation> {
    let (item, subject) = (&ready.item, &ready.subject);
    let found = &item.found;
    // x − c, and F(x) − μ: what sets the thought apart from all captions, then from all prose
    let (before, after) = (
        subject.content.shallow_clone(),
        &subject.thought - &language.mean,
    );
    let (names, styles) = styles(language, &item.options)?;
    let near = |thought: &Tensor| nearest(language, thought);
    let shifts = |thought: &Tensor| cosines(&styles, thought);
    let moved = shifts(&before)?.into_iter().zip(shifts(&after)?);
    let of_picture: Vec<usize> = found.iter().take(ON_THE_MAP).map(|f| f.row).collect();
    Ok(Explanation {
        chosen: found.iter().map(reasons).collect(),
        words: subject.cast.said().chain(&subject.words).cloned().collect(),
        before: near(&before)?,
        after: near(&after)?,
        styles: names
            .iter()
            .zip(moved)
            .map(|(name, (before, after))| StyleShift {
                name: name.clone(),
                before,
                after,
            })
            .collect(),
        map: map(&Points {
            captions: apart(language, &of_picture),
            texts: of_picture
                .iter()
                .map(|&row| language.captions[row].clone())
                .collect(),
            styles,
            names,
            thoughts: unit_rows(&Tensor::stack(&[before, after], 0)),
        })?,
    })
}

/// Everything that a caption got and gave up for being chosen.
fn reasons(found: &Found) -> Vec<(&'static str, f32)> {
    let terms = found.why.iter().map(|&(term, share)| (term.name(), share));
    terms
        .chain([("agreement", found.agreement), ("belief", found.objects)])
        .collect()
}

/// The bundle's styles and those asked for, each as a direction of length 1 (S, T).
fn styles(language: &Language, options: &Options) -> Result<(Vec<String>, Tensor)> {
    let mut names: Vec<String> = language.styles.names().map(str::to_owned).collect();
    let asked = options.style.iter().map(|(name, _)| name);
    let others: Vec<String> = asked
        .filter(|name| !names.contains(name))
        .cloned()
        .collect();
    names.extend(others);
    let direction = |name: &String| -> Result<Tensor> {
        let mix = language.styles.mix(&[(name.clone(), 1.0)], 1.0)?;
        Ok(language.styles.direction(&mix, &language.mean))
    };
    let rows = names.iter().map(direction).collect::<Result<Vec<_>>>()?;
    // one that was added is known by its job as well, which says nothing to people
    let shown = |name: String| name.split(' ').next().unwrap_or_default().to_owned();
    Ok((
        names.into_iter().map(shown).collect(),
        unit_rows(&Tensor::stack(&rows, 0)),
    ))
}

/// The captions (N, T) nearest to a thought (T).
fn nearest(language: &Language, thought: &Tensor) -> Result<Vec<Near>> {
    let (thoughts, c) = (&language.thoughts, language.styles.caption());
    // cos(t − c, v) without the table of all t − c: the thoughts t have length 1
    let direction = unit_rows(thought);
    let squares = thoughts.mv(c) * -2.0 + (c.dot(c) + 1.0);
    let all = (thoughts.mv(&direction) - c.dot(&direction)) / squares.clamp_min(1e-12).sqrt();
    let (cosines, rows) = all.topk(NEAREST.min(all.size()[0]), 0, true, true);
    let (cosines, rows) = (Vec::<f32>::try_from(cosines)?, Vec::<i64>::try_from(rows)?);
    let near = |(row, similarity): (i64, f32)| Near {
        text: language.captions[row as usize].clone(),
        similarity,
    };
    Ok(rows.into_iter().zip(cosines).map(near).collect())
}

fn cosines(rows: &Tensor, thought: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::try_from(rows.mv(&unit_rows(thought)))?)
}

/// What sets these captions apart from all (N, T), each of length 1.
fn apart(language: &Language, rows: &[usize]) -> Tensor {
    let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
    let thoughts = language
        .thoughts
        .index_select(0, &Tensor::from_slice(&rows));
    unit_rows(&(thoughts - language.styles.caption()))
}

/// What goes on the map, each of length 1 and with its name.
struct Points {
    captions: Tensor,
    texts: Vec<String>,
    styles: Tensor,
    names: Vec<String>,
    /// Before and after (2, T).
    thoughts: Tensor,
}

/// Lays everything on the plane of the two principal directions; the largest distance from the middle becomes 1.
fn map(points: &Points) -> Result<Vec<Place>> {
    let all = Tensor::cat(&[&points.captions, &points.styles, &points.thoughts], 0);
    let centred = &all - all.mean_dim(0i64, true, Kind::Float);
    // v: (T, K), the directions by how much they tell apart
    let (_, _, v) = centred.svd(true, true);
    let plane = centred.matmul(&v.narrow(1, 0, 2.min(v.size()[1])));
    let plane = &plane / plane.abs().max().clamp_min(1e-6);
    let across = Vec::<f32>::try_from(plane.select(1, 0))?;
    let upwards = Vec::<f32>::try_from(plane.select(1, -1))?;
    let of = |kind: PlaceKind| move |label: &String| (kind, label.clone());
    let captions = points.texts.iter().map(of(PlaceKind::Caption));
    let styles = points.names.iter().map(of(PlaceKind::Style));
    let thoughts = [PlaceKind::Before, PlaceKind::After].map(|kind| (kind, String::new()));
    let named = captions.chain(styles).chain(thoughts);
    let place = |((kind, label), (x, y))| Place { kind, label, x, y };
    Ok(named
        .zip(across.into_iter().zip(upwards))
        .map(place)
        .collect())
}
