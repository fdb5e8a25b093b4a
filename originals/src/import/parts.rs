//! The parts of an original, read, checked against each other and reduced to the arrays a story needs.
//! The import writes what comes out; every refusal names the file and the array.

use std::path::Path;

use tch::Device;

use crate::formats::read_npz_where;
use crate::reader::{Original, Part, deep_output, read_image_encoder};
use models::bundle::{ImageEncoderKind, Style};
use models::networks::vse::SentenceEncoder;
use models::{Decoder, Error, Gru, Result, Styles, Vgg, Vocabulary, Vse, Weights, durable};

/// The joint space.
pub(super) struct Joint {
    pub(super) weights: Weights,
    pub(super) words: Vocabulary,
    pub(super) known: usize,
    pub(super) encoder: SentenceEncoder,
    pub(super) image_size: i64,
}

/// What writes.
pub(super) struct Writes {
    pub(super) weights: Weights,
    pub(super) words: Vocabulary,
    pub(super) deep_output: bool,
    thought_size: i64,
}

/// The text encoders without their training halves.
pub(super) struct Encoders {
    pub(super) uni: Weights,
    pub(super) bi: Weights,
    /// C, the size of a thought
    pub(super) size: i64,
    /// what a word vector of utable and of btable measures
    pub(super) word_sizes: [i64; 2],
}

pub(super) fn vse(original: &Original) -> Result<Joint> {
    let weights = some_of(
        &original.path(Part::Vse)?,
        &["Wemb", "encoder_", "ff_image_"],
    )?;
    let (words, known, encoder) = original.vse_words()?;
    let network = Vse::new(&weights, words.clone(), known, encoder)?;
    let image_size = network.image_size();
    Ok(Joint {
        weights,
        words,
        known,
        encoder,
        image_size,
    })
}

pub(super) fn decoder(original: &Original, name: &str) -> Result<Writes> {
    let file = original.decoder_file(name)?;
    let wanted = ["Wemb", "ff_state_", "decoder_", "ff_hid_", "ff_logit_"];
    let weights = some_of(&file, &wanted)?;
    let deep_output = deep_output(&file, &weights)?;
    let network = Decoder::new(&weights, deep_output)?;
    let words = original.decoder_words(name)?;
    if network.words() > words.len() as i64 {
        let reason = format!(
            "array `Wemb` has {} rows, but the dictionary beside it names {} words",
            network.words(),
            words.len()
        );
        return Err(Error::format(file.display().to_string(), reason));
    }
    let thought_size = network.thought_size();
    Ok(Writes {
        weights,
        words,
        deep_output,
        thought_size,
    })
}

pub(super) fn encoders(original: &Original) -> Result<Encoders> {
    let uni = some_of(&original.path(Part::UniSkip)?, &["encoder_"])?;
    let bi = some_of(&original.path(Part::BiSkip)?, &["encoder_"])?;
    let one = Gru::new(&uni, "encoder")?;
    let (forward, backward) = (Gru::new(&bi, "encoder")?, Gru::new(&bi, "encoder_r")?);
    if forward.input_size() != backward.input_size() {
        let reason = "`encoder_W` and `encoder_r_W` read words of different sizes";
        return Err(Error::format(bi.label(), reason));
    }
    Ok(Encoders {
        size: one.state_size() + forward.state_size() + backward.state_size(),
        word_sizes: [one.input_size(), forward.input_size()],
        uni,
        bi,
    })
}

/// Refuses a decoder that was trained on thoughts of another size.
pub(super) fn same_size(encoders: &Encoders, decoder: &Writes) -> Result<()> {
    if encoders.size == decoder.thought_size {
        return Ok(());
    }
    let reason = format!(
        "array `ff_state_W` takes thoughts of {} numbers, but {} and {} make {}",
        decoder.thought_size,
        encoders.uni.label(),
        encoders.bi.label(),
        encoders.size
    );
    Err(Error::format(decoder.weights.label(), reason))
}

pub(super) fn styles(original: &Original, size: i64) -> Result<(Vec<Style>, Weights)> {
    let vectors = original.style_vectors()?;
    Styles::new(&vectors, "caption", size, 0)?;
    let names = vectors.names().filter(|name| *name != "caption");
    let styles = names.map(|name| askable(name).map(|()| super::style(name)));
    Ok((styles.collect::<Result<_>>()?, vectors))
}

/// Refuses a style that nobody could ask for: requests name styles by small letters, digits, `-` and `_`.
fn askable(name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(fits) {
        return Ok(());
    }
    let better: String = name
        .to_lowercase()
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    let better = if better.is_empty() { "own" } else { &better };
    let reason = format!(
        "no request can name a style {name:?}: rename the file, to {better}_style.npy for example (small letters, digits, \
         - and _)"
    );
    Err(Error::format(format!("{name}_style.npy"), reason))
}

pub(super) fn image_encoder(
    original: &Original,
    feature_size: i64,
) -> Result<(ImageEncoderKind, Weights)> {
    let file = original.path(Part::Vgg)?;
    let (kind, weights) = read_image_encoder(&file)?;
    let found = match kind {
        ImageEncoderKind::Vgg19 => Vgg::load(&weights)?.feature_size(),
        ImageEncoderKind::EfficientnetLite0 => 1280,
    };
    if found != feature_size {
        let joint = original.path(Part::Vse)?;
        let reason = format!(
            "it makes features of {found} numbers, but array `ff_image_W` of {} takes {feature_size}",
            joint.display()
        );
        return Err(Error::format(file.display().to_string(), reason));
    }
    let kept = weights.iter().filter(|(name, _)| !name.starts_with("fc8"));
    let kept = kept.map(|(name, tensor)| (name.to_owned(), tensor.to_device(Device::Cpu)));
    Ok((kind, Weights::from_tensors(weights.label(), kept)))
}

pub(super) fn captions(original: &Original) -> Result<Vec<String>> {
    let captions = original.captions()?;
    if captions.iter().all(String::is_empty) {
        let file = original.path(Part::Captions)?;
        return Err(Error::format(
            file.display().to_string(),
            "it holds no captions",
        ));
    }
    Ok(captions)
}

pub(super) fn write_lines(file: &Path, lines: &[String]) -> Result<()> {
    let text: String = lines
        .iter()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect();
    durable::write(file, text)
}

/// The arrays of an npz whose names begin so; the published encoders also hold what only their training needed.
fn some_of(file: &Path, beginnings: &[&str]) -> Result<Weights> {
    let wanted = |name: &str| {
        beginnings
            .iter()
            .any(|beginning| name.starts_with(beginning))
    };
    let arrays = read_npz_where(file, &wanted)?.into_iter();
    let tensors = arrays.map(|(name, array)| (name, array.to_tensor()));
    Ok(Weights::from_tensors(file.display().to_string(), tensors))
}
