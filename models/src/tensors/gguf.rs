//! Reads GGUF files: named, quantised matrices with a table of facts about them.
//!
//! Language models are published in this form; [`crate::networks::llama`] and [`crate::text::pieces`] take what they need
//! from it. The file is mapped and every length is checked against its size before it is believed, so that a damaged or
//! hostile file is refused and never makes us allocate more than it holds. Format: version 2 and 3 of the GGUF
//! specification (ggml-org).

mod blocks;
mod facts;

use crate::error::{Error, Result};
use crate::tensors::device::copied::copied_numbers;
use crate::tensors::device::mapped::Mapped;
use crate::tensors::shape;
pub use blocks::BlockKind;
use facts::Cursor;
pub use facts::Fact;
use std::collections::BTreeMap;
use std::path::Path;
use tch::Tensor;

/// Tensors in a file: a model of 400 layers has some 4,000.
const MOST_TENSORS: u64 = 100_000;
/// Facts in a file: those at hand have some thirty.
const MOST_FACTS: u64 = 100_000;
/// Axes of a tensor.
const MOST_AXES: u32 = 4;

/// A mapped GGUF file.
#[derive(Debug)]
pub struct Gguf {
    file: Mapped,
    facts: BTreeMap<String, Fact>,
    tensors: BTreeMap<String, Held>,
}

/// Where a tensor lies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    kind: BlockKind,
    /// Outermost axis first, as libtorch counts them.
    shape: Vec<i64>,
    start: usize,
    bytes: usize,
}

impl Gguf {
    /// Maps a file and reads its table of contents.
    ///
    /// # Errors
    /// When it cannot be read, is no GGUF file, or promises more than it holds.
    pub fn open(path: &Path) -> Result<Self> {
        let file = Mapped::open(path)?;
        let label = path.display().to_string();
        let contents =
            Contents::read(file.bytes()).map_err(|reason| Error::format(label, reason))?;
        Ok(Self {
            file,
            facts: contents.facts,
            tensors: contents.tensors,
        })
    }

    /// What is said under `key`.
    ///
    /// # Errors
    /// When nothing is.
    pub fn fact(&self, key: &str) -> Result<&Fact> {
        self.facts
            .get(key)
            .ok_or_else(|| self.wrong(format!("it does not say `{key}`")))
    }

    /// A whole number.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn whole(&self, key: &str) -> Result<i64> {
        self.fact(key)?
            .whole()
            .ok_or_else(|| self.wrong(format!("`{key}` is no whole number")))
    }

    /// A number.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn number(&self, key: &str) -> Result<f64> {
        self.fact(key)?
            .number()
            .ok_or_else(|| self.wrong(format!("`{key}` is no number")))
    }

    /// A text.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn text(&self, key: &str) -> Result<&str> {
        match self.fact(key)? {
            Fact::Text(text) => Ok(text),
            _ => Err(self.wrong(format!("`{key}` is no text"))),
        }
    }

    /// A list of texts.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn texts(&self, key: &str) -> Result<&[String]> {
        match self.fact(key)? {
            Fact::Texts(texts) => Ok(texts),
            _ => Err(self.wrong(format!("`{key}` is no list of texts"))),
        }
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The names of all tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// How the tensor `name` is written.
    pub fn kind(&self, name: &str) -> Option<BlockKind> {
        self.tensors.get(name).map(|held| held.kind)
    }

    /// A tensor as 32-bit floats; -1 in `shape` accepts any length.
    ///
    /// # Errors
    /// When there is none of this name, or it has another shape.
    pub fn tensor(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let held = self.tensors.get(name).ok_or_else(|| self.missing(name))?;
        let fits = held.shape.len() == shape.len()
            && held
                .shape
                .iter()
                .zip(shape)
                .all(|(&f, &w)| w == -1 || w == f);
        if !fits {
            return Err(Error::Shape {
                file: self.label(),
                name: name.to_owned(),
                found: held.shape.clone(),
                wanted: shape.to_vec(),
            });
        }
        let bytes = &self.file.bytes()[held.start..held.start + held.bytes];
        let numbers = held.kind.unpack(bytes);
        Ok(copied_numbers(&numbers, &held.shape))
    }

    /// The path, for messages.
    pub fn label(&self) -> String {
        self.file.path().display().to_string()
    }

    fn missing(&self, name: &str) -> Error {
        let held: Vec<&str> = self.names().take(8).collect();
        Error::MissingArray {
            file: self.label(),
            name: name.to_owned(),
            held: held.join(", "),
        }
    }

    fn wrong(&self, reason: String) -> Error {
        Error::format(self.label(), reason)
    }
}

