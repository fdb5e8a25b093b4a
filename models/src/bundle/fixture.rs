//! A bundle of random weights, made in a moment: tests of everything around the networks tell their
//! stories with it.
//!
//! It has all the parts of a real one (with the original's kind of image encoder) and goes through the same loader. Its
//! stories are nonsense, but always the same for one seed. Usually it is tiny; the example `footprint` makes one of the
//! original's size to measure memory and time.

mod manifest;
mod sizes;

use crate::error::{Error, Result};
use crate::networks::vgg::Vgg;
use crate::tensors::matrix::Writer;
use crate::tensors::weights::Weights;
use crate::text::vocabulary::Vocabulary;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use tch::{Kind, Tensor};

pub use sizes::Sizes;

const WORDS: &str = "a the dog cat man woman boat tree street beach runs sits looks at on under in \
                     and old young red she he said was love night sea . , ! ? `` '' n't did";

/// More random numbers than these are the same ones again.
const DIFFERENT: usize = 1_000_003;

/// Writes a whole bundle into `folder`, which is made if it is not there.
///
/// # Errors
/// When the folder or a file in it cannot be written.
pub fn write_bundle(folder: &Path, seed: u64) -> Result<()> {
    write_bundle_of(folder, seed, &Sizes::tiny())
}

/// As [`write_bundle`], of another size.
///
/// # Errors
/// When the folder or a file in it cannot be written.
pub fn write_bundle_of(folder: &Path, seed: u64, sizes: &Sizes) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    write_networks(folder, &mut dice, sizes)?;
    Vocabulary::from_words(words(sizes.vse_words)).write(&folder.join("vse.words.txt"))?;
    Vocabulary::from_words(words(sizes.decoder_words)).write(&folder.join("decoder.words.txt"))?;
    let special = ["<eos>", "UNK"].map(str::to_owned);
    let rows = [words(sizes.table_words).as_slice(), &special].concat();
    write_lines(&folder.join("skip.words.txt"), &rows)?;
    let spoken = words(sizes.vse_words);
    let captions: Vec<String> = (0..sizes.captions).map(|_| dice.caption(&spoken)).collect();
    write_lines(&folder.join("captions.txt"), &captions)?;
    if sizes.vectors {
        let mut writer = Writer::create(
            &folder.join("caption_vectors.safetensors"),
            &[(
                "embeddings",
                [sizes.captions as i64, sizes.joint],
                Kind::Float,
            )],
        )?;
        dice.append(&mut writer, [sizes.captions as i64, sizes.joint])?;
        writer.finish()?;
    }
    manifest::write(folder, seed, sizes)
}

/// So many words, the first ones real.
fn words(count: usize) -> Vec<String> {
    let real = WORDS.split_whitespace().map(str::to_owned);
    real.chain((0..).map(|n| format!("word{n}")))
        .take(count)
        .collect()
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn tensor(&mut self, shape: &[i64], scale: f32) -> Tensor {
        let count: i64 = shape.iter().product();
        let numbers: Vec<f32> = (0..DIFFERENT.min(count as usize))
            .map(|_| self.0.random_range(-scale..scale))
            .collect();
        let some = Tensor::from_slice(&numbers);
        let times = count / DIFFERENT as i64 + 1;
        some.repeat([times]).narrow(0, 0, count).view(shape)
    }

    /// Random rows for the next array of a file.
    fn append(&mut self, writer: &mut Writer, [count, width]: [i64; 2]) -> Result<()> {
        let most = 65_536.min(count);
        let some = self.tensor(&[most, width], 0.9);
        for first in (0..count).step_by(most as usize) {
            writer.append(&some.narrow(0, 0, most.min(count - first)))?;
        }
        Ok(())
    }

    fn arrays(&mut self, shapes: &[(&str, &[i64])]) -> Vec<(String, Tensor)> {
        shapes
            .iter()
            .map(|(name, shape)| ((*name).to_owned(), self.tensor(shape, 0.9)))
            .collect()
    }

    fn gru(&mut self, name: &str, e: i64, d: i64) -> Vec<(String, Tensor)> {
        let parts: [(&str, &[i64]); 6] = [
            ("W", &[e, 2 * d]),
            ("U", &[d, 2 * d]),
            ("b", &[2 * d]),
            ("Wx", &[e, d]),
            ("Ux", &[d, d]),
            ("bx", &[d]),
        ];
        let named = |(part, array)| (format!("{name}_{part}"), array);
        self.arrays(&parts).into_iter().map(named).collect()
    }

    fn caption(&mut self, words: &[String]) -> String {
        let count = self.0.random_range(4..9);
        let mut words: Vec<&str> = (0..count)
            .filter_map(|_| words.choose(&mut self.0).map(String::as_str))
            .collect();
        words.push(".");
        words.join(" ")
    }
}

