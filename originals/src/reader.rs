//! One folder of files as the 2015 code wrote and read them (algorithm.md §1), as networks.
//!
//! The import writes a bundle from it, the parity check compares its networks with the original's numbers. Files are
//! found under their original names, or named one by one. Options say what the arrays cannot (which encoder, whether
//! there is a deep output); sizes always come from the arrays.

pub(crate) mod dictionary;
mod image;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tch::Device;

use crate::formats;
use crate::formats::{Table, Value, read_npy, read_pickle};
use models::networks::skip_thoughts::SkipThoughtParts;
use models::networks::vse::SentenceEncoder;
use models::text::encoding;
use models::{Decoder, Error, Result, SkipThoughts, Styles, Vgg, Vocabulary, Vse, Weights};

/// A file that an original consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `uni_skip.npz`: the one-way sentence encoder.
    UniSkip,
    /// `bi_skip.npz`: the two-way sentence encoder.
    BiSkip,
    /// `utable.npy`: the word vectors of the one-way encoder.
    UniTable,
    /// `btable.npy`: the word vectors of the two-way encoder.
    BiTable,
    /// `dictionary.txt`: the word of each row of both tables.
    Words,
    /// `coco_embedding.npz` or `vse.npz`: the joint space; options and words lie beside it.
    Vse,
    /// `romance.npz`: the decoder; its options lie beside it.
    Decoder,
    /// `romance_dictionary.pkl`: the decoder's words.
    DecoderWords,
    /// `caption_style.npy`: the style of plain descriptions.
    CaptionStyle,
    /// `coco_train_caps.txt`: the captions.
    Captions,
    /// `vgg19.pkl`, `VGG_ILSVRC_19_layers.caffemodel`, `vgg19.safetensors` …: what looks at pictures.
    Vgg,
}

impl Part {
    /// Every part, in the order of the pipeline's files.
    pub const ALL: [Part; 11] = [
        Part::UniSkip,
        Part::BiSkip,
        Part::UniTable,
        Part::BiTable,
        Part::Words,
        Part::Vse,
        Part::Decoder,
        Part::DecoderWords,
        Part::CaptionStyle,
        Part::Captions,
        Part::Vgg,
    ];

    /// The names it is looked for under, the published one first.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Part::UniSkip => &["uni_skip.npz"],
            Part::BiSkip => &["bi_skip.npz"],
            Part::UniTable => &["utable.npy"],
            Part::BiTable => &["btable.npy"],
            Part::Words => &["dictionary.txt"],
            Part::Vse => &["coco_embedding.npz", "vse.npz"],
            Part::Decoder => &["romance.npz"],
            Part::DecoderWords => &["romance_dictionary.pkl"],
            Part::CaptionStyle => &["caption_style.npy"],
            Part::Captions => &["coco_train_caps.txt"],
            Part::Vgg => &[
                "vgg19.pkl",
                "VGG_ILSVRC_19_layers.caffemodel",
                "vgg19.caffemodel",
                "vgg19.safetensors",
                "efficientnet_lite0.pth",
                "efficientnet_lite0.safetensors",
            ],
        }
    }
}

/// One folder of 2015 files.
#[derive(Clone, Debug)]
pub struct Original {
    folder: PathBuf,
    named: BTreeMap<Part, PathBuf>,
}

