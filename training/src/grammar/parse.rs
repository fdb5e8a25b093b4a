//! Reads a grammar file. Its format is described at the head of `gallery/grammar.txt`.
//!
//! Called by `grammar` only. A rule that is used must be there, and a rule that is there must be
//! used: both are errors that name the line, because a slip would silently impoverish a gallery.

use super::{Alternative, Grammar, Mark, Part, Topic};
use models::{Error, Result};
use std::collections::{HashMap, HashSet};

/// How often an optional part is said when the file does not tell (per cent).
const USUALLY: u32 = 50;

/// Reads the whole file.
pub(super) fn grammar(text: &str) -> Result<Grammar> {
    let entries = entries(text)?;
    let mut names = HashMap::new();
    for (number, entry) in entries.iter().enumerate() {
        if names.insert(entry.name.clone(), number).is_some() {
            return Err(entry.error(format!("rule `{}` is there twice", entry.name)));
        }
    }
    let mut grammar = Grammar {
        rules: Vec::new(),
        topics: Vec::new(),
        loose: list(&entries, "loose"),
        again: list(&entries, "again"),
    };
    let mut used = HashSet::from(["loose", "again"].map(str::to_owned));
    for (rule, entry) in entries.iter().enumerate() {
        let mut reader = Reader {
            entry,
            names: &names,
            at: 0,
            used: &mut used,
        };
        grammar.rules.push(reader.alternatives(None)?);
        if let Some(weight) = entry.topic {
            let name = entry.name.clone();
            grammar.topics.push(Topic { name, weight, rule });
        }
    }
    let unused = |entry: &&Entry| entry.topic.is_none() && !used.contains(&entry.name);
    match entries.iter().find(unused) {
        Some(entry) => Err(entry.error(format!("rule `{}` is never used", entry.name))),
        None if grammar.topics.is_empty() => Err(Error::format(
            "the grammar",
            "it has no topic; start one with `topic NAME =`",
        )),
        None => Ok(grammar),
    }
}

/// The words of a rule that is a list and not for saying.
fn list(entries: &[Entry], name: &str) -> HashSet<String> {
    let rules = entries.iter().filter(|entry| entry.name == name);
    let words = rules.flat_map(|entry| &entry.tokens);
    words.filter(|word| *word != "|").cloned().collect()
}

/// A rule as text: its name, its right side cut into tokens, the line it starts on.
struct Entry {
    name: String,
    topic: Option<f64>,
    tokens: Vec<String>,
    line: usize,
}

impl Entry {
    fn error(&self, reason: impl Into<String>) -> Error {
        Error::format(format!("line {} of the grammar", self.line), reason)
    }
}

/// Collects rules: a line that starts with white space goes on with the rule above it.
fn entries(text: &str) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with(char::is_whitespace) {
            let Some(entry) = entries.last_mut() else {
                return Err(Error::format("the grammar", "its first line is indented"));
            };
            entry.tokens.extend(tokens(line));
            continue;
        }
        entries.push(entry(line, number + 1)?);
    }
    Ok(entries)
}

fn entry(line: &str, number: usize) -> Result<Entry> {
    let wrong = |reason: &str| Error::format(format!("line {number} of the grammar"), reason);
    let (head, body) = line
        .split_once('=')
        .ok_or_else(|| wrong("a rule is written `name = words | words`"))?;
    let head: Vec<&str> = head.split_whitespace().collect();
    let (name, topic) = match head[..] {
        ["topic", name] => (name, Some(1.0)),
        ["topic", name, weight] => {
            let weight = weight.parse::<f64>().ok().filter(|w| *w > 0.0);
            (
                name,
                Some(weight.ok_or_else(|| wrong("a topic's weight is a number above 0"))?),
            )
        }
        [name] => (name, None),
        _ => return Err(wrong("before `=` stands one name, or `topic NAME WEIGHT`")),
    };
    Ok(Entry {
        name: name.to_owned(),
        topic,
        tokens: tokens(body),
        line: number,
    })
}