fn write_networks(folder: &Path, dice: &mut Dice, sizes: &Sizes) -> Result<()> {
    let Sizes {
        word,
        uni,
        bi,
        kind,
        ..
    } = *sizes;
    let save = |file: &str, arrays: Vec<(String, Tensor)>| {
        Weights::from_tensors(file, arrays).save(&folder.join(file), kind)
    };
    save("vgg.safetensors", vgg(dice, sizes))?;
    let mut vse = dice.arrays(&[
        ("Wemb", &[sizes.vse_words as i64 + 2, sizes.vse_word]),
        ("ff_image_W", &[sizes.feature, sizes.joint]),
        ("ff_image_b", &[sizes.joint]),
    ]);
    vse.extend(dice.gru("encoder", sizes.vse_word, sizes.joint));
    save("vse.safetensors", vse)?;
    save("uni_skip.safetensors", dice.gru("encoder", word, uni))?;
    let ways = [
        dice.gru("encoder", word, bi),
        dice.gru("encoder_r", word, bi),
    ];
    save("bi_skip.safetensors", ways.into_iter().flatten().collect())?;
    let table = [sizes.table_words as i64 + 2, word];
    let path = folder.join("skip_tables.safetensors");
    let mut tables = Writer::create(&path, &[("utable", table, kind), ("btable", table, kind)])?;
    dice.append(&mut tables, table)?;
    dice.append(&mut tables, table)?;
    tables.finish()?;
    save("decoder.safetensors", decoder(dice, sizes))?;
    let named: Vec<&str> = manifest::STYLES.into_iter().chain(["caption"]).collect();
    let thought = uni + 2 * bi;
    let styles = named
        .into_iter()
        .map(|name| (name.to_owned(), dice.tensor(&[thought], 0.5)));
    save("styles.safetensors", styles.collect())
}

fn decoder(dice: &mut Dice, sizes: &Sizes) -> Vec<(String, Tensor)> {
    let (word, state) = (sizes.decoder_word, sizes.state);
    let known = sizes.decoder_words as i64 + 2;
    let mut arrays = dice.arrays(&[
        ("Wemb", &[known, word]),
        ("ff_state_W", &[sizes.uni + 2 * sizes.bi, state]),
        ("ff_state_b", &[state]),
        ("ff_hid_W", &[state, word]),
        ("ff_hid_b", &[word]),
        ("ff_logit_W", &[word, known]),
        ("ff_logit_b", &[known]),
    ]);
    arrays.extend(dice.gru("decoder", word, state));
    arrays
}

/// A VGG-19, usually of very few channels, named as the loader wants it.
fn vgg(dice: &mut Dice, sizes: &Sizes) -> Vec<(String, Tensor)> {
    let mut arrays = Vec::new();
    let mut size = 3;
    for name in Vgg::parameter_names()
        .chunks(2)
        .filter(|pair| !pair[0].starts_with("fc8"))
    {
        let feature = sizes.feature;
        let (shape, out): (Vec<i64>, i64) = match name[0].as_str() {
            "fc6_W" => (vec![size * 49, feature], feature),
            "fc7_W" => (vec![feature, feature], feature),
            conv => {
                let block = conv.trim_start_matches("conv").chars().next();
                let block = block.and_then(|digit| digit.to_digit(10)).unwrap_or(1);
                let out = sizes.channels[block as usize - 1];
                (vec![out, size, 3, 3], out)
            }
        };
        size = out;
        arrays.push((name[0].clone(), dice.tensor(&shape, 0.5)));
        arrays.push((name[1].clone(), dice.tensor(&[out], 0.1)));
    }
    arrays
}

fn write_lines(path: &Path, lines: &[String]) -> Result<()> {
    let text: String = lines
        .iter()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect();
    std::fs::write(path, text).map_err(|e| Error::file("write", path, e))
}
