//! Sentence boundaries by the Punkt procedure (Kiss and Strunk 2006) as NLTK 3.1 carries it out,
//! with the English parameters that the `punkt_n` crate brings along.
//!
//! Called by `tokenize` only. A candidate is a mark that may end a sentence, with what follows
//! it; the words around it are annotated, and the last word but one or more must carry a break.
//! Only the crate's tables are used: its own splitter leaves closing quotes in the next sentence.

use super::is_space;
use punkt_n::TrainingData;
use std::sync::LazyLock;

mod words;

static ENGLISH: LazyLock<TrainingData> = LazyLock::new(TrainingData::english);

/// How a type has been seen: capitalised at all, inside a sentence, lower-case at its start, at all.
const SEEN_UPPER: u8 = 0b000_1110;
const SEEN_UPPER_INSIDE: u8 = 0b000_0100;
const SEEN_LOWER_FIRST: u8 = 0b001_0000;
const SEEN_LOWER: u8 = 0b111_0000;

/// Cuts a text into sentences. Closing quotes and brackets stay with the sentence they close.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut pieces = pieces(text).into_iter().peekable();
    let mut taken_back = 0;
    while let Some((start, end)) = pieces.next() {
        let start = start + taken_back;
        taken_back = 0;
        let mut stop = end;
        if let Some(&(next, next_end)) = pieces.peek()
            && let Some((closers, length)) = closing_marks(&text[next..next_end])
        {
            stop = next + closers;
            taken_back = length;
        }
        if start < stop {
            found.push(&text[start..stop]);
        }
    }
    found
}

/// Byte ranges between the breaks, before closing marks are moved.
fn pieces(text: &str) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut from = 0;
    while let Some(candidate) = next_candidate(text, from) {
        if holds_break(&text[candidate.start..candidate.context_end]) {
            pieces.push((start, candidate.end));
            start = candidate.next_token.unwrap_or(candidate.end);
        }
        from = candidate.end;
    }
    pieces.push((start, text.len()));
    pieces
}

/// Closing marks at the head of a piece that belong to the piece before: how many bytes they
/// are, and how many with the white space after them.
fn closing_marks(piece: &str) -> Option<(usize, usize)> {
    let mut closers = 0;
    while piece[closers..].starts_with(['"', '\'', ')', ']', '}']) {
        closers += 1;
        let rest = &piece[closers..];
        let space = rest.len() - rest.trim_start_matches(is_space).len();
        if space > 0 || rest.is_empty() || rest.starts_with("--") {
            return Some((closers, closers + space));
        }
    }
    None
}

/// A place where a sentence may end.
struct Candidate {
    start: usize,
    /// just behind the mark
    end: usize,
    /// where the next token starts, if white space comes first
    next_token: Option<usize>,
    /// behind the next token, or behind the punctuation that follows the mark
    context_end: usize,
}

/// The last mark of the first run of non-space characters that has one with something after it.
fn next_candidate(text: &str, from: usize) -> Option<Candidate> {
    let mut start = from;
    loop {
        start = find(text, start, |c| !is_space(c))?;
        let run_end = find(text, start, is_space).unwrap_or(text.len());
        let marks = text[start..run_end].rmatch_indices(['.', '?', '!']);
        for (mark, _) in marks {
            let end = start + mark + 1;
            if let Some(candidate) = followed(text, start, end, run_end) {
                return Some(candidate);
            }
        }
        start = run_end;
    }
}

fn followed(text: &str, start: usize, end: usize, run_end: usize) -> Option<Candidate> {
    if end < run_end {
        return text[end..]
            .starts_with(words::ends_word)
            .then_some(Candidate {
                start,
                end,
                next_token: None,
                context_end: end + 1,
            });
    }
    let next = find(text, end, |c| !is_space(c))?;
    Some(Candidate {
        start,
        end,
        next_token: Some(next),
        context_end: find(text, next, is_space).unwrap_or(text.len()),
    })
}

