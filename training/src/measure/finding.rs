//! Does a story find its own picture? Stories are held against what people wrote about each picture of a set.
//!
//! A story's vector is the mean of its sentences' thoughts, less the mean over all stories; a picture's is the mean thought
//! of its captions, less that of all captions. The rank of a story is that of its own picture among all, by the product. The
//! judge is the sentence encoder that also thinks for the bundle, which flatters it a little.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::stories::Specimen;
use models::networks::bert::SentenceEncoder;
use models::tensors::unit_rows::unit_rows;
use models::text::sentences::sentences;
use models::{Error, Result};

/// What people wrote about each picture.
pub type Captions = BTreeMap<String, Vec<String>>;

/// How well stories find their pictures.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Finding {
    /// How many stories were asked.
    pub stories: usize,
    /// Among how many pictures.
    pub pictures: usize,
    /// Stories whose own picture is the first, in per cent.
    pub first: f64,
    /// Stories whose own picture is among the first five, in per cent.
    pub first_five: f64,
    /// The rank in the middle.
    pub median_rank: usize,
    /// How far ahead of the other pictures the own one is, in standard deviations of theirs, on average. It moves where few
    /// stories leave the shares of the first and the first five to chance.
    pub lead: f64,
}

/// Ranks the pictures for every story that is about one of them.
///
/// # Errors
/// When no story is about a picture that has captions.
pub fn finding(
    stories: &[Specimen],
    captions: &Captions,
    encoder: &SentenceEncoder,
) -> Result<Finding> {
    let _no_grad = tch::no_grad_guard();
    let names: Vec<&String> = captions.keys().collect();
    // stories name their picture by its path
    let own = |photo: &str| {
        let file = Path::new(photo).file_name()?.to_str()?;
        names.iter().position(|&name| name == file)
    };
    let asked: Vec<(usize, &Specimen)> = stories
        .iter()
        .filter_map(|told| Some((own(&told.photo)?, told)))
        .collect();
    if asked.is_empty() {
        let reason = "none of the stories is about a picture that it has captions of: the first column names the pictures' files";
        return Err(Error::format("the file of captions", reason));
    }
    let pictures = means(
        captions
            .values()
            .map(|own| own.iter().map(String::as_str).collect()),
        encoder,
    )?;
    let pictures = unit_rows(&(&pictures - pictures.mean_dim(0i64, true, Kind::Float)));
    let told = means(
        asked.iter().map(|(_, told)| sentences(&told.story)),
        encoder,
    )?;
    let told = &told - told.mean_dim(0i64, true, Kind::Float);
    let products = Vec::<Vec<f32>>::try_from(told.matmul(&pictures.tr()))?;
    let leads = asked.iter().zip(&products);
    let leads = leads.map(|(&(own, _), row)| lead(row, own));
    let lead = leads.sum::<f64>() / asked.len() as f64;
    let ranks = asked.iter().zip(&products);
    let mut ranks: Vec<usize> = ranks
        .map(|((own, _), row)| 1 + row.iter().filter(|&&other| other > row[*own]).count())
        .collect();
    ranks.sort_unstable();
    let within = |most: usize| {
        100.0 * ranks.iter().filter(|&&rank| rank <= most).count() as f64 / ranks.len() as f64
    };
    Ok(Finding {
        stories: ranks.len(),
        pictures: names.len(),
        first: within(1),
        first_five: within(5),
        median_rank: ranks[ranks.len() / 2],
        lead,
    })
}

/// How many standard deviations of the others one of these products is above their mean; 0 where they do not differ.
fn lead(products: &[f32], own: usize) -> f64 {
    let others = products.iter().enumerate();
    let others = others.filter(|&(place, _)| place != own);
    let others: Vec<f64> = others.map(|(_, &product)| f64::from(product)).collect();
    let count = others.len().max(1) as f64;
    let mean = others.iter().sum::<f64>() / count;
    let variance = others
        .iter()
        .map(|other| (other - mean).powi(2))
        .sum::<f64>()
        / count;
    if variance > 0.0 {
        (f64::from(products[own]) - mean) / variance.sqrt()
    } else {
        0.0
    }
}

/// The mean thought of each group of texts: (N, T).
fn means<'a>(
    groups: impl Iterator<Item = Vec<&'a str>>,
    encoder: &SentenceEncoder,
) -> Result<Tensor> {
    let groups: Vec<Vec<&str>> = groups.collect();
    let thoughts = encoder
        .encode(&groups.concat(), &mut |_| {})?
        .to_device(Device::Cpu);
    let mut first = 0;
    let rows = groups.iter().map(|group| {
        let own = thoughts.narrow(0, first, group.len() as i64);
        first += group.len() as i64;
        own.mean_dim(0i64, false, Kind::Float)
    });
    Ok(Tensor::stack(&rows.collect::<Vec<_>>(), 0))
}

#[cfg(test)]
mod tests {
    use super::lead;

    #[test]
    fn a_lead_is_counted_in_deviations_of_the_others() {
        assert!((lead(&[5.0, 1.0, 3.0], 0) - 3.0).abs() < 1e-9);
        assert!((lead(&[1.0, 5.0, 3.0], 0) + 3.0).abs() < 1e-9);
        assert_eq!(lead(&[2.0, 1.0, 1.0], 0), 0.0);
    }
}