/// What stands before the tensors.
struct Contents {
    facts: BTreeMap<String, Fact>,
    tensors: BTreeMap<String, Held>,
}

impl Contents {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut cursor = Cursor::new(bytes);
        if cursor.take(4)? != b"GGUF" {
            return Err("it is no GGUF file: it does not begin with `GGUF`".to_owned());
        }
        let version = cursor.u32()?;
        if !(2..=3).contains(&version) {
            return Err(format!("it is GGUF version {version}; 2 and 3 are read"));
        }
        let tensor_count = cursor.at_most("tensors", MOST_TENSORS)?;
        let fact_count = cursor.at_most("facts", MOST_FACTS)?;
        let mut facts = BTreeMap::new();
        for _ in 0..fact_count {
            let key = cursor.text()?;
            let fact =
                Fact::read(&mut cursor).map_err(|reason| format!("fact `{key}`: {reason}"))?;
            facts.insert(key, fact);
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let name = cursor.text()?;
            let held =
                Held::read(&mut cursor).map_err(|reason| format!("tensor `{name}`: {reason}"))?;
            tensors.insert(name, held);
        }
        let alignment = facts
            .get("general.alignment")
            .and_then(Fact::whole)
            .unwrap_or(32);
        let data = aligned(cursor.place(), alignment)?;
        for (name, held) in &mut tensors {
            let end = data.checked_add(held.start).and_then(|start| {
                held.start = start;
                start.checked_add(held.bytes)
            });
            if end.is_none_or(|end| end > bytes.len()) {
                return Err(format!(
                    "tensor `{name}` ends beyond the file: the download may be incomplete"
                ));
            }
        }
        Ok(Self { facts, tensors })
    }
}

/// The next place that is a multiple of `alignment`.
fn aligned(place: usize, alignment: i64) -> Result<usize, String> {
    let step = usize::try_from(alignment)
        .ok()
        .filter(|step| step.is_power_of_two());
    let step =
        step.ok_or_else(|| format!("its alignment is {alignment}, a power of two is needed"))?;
    place
        .checked_next_multiple_of(step)
        .ok_or_else(|| "its table is too long".to_owned())
}

impl Held {
    fn read(cursor: &mut Cursor) -> Result<Self, String> {
        let axes = cursor.u32()?;
        if axes == 0 || axes > MOST_AXES {
            return Err(format!("it has {axes} axes; 1 to {MOST_AXES} are read"));
        }
        // the file names the innermost axis first
        let mut shape = Vec::new();
        let mut numbers = 1usize;
        for _ in 0..axes {
            let length = cursor.u64()?;
            let length = usize::try_from(length).map_err(|_| "an axis is too long".to_owned())?;
            numbers = numbers.checked_mul(length).ok_or("it is too large")?;
            shape.insert(
                0,
                i64::try_from(length).map_err(|_| "an axis is too long".to_owned())?,
            );
        }
        let kind = BlockKind::from_code(cursor.u32()?)?;
        if !shape::is_possible(shape.iter().map(|&length| length as usize)) {
            return Err("it is too large".to_owned());
        }
        let row = *shape.last().ok_or("it has no axes")? as usize;
        if !row.is_multiple_of(kind.values()) {
            return Err(format!(
                "rows of {row} numbers are no whole blocks of {}",
                kind.values()
            ));
        }
        let start =
            usize::try_from(cursor.u64()?).map_err(|_| "it begins beyond the file".to_owned())?;
        let bytes = (numbers / kind.values())
            .checked_mul(kind.bytes())
            .ok_or("it is too large")?;
        Ok(Self {
            kind,
            shape,
            start,
            bytes,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