/// Cuts at white space; brackets and bars are tokens of their own.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for word in text.split_whitespace() {
        let mut rest = word;
        while let Some(at) = rest.find(['(', ')', '[', ']', '|']) {
            if at > 0 {
                tokens.push(rest[..at].to_owned());
            }
            tokens.push(rest[at..=at].to_owned());
            rest = &rest[at + 1..];
        }
        if !rest.is_empty() {
            tokens.push(rest.to_owned());
        }
    }
    tokens
}

struct Reader<'a> {
    entry: &'a Entry,
    names: &'a HashMap<String, usize>,
    at: usize,
    used: &'a mut HashSet<String>,
}

impl Reader<'_> {
    /// Alternatives up to the closing bracket, or to the end of the rule.
    fn alternatives(&mut self, close: Option<&str>) -> Result<Vec<Alternative>> {
        let mut found = Vec::new();
        loop {
            let mut weight = 1;
            let mut parts = Vec::new();
            let ended = loop {
                let Some(token) = self.entry.tokens.get(self.at) else {
                    if let Some(close) = close {
                        return Err(self.entry.error(format!("a `{close}` is missing")));
                    }
                    break true;
                };
                self.at += 1;
                match token.as_str() {
                    "|" => break false,
                    token if Some(token) == close => break true,
                    token if token.starts_with('^') => weight = self.weight(&token[1..])?,
                    token => parts.push(self.part(token)?),
                }
            };
            found.push(Alternative { weight, parts });
            if ended {
                return Ok(found);
            }
        }
    }

    fn weight(&self, text: &str) -> Result<u32> {
        text.parse()
            .ok()
            .filter(|weight| (1..=1000).contains(weight))
            .ok_or_else(|| {
                self.entry
                    .error(format!("weight ^{text} is not a number from 1 to 1000"))
            })
    }

    fn part(&mut self, token: &str) -> Result<Part> {
        match token {
            "(" => Ok(Part::Choice(self.alternatives(Some(")"))?)),
            "[" => self.optional(),
            ")" | "]" => Err(self.entry.error(format!("a `{token}` closes nothing"))),
            _ => self.word(token),
        }
    }

    fn optional(&mut self) -> Result<Part> {
        let mut percent = USUALLY;
        if let Some(told) = self.entry.tokens.get(self.at).and_then(|t| t.parse().ok()) {
            percent = told;
            self.at += 1;
        }
        let choice = self.alternatives(Some("]"))?;
        Ok(Part::Optional(percent, vec![Part::Choice(choice)]))
    }

    fn word(&mut self, token: &str) -> Result<Part> {
        if let Some(name) = token.strip_prefix('<').and_then(|t| t.strip_suffix('>')) {
            self.used.insert(name.to_owned());
            let rule = self.names.get(name);
            let rule =
                rule.ok_or_else(|| self.entry.error(format!("there is no rule `{name}`")))?;
            return Ok(Part::Rule(*rule));
        }
        if let Some(name) = token.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
            let mark = mark(name);
            return mark
                .map(Part::Mark)
                .ok_or_else(|| self.entry.error(format!("no mark is called {{{name}}}")));
        }
        if token.contains(['<', '>', '{', '}', '=']) {
            return Err(self
                .entry
                .error(format!("`{token}` is no word; a blank may be missing")));
        }
        let forms: Vec<String> = token.split('/').map(str::to_owned).collect();
        match forms.len() {
            1 => Ok(Part::Word(token.to_owned())),
            2 | 3 if forms.iter().all(|form| !form.is_empty()) => Ok(Part::Forms(forms)),
            _ => Err(self
                .entry
                .error(format!("`{token}` must have two or three forms"))),
        }
    }
}

fn mark(name: &str) -> Option<Mark> {
    Some(match name {
        "m" => Mark::Male,
        "f" => Mark::Female,
        "n" => Mark::Thing,
        "c" => Mark::Child,
        "p" => Mark::Plural,
        "v" => Mark::Finite,
        "g" => Mark::Gerund,
        "his" => Mark::His,
        "him" => Mark::Him,
        "himself" => Mark::Himself,
        _ => return None,
    })
}
