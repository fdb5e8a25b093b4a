//! A bundle of random weights, made in a moment: tests of everything around the networks tell their
//! stories with it.
//!
//! It has all the parts of a real one (with the original's kind of image encoder, a very thin one)
//! and goes through the same loader. Its stories are nonsense, but always the same for one seed.

use crate::bundle::{
    DecoderPart, GalleryPart, ImageEncoder, ImageEncoderKind, MANIFEST, Manifest, SkipThoughtsPart,
    Style, VsePart, sha256,
};
use crate::vgg::Vgg;
use crate::{Error, Result, Vocabulary, Weights};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Kind, Tensor};

const WORDS: &str = "a the dog cat man woman boat tree street beach runs sits looks at on under in \
                     and old young red she he said was love night sea . , ! ? `` '' n't did";
const STYLES: [&str; 3] = ["romance", "adventure", "sea"];
const CAPTIONS: usize = 300;
const FEATURE: i64 = 32;
const JOINT: i64 = 24;
const WORD: i64 = 12;
const UNI: i64 = 20;
const BI: i64 = 10;
const STATE: i64 = 28;

/// Writes a whole bundle into `folder`, which is made if it is not there.
///
/// # Errors
/// When the folder or a file in it cannot be written.
pub fn write_bundle(folder: &Path, seed: u64) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let words: Vec<String> = WORDS.split_whitespace().map(str::to_owned).collect();
    let count = words.len() as i64;
    write_networks(folder, &mut dice, count)?;
    let vocabulary = Vocabulary::from_words(words.clone());
    vocabulary.write(&folder.join("vse.words.txt"))?;
    vocabulary.write(&folder.join("decoder.words.txt"))?;
    let rows = [words.as_slice(), &["<eos>".to_owned(), "UNK".to_owned()]].concat();
    write_lines(&folder.join("skip.words.txt"), &rows)?;
    let captions: Vec<String> = (0..CAPTIONS).map(|_| dice.caption(&words)).collect();
    write_lines(&folder.join("captions.txt"), &captions)?;
    write_manifest(folder, seed)
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn tensor(&mut self, shape: &[i64], scale: f32) -> Tensor {
        let count: i64 = shape.iter().product();
        let numbers: Vec<f32> = (0..count)
            .map(|_| self.0.random_range(-scale..scale))
            .collect();
        Tensor::from_slice(&numbers).view(shape)
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

fn write_networks(folder: &Path, dice: &mut Dice, words: i64) -> Result<()> {
    let known = words + 2;
    let save = |file: &str, arrays: Vec<(String, Tensor)>| {
        Weights::from_tensors(file, arrays).save(&folder.join(file), Kind::Half)
    };
    save("vgg.safetensors", thin_vgg(dice))?;
    let mut vse = dice.arrays(&[
        ("Wemb", &[known, WORD]),
        ("ff_image_W", &[FEATURE, JOINT]),
        ("ff_image_b", &[JOINT]),
    ]);
    vse.extend(dice.gru("encoder", WORD, JOINT));
    save("vse.safetensors", vse)?;
    save("uni_skip.safetensors", dice.gru("encoder", WORD, UNI))?;
    let ways = [
        dice.gru("encoder", WORD, BI),
        dice.gru("encoder_r", WORD, BI),
    ];
    save("bi_skip.safetensors", ways.into_iter().flatten().collect())?;
    let tables = dice.arrays(&[("utable", &[known, WORD]), ("btable", &[known, WORD])]);
    save("skip_tables.safetensors", tables)?;
    let thought = UNI + 2 * BI;
    let mut decoder = dice.arrays(&[
        ("Wemb", &[known, WORD]),
        ("ff_state_W", &[thought, STATE]),
        ("ff_state_b", &[STATE]),
        ("ff_hid_W", &[STATE, WORD]),
        ("ff_hid_b", &[WORD]),
        ("ff_logit_W", &[WORD, known]),
        ("ff_logit_b", &[known]),
    ]);
    decoder.extend(dice.gru("decoder", WORD, STATE));
    save("decoder.safetensors", decoder)?;
    let named: Vec<&str> = STYLES.into_iter().chain(["caption"]).collect();
    let styles = named
        .into_iter()
        .map(|name| (name.to_owned(), dice.tensor(&[thought], 0.5)));
    save("styles.safetensors", styles.collect())
}

/// A VGG-19 of two to four channels, named as the loader wants it.
fn thin_vgg(dice: &mut Dice) -> Vec<(String, Tensor)> {
    let mut arrays = Vec::new();
    let mut size = 3;
    for name in Vgg::parameter_names()
        .chunks(2)
        .filter(|pair| !pair[0].starts_with("fc8"))
    {
        let (shape, out): (Vec<i64>, i64) = match name[0].as_str() {
            "fc6_W" => (vec![size * 49, FEATURE], FEATURE),
            "fc7_W" => (vec![FEATURE, FEATURE], FEATURE),
            _ => (vec![4, size, 3, 3], 4),
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

fn write_manifest(folder: &Path, seed: u64) -> Result<()> {
    let mut manifest = manifest(seed);
    let entries = std::fs::read_dir(folder).map_err(|e| Error::file("list", folder, e))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != MANIFEST {
            let bytes = std::fs::read(entry.path()).map_err(|e| Error::file("read", folder, e))?;
            manifest.files.insert(name, sha256(&bytes));
        }
    }
    let path = folder.join(MANIFEST);
    let text = toml::to_string(&manifest)
        .map_err(|e| Error::format(path.display().to_string(), e.to_string()))?;
    std::fs::write(&path, text).map_err(|e| Error::file("write", &path, e))
}

fn manifest(seed: u64) -> Manifest {
    let style = |name: &str| Style {
        name: name.to_owned(),
        description: format!("Random numbers that are called {name}"),
        passages: 1,
        source: "chance".to_owned(),
    };
    Manifest {
        name: "rehearsal".to_owned(),
        version: seed.to_string(),
        language: "en".to_owned(),
        caption_style: "caption".to_owned(),
        style_vectors: "styles.safetensors".to_owned(),
        image_encoder: ImageEncoder {
            kind: ImageEncoderKind::Vgg19,
            file: Some("vgg.safetensors".to_owned()),
            fetched: None,
        },
        vse: VsePart {
            file: "vse.safetensors".to_owned(),
            words: "vse.words.txt".to_owned(),
            known_words: None,
            encoder: crate::vse::SentenceEncoder::Gru,
        },
        skip_thoughts: SkipThoughtsPart {
            uni: "uni_skip.safetensors".to_owned(),
            bi: "bi_skip.safetensors".to_owned(),
            tables: "skip_tables.safetensors".to_owned(),
            words: "skip.words.txt".to_owned(),
        },
        decoder: DecoderPart {
            file: "decoder.safetensors".to_owned(),
            words: "decoder.words.txt".to_owned(),
            deep_output: true,
        },
        gallery: GalleryPart {
            captions: "captions.txt".to_owned(),
        },
        styles: STYLES.map(style).to_vec(),
        training: toml::Table::new(),
        files: BTreeMap::new(),
    }
}
