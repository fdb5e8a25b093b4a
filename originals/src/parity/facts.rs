//! The golden files, and which of their entries were looked at.
//!
//! [`Numbers`] is an npz archive, [`Facts`] a JSON file. Whoever takes an entry out marks it; what is left in the end is
//! told as not covered. Lists count by their members' names: `beam[].scores`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tch::{Device, Tensor};

use crate::formats::read_npz;
use models::{Error, Result};

/// The arrays of a golden npz file.
pub(super) struct Numbers {
    file: PathBuf,
    arrays: BTreeMap<String, Tensor>,
    seen: RefCell<BTreeSet<String>>,
}

impl Numbers {
    /// Reads an archive; its arrays come on `device`, where networks take them.
    pub(super) fn open(file: &Path, device: Device) -> Result<Self> {
        let arrays = read_npz(file)?.into_iter();
        Ok(Self {
            file: file.to_owned(),
            arrays: arrays
                .map(|(name, array)| (name, array.to_tensor().to_device(device)))
                .collect(),
            seen: RefCell::default(),
        })
    }

    pub(super) fn get(&self, name: &str) -> Result<Tensor> {
        self.find(name).ok_or_else(|| {
            Error::format(
                self.file.display().to_string(),
                format!("it has no array {name}"),
            )
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<Tensor> {
        let found = self.arrays.get(name)?;
        self.seen.borrow_mut().insert(name.to_owned());
        Some(found.shallow_clone())
    }

    /// The names that start so, without that start.
    pub(super) fn names<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a str> {
        self.arrays
            .keys()
            .filter_map(move |name| name.strip_prefix(start))
    }

    pub(super) fn unseen(&self) -> Vec<String> {
        let seen = self.seen.borrow();
        let left = self.arrays.keys().filter(|name| !seen.contains(*name));
        left.cloned().collect()
    }
}

/// A golden JSON file.
pub(super) struct Facts {
    file: PathBuf,
    json: Value,
    seen: RefCell<BTreeSet<String>>,
}

impl Facts {
    pub(super) fn open(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|e| Error::file("read", file, e))?;
        let json = serde_json::from_str(&text)
            .map_err(|e| Error::format(file.display().to_string(), format!("no JSON: {e}")))?;
        Ok(Self {
            file: file.to_owned(),
            json,
            seen: RefCell::default(),
        })
    }

    pub(super) fn root(&self) -> Fact<'_> {
        Fact {
            facts: self,
            value: &self.json,
            path: String::new(),
        }
    }

    pub(super) fn unseen(&self) -> Vec<String> {
        let mut left = BTreeSet::new();
        self.collect_unseen(&self.json, "", &mut left);
        left.into_iter().collect()
    }

    fn collect_unseen(&self, value: &Value, path: &str, left: &mut BTreeSet<String>) {
        if self.seen.borrow().contains(path) {
            return;
        }
        match value {
            Value::Array(items) => {
                let path = format!("{path}[]");
                items
                    .iter()
                    .for_each(|item| self.collect_unseen(item, &path, left));
            }
            Value::Object(entries) => {
                for (name, value) in entries {
                    self.collect_unseen(value, &inner(path, name), left);
                }
            }
            _ => {
                left.insert(path.to_owned());
            }
        }
    }
}

fn inner(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// One entry of a JSON file.
#[derive(Clone)]
pub(super) struct Fact<'a> {
    facts: &'a Facts,
    value: &'a Value,
    path: String,
}

impl<'a> Fact<'a> {
    /// An entry that may be absent or null.
    pub(super) fn find(&self, name: &str) -> Option<Fact<'a>> {
        let fact = Fact {
            facts: self.facts,
            value: self.value.get(name)?,
            path: inner(&self.path, name),
        };
        if fact.value.is_null() {
            fact.seen();
            return None;
        }
        Some(fact)
    }

    pub(super) fn get(&self, name: &str) -> Result<Fact<'a>> {
        self.find(name)
            .ok_or_else(|| self.wrong(&format!("an entry {name}")))
    }

    /// The members of a list.
    pub(super) fn each(&self) -> Result<Vec<Fact<'a>>> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("a list"))?;
        let fact = |value| Fact {
            facts: self.facts,
            value,
            path: format!("{}[]", self.path),
        };
        Ok(items.iter().map(fact).collect())
    }

    /// The entries of an object by name.
    pub(super) fn entries(&self) -> Vec<(&'a str, Fact<'a>)> {
        let entries = self.value.as_object().into_iter().flatten();
        entries
            .filter_map(|(name, _)| Some((name.as_str(), self.find(name)?)))
            .collect()
    }

    pub(super) fn text(&self) -> Result<&'a str> {
        self.seen();
        self.value.as_str().ok_or_else(|| self.wrong("a text"))
    }

    pub(super) fn number(&self) -> Result<f64> {
        self.seen();
        self.value.as_f64().ok_or_else(|| self.wrong("a number"))
    }

    pub(super) fn whole(&self) -> Result<usize> {
        self.seen();
        let found = self.value.as_u64();
        Ok(found.ok_or_else(|| self.wrong("a whole number"))? as usize)
    }

    /// Whether it is true; what is absent or something else is not.
    pub(super) fn holds(&self) -> bool {
        self.seen();
        self.value == &Value::Bool(true)
    }

    pub(super) fn texts(&self) -> Result<Vec<String>> {
        let text = |fact: Fact<'a>| fact.text().map(str::to_owned);
        self.list(text)
    }

    pub(super) fn numbers(&self) -> Result<Vec<f64>> {
        self.list(|fact| fact.number())
    }

    pub(super) fn wholes(&self) -> Result<Vec<i64>> {
        self.list(|fact| Ok(fact.whole()? as i64))
    }

    fn list<T>(&self, read: impl Fn(Fact<'a>) -> Result<T>) -> Result<Vec<T>> {
        self.seen();
        self.each()?.into_iter().map(read).collect()
    }

    /// Marks it, with all that is in it, as looked at or as written for people.
    pub(super) fn seen(&self) {
        self.facts.seen.borrow_mut().insert(self.path.clone());
    }

    fn wrong(&self, wanted: &str) -> Error {
        let reason = format!("{wanted} is expected at {:?}", self.path);
        Error::format(self.facts.file.display().to_string(), reason)
    }
}