fn find(text: &str, from: usize, wanted: impl Fn(char) -> bool) -> Option<usize> {
    text[from..].find(wanted).map(|at| from + at)
}

/// Whether a word other than the last one of this context ends a sentence.
fn holds_break(context: &str) -> bool {
    let tokens: Vec<Token<'_>> = words::split(context).into_iter().map(Token::new).collect();
    tokens
        .windows(2)
        .any(|pair| breaks_between(&pair[0], &pair[1]))
}

/// A word with what can be said of it alone (the first pass of the procedure).
struct Token<'a> {
    text: &'a str,
    /// lower-cased, numbers all alike
    kind: String,
    ends_sentence: bool,
    shortened: bool,
    ellipsis: bool,
}

const NUMBER: &str = "##number##";

impl<'a> Token<'a> {
    fn new(text: &'a str) -> Self {
        let lower = text.to_lowercase();
        let mut token = Token {
            text,
            kind: if words::is_number(&lower) {
                NUMBER.to_owned()
            } else {
                lower
            },
            ends_sentence: matches!(text, "." | "?" | "!"),
            shortened: false,
            ellipsis: text.len() > 1 && text.bytes().all(|b| b == b'.'),
        };
        if !token.ends_sentence && text.ends_with('.') && !text.ends_with("..") {
            let stem = text[..text.len() - 1].to_lowercase();
            let last_part = stem.rsplit('-').next().unwrap_or(&stem);
            token.shortened = ENGLISH.contains_abbrev(&stem) || ENGLISH.contains_abbrev(last_part);
            token.ends_sentence = !token.shortened;
        }
        token
    }

    fn kind_without_period(&self) -> &str {
        match self.kind.strip_suffix('.') {
            Some(stem) if !stem.is_empty() => stem,
            _ => &self.kind,
        }
    }

    fn kind_without_break(&self) -> &str {
        if self.ends_sentence {
            self.kind_without_period()
        } else {
            &self.kind
        }
    }

    fn starts_upper(&self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }

    /// A single letter and a period.
    fn is_initial(&self) -> bool {
        let mut characters = self.text.chars();
        characters
            .next()
            .is_some_and(|c| c.is_alphabetic() || c == '_')
            && characters.as_str() == "."
    }

    fn seen(&self) -> u8 {
        ENGLISH.get_orthographic_context(self.kind_without_break())
    }

    /// Whether the way this word is written says that it starts a sentence.
    fn looks_first(&self) -> Option<bool> {
        if matches!(self.text, ";" | ":" | "," | "." | "!" | "?") {
            return Some(false);
        }
        let seen = self.seen();
        let starts_lower = self.text.starts_with(char::is_lowercase);
        if self.starts_upper() && seen & SEEN_LOWER != 0 && seen & SEEN_UPPER_INSIDE == 0 {
            Some(true)
        } else if starts_lower && (seen & SEEN_UPPER != 0 || seen & SEEN_LOWER_FIRST == 0) {
            Some(false)
        } else {
            None
        }
    }
}

/// The second pass: whether `token` ends a sentence, now that `next` is known.
fn breaks_between(token: &Token<'_>, next: &Token<'_>) -> bool {
    if !token.text.ends_with('.') {
        return token.ends_sentence;
    }
    let kind = token.kind_without_period();
    let next_kind = next.kind_without_break();
    if ENGLISH.contains_collocation(kind, next_kind) {
        return false;
    }
    let initial = token.is_initial();
    let looks_first = next.looks_first();
    if (token.shortened || token.ellipsis) && !initial {
        let starter = next.starts_upper() && ENGLISH.contains_sentence_starter(next_kind);
        if looks_first == Some(true) || starter {
            return true;
        }
    }
    if initial || kind == NUMBER {
        let never_lower = next.starts_upper() && next.seen() & SEEN_LOWER == 0;
        if looks_first == Some(false) || (looks_first.is_none() && initial && never_lower) {
            return false;
        }
    }
    token.ends_sentence
}