impl Original {
    /// Looks at a folder; files are read when they are asked for.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let is_folder = std::fs::metadata(folder)
            .map_err(|error| Error::file("read", folder, error))?
            .is_dir();
        if !is_folder {
            let reason = "it is no folder: name the folder that holds the original's files";
            return Err(Error::format(folder.display().to_string(), reason));
        }
        Ok(Self {
            folder: folder.to_owned(),
            named: BTreeMap::new(),
        })
    }

    /// The same with one file named by hand.
    #[must_use]
    pub fn with(mut self, part: Part, file: PathBuf) -> Self {
        self.named.insert(part, file);
        self
    }

    /// Where a part lies, if it is there.
    pub fn find(&self, part: Part) -> Option<PathBuf> {
        self.named.get(&part).cloned().or_else(|| {
            let mut places = part.names().iter().map(|name| self.folder.join(name));
            places.find(|place| place.exists())
        })
    }

    /// Where a part lies.
    ///
    /// # Errors
    /// When it is not there: the message says under which names it was looked for.
    pub fn path(&self, part: Part) -> Result<PathBuf> {
        self.find(part).ok_or_else(|| {
            let names = part.names().join(" or ");
            let reason = format!("it holds no {names}; put the file there or name it by hand");
            Error::format(self.folder.display().to_string(), reason)
        })
    }

    /// The sentence encoders with their word tables in memory.
    ///
    /// # Errors
    /// When a file is missing or broken, or files do not fit each other.
    pub fn skip_thoughts(&self, device: Device) -> Result<SkipThoughts> {
        let tables = [self.path(Part::UniTable)?, self.path(Part::BiTable)?];
        self.skip_thoughts_with_tables(&tables[0], &tables[1], device)
    }

    /// The same with other word tables.
    ///
    /// # Errors
    /// As for [`Original::skip_thoughts`].
    pub fn skip_thoughts_with_tables(
        &self,
        uni: &Path,
        bi: &Path,
        device: Device,
    ) -> Result<SkipThoughts> {
        let table =
            |file: &Path| -> Result<tch::Tensor> { Table::open(file, &mut |_, _| {})?.to_tensor() };
        let tables = [
            ("utable".to_owned(), table(uni)?),
            ("btable".to_owned(), table(bi)?),
        ];
        let tables = Weights::from_tensors("the word tables", tables).to_device(device);
        SkipThoughts::new(&SkipThoughtParts {
            uni: &self.weights(Part::UniSkip)?.to_device(device),
            bi: &self.weights(Part::BiSkip)?.to_device(device),
            tables: &tables,
            words: &self.words()?,
        })
    }

    /// The word of each row of the word tables, stripped.
    ///
    /// # Errors
    /// When the file is missing or is not UTF-8.
    pub fn words(&self) -> Result<Vec<String>> {
        lines(&self.path(Part::Words)?)
    }

    /// The joint space.
    ///
    /// # Errors
    /// When a file is missing or broken, or files do not fit each other.
    pub fn vse(&self, device: Device) -> Result<Vse> {
        let (vocabulary, known, encoder) = self.vse_words()?;
        let weights = self.weights(Part::Vse)?.to_device(device);
        Vse::new(&weights, vocabulary, known, encoder)
    }

    /// The words of the joint space, how many ids the network knows, and how it reads a sentence.
    ///
    /// # Errors
    /// When a file is missing or broken.
    pub fn vse_words(&self) -> Result<(Vocabulary, usize, SentenceEncoder)> {
        let file = self.path(Part::Vse)?;
        let rows = self.weights(Part::Vse)?.tensor("Wemb", &[-1, -1])?.size()[0] as usize;
        let options = options(&beside(&file, ".pkl"))?;
        let known = whole(&options, "n_words").map_or(rows, |words| words.min(rows));
        let encoder = match options.get("encoder").and_then(Value::as_text) {
            Some("bow") => SentenceEncoder::Bow,
            Some("gru") | None => SentenceEncoder::Gru,
            Some(other) => {
                let what = beside(&file, ".pkl").display().to_string();
                let reason = format!("option `encoder` is {other:?}; known are 'gru' and 'bow'");
                return Err(Error::format(what, reason));
            }
        };
        let vocabulary = dictionary::read(&beside(&file, ".dictionary.pkl"))?;
        Ok((vocabulary, known, encoder))
    }

    /// The decoders of the folder: `romance` for `romance.npz`. Anything that starts a state from a thought is one.
    pub fn decoders(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<String> = entries
            .filter(|entry| {
                formats::npz_names(&entry.path()).is_ok_and(|names| {
                    let has = |name: &str| names.iter().any(|found| found == name);
                    has("ff_state_W") && has("decoder_W") && !has("encoder_W")
                })
            })
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some(name.strip_suffix(".npz")?.to_owned())
            })
            .collect();
        names.sort();
        names
    }

    /// The decoder in `NAME.npz` with its words.
    ///
    /// # Errors
    /// When a file is missing or broken, or files do not fit each other.
    pub fn decoder(&self, name: &str, device: Device) -> Result<(Decoder, Vocabulary)> {
        let file = self.decoder_file(name)?;
        let weights = formats::read_weights(&file)?.to_device(device);
        let decoder = Decoder::new(&weights, deep_output(&file, &weights)?)?;
        Ok((decoder, self.decoder_words(name)?))
    }

    /// Where the decoder of this name lies; `romance` may have been named by hand.
    ///
    /// # Errors
    /// When it is not there.
    pub fn decoder_file(&self, name: &str) -> Result<PathBuf> {
        match self.folder.join(format!("{name}.npz")) {
            file if file.exists() => Ok(file),
            _ => self.path(Part::Decoder),
        }
    }

    /// The words of a decoder: `NAME_dictionary.pkl`, or else those of `romance`.
    ///
    /// # Errors
    /// When neither is there, or it is broken.
    pub fn decoder_words(&self, name: &str) -> Result<Vocabulary> {
        match self.folder.join(format!("{name}_dictionary.pkl")) {
            file if file.exists() => dictionary::read(&file),
            _ => dictionary::read(&self.path(Part::DecoderWords)?),
        }
    }

    /// The style vectors: `caption` and one for each `NAME_style.npy`, cast to f32.
    ///
    /// # Errors
    /// When the caption style is missing, there is no other one, or sizes differ.
    pub fn styles(&self) -> Result<Styles> {
        let weights = self.style_vectors()?;
        let size = weights.tensor("caption", &[-1])?.size()[0];
        Styles::new(&weights, "caption", size, 0)
    }

    /// The arrays of [`Original::styles`] by their names.
    ///
    /// # Errors
    /// As for [`Original::styles`].
    pub fn style_vectors(&self) -> Result<Weights> {
        let caption = self.path(Part::CaptionStyle)?;
        let mut vectors = vec![("caption".to_owned(), read_npy(&caption)?.to_tensor())];
        let entries =
            std::fs::read_dir(&self.folder).map_err(|e| Error::file("list", &self.folder, e))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(style) = name.strip_suffix("_style.npy").filter(|s| *s != "caption") {
                vectors.push((style.to_owned(), read_npy(&entry.path())?.to_tensor()));
            }
        }
        if vectors.len() == 1 {
            let reason = "it holds no style beside caption_style.npy, such as romance_style.npy";
            return Err(Error::format(self.folder.display().to_string(), reason));
        }
        let flat = |(name, vector): (String, tch::Tensor)| (name, vector.view([-1]));
        Ok(Weights::from_tensors(
            self.folder.join("*_style.npy").display().to_string(),
            vectors.into_iter().map(flat),
        ))
    }

    /// The captions, one a line; copies stay, since each counts.
    ///
    /// # Errors
    /// When the file is missing or is not UTF-8.
    pub fn captions(&self) -> Result<Vec<String>> {
        lines(&self.path(Part::Captions)?)
    }

    /// What looks at pictures, if the folder has it.
    ///
    /// # Errors
    /// When the file is broken or holds another network.
    pub fn vgg(&self, device: Device) -> Result<Option<Vgg>> {
        match self.find(Part::Vgg) {
            Some(file) => Vgg::load(&read_vgg(&file)?.to_device(device)).map(Some),
            None => Ok(None),
        }
    }

    /// The arrays of an npz part.
    pub(crate) fn weights(&self, part: Part) -> Result<Weights> {
        formats::read_weights(&self.path(part)?)
    }
}

pub use image::{read_image_encoder, read_vgg};

/// Whether a decoder has a layer between state and words: its arrays decide, then its options, then yes.
///
/// # Errors
/// When options and arrays contradict each other so that no network comes of them.
pub fn deep_output(file: &Path, weights: &Weights) -> Result<bool> {
    let options = beside(file, ".pkl");
    let said = if options.exists() {
        options_of(&options)?.get("doutput").and_then(Value::as_int)
    } else {
        None
    };
    let has_layer = weights.contains("ff_hid_W");
    // a file may hold a layer that a plain output never used; without the layer there is no deep output
    Ok(has_layer && said.is_none_or(|said| said != 0))
}

/// The options in a pickle; none if there is no such file.
pub(crate) fn options(file: &Path) -> Result<Value> {
    if file.exists() {
        options_of(file)
    } else {
        Ok(Value::Dict(Vec::new()))
    }
}

fn options_of(file: &Path) -> Result<Value> {
    let (value, _) = pickle(file)?;
    match value {
        Value::Dict(_) => Ok(value),
        _ => Err(Error::format(
            file.display().to_string(),
            "a dictionary of options is expected in it",
        )),
    }
}

pub(crate) fn pickle(file: &Path) -> Result<(Value, usize)> {
    let bytes = std::fs::read(file).map_err(|e| Error::file("read", file, e))?;
    read_pickle(&bytes).map_err(|e| Error::format(file.display().to_string(), e.to_string()))
}

fn whole(options: &Value, name: &str) -> Option<usize> {
    let number = options.get(name)?.as_int()?;
    usize::try_from(number).ok()
}

/// `romance.npz` to `romance.npz.pkl`.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn lines(file: &Path) -> Result<Vec<String>> {
    let bytes = std::fs::read(file).map_err(|e| Error::file("read", file, e))?;
    let text = String::from_utf8(bytes)
        .map_err(|e| Error::format(file.display().to_string(), format!("not UTF-8 text: {e}")))?;
    Ok(encoding::without_mark(&text)
        .split_terminator('\n')
        .map(|line| line.trim().to_owned())
        .collect())
}
