//! The Treebank word rules of NLTK 3.1, in their order (algorithm.md §4.1).
//!
//! Called by `tokenize` with one sentence at a time. Each rule goes once from left to right over
//! the text that the rule before it left. Classes (digit, space, word) are ASCII, so the rules
//! work on bytes: they only ever insert beside ASCII marks, which keeps the text valid UTF-8.

use super::is_space;

/// Appends the words of a sentence to `tokens`.
pub(super) fn push_words(sentence: &str, tokens: &mut Vec<String>) {
    let mut text = opening_quotes(sentence.as_bytes());
    for rule in [separator_mark, last_separator, ellipsis, symbol] {
        text = rewrite(text, rule);
    }
    text = final_period(&text);
    for rule in [question_mark, closing_apostrophe, bracket, dashes] {
        text = rewrite(text, rule);
    }
    text.insert(0, b' ');
    text.push(b' ');
    for rule in [double_quote, glued_quotes, short_clitic, long_clitic] {
        text = rewrite(text, rule);
    }
    for (left, right) in CONTRACTIONS {
        let contraction = Contraction { left, right };
        text = rewrite(text, |text, at, out| contraction.cut(text, at, out));
    }
    let text = String::from_utf8_lossy(&text);
    tokens.extend(
        text.split(is_space)
            .filter(|w| !w.is_empty())
            .map(str::to_owned),
    );
}

/// Pairs that are cut apart; those starting with an apostrophe only after a space.
const CONTRACTIONS: [(&str, &str); 10] = [
    ("can", "not"),
    ("d", "'ye"),
    ("gim", "me"),
    ("gon", "na"),
    ("got", "ta"),
    ("lem", "me"),
    ("mor", "'n"),
    ("wan", "na"),
    ("'t", "is"),
    ("'t", "was"),
];

/// Applies one rule at each position: it writes a replacement and says how many bytes that
/// replaces, or 0 where it does not apply. Text that the rule leaves alone is not copied.
fn rewrite(text: Vec<u8>, rule: impl Fn(&[u8], usize, &mut Vec<u8>) -> usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        let before = out.len();
        match rule(&text, at, &mut out) {
            0 => at += 1,
            replaced => {
                // what stood between goes in front of the replacement
                out.splice(before..before, text[copied..at].iter().copied());
                at += replaced;
                copied = at;
            }
        }
    }
    if copied == 0 {
        return text;
    }
    out.extend_from_slice(&text[copied..]);
    out
}

fn opening_quotes(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    if text.first() == Some(&b'"') {
        text.splice(..1, *b"``");
    }
    let text = rewrite(text, |text, at, out| pad(text, at, out, b"``"));
    rewrite(text, |text, at, out| {
        if !b" ([{<".contains(&text[at]) || text.get(at + 1) != Some(&b'"') {
            return 0;
        }
        out.push(text[at]);
        out.extend_from_slice(b" `` ");
        2
    })
}

/// Writes `mark` with a space on both sides if it stands at `at`.
fn pad(text: &[u8], at: usize, out: &mut Vec<u8>, mark: &[u8]) -> usize {
    if !text[at..].starts_with(mark) {
        return 0;
    }
    out.push(b' ');
    out.extend_from_slice(mark);
    out.push(b' ');
    mark.len()
}

fn pad_any(text: &[u8], at: usize, out: &mut Vec<u8>, marks: &[u8]) -> usize {
    if marks.contains(&text[at]) {
        pad(text, at, out, &[text[at]])
    } else {
        0
    }
}

/// The byte after the mark is used up: in "a,,b" the second comma gets no space after it.
fn separator_mark(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    match text.get(at + 1) {
        Some(next) if b":,".contains(&text[at]) && !next.is_ascii_digit() => {
            out.extend_from_slice(&[b' ', text[at], b' ', *next]);
            2
        }
        _ => 0,
    }
}

fn last_separator(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    if at + 1 < text.len() {
        return 0;
    }
    pad_any(text, at, out, b":,")
}

fn ellipsis(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    pad(text, at, out, b"...")
}

fn symbol(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    pad_any(text, at, out, b";@#$%&")
}

/// Cuts off a single period that only closing marks and white space follow.
fn final_period(text: &[u8]) -> Vec<u8> {
    let end = text.iter().rposition(|&b| !is_ascii_space(b));
    let body = end.map_or(&text[..0], |end| &text[..=end]);
    let closers = body
        .iter()
        .rev()
        .take_while(|b| b"])}>\"'".contains(b))
        .count();
    let (head, closers) = body.split_at(body.len() - closers);
    match head {
        [words @ .., before, b'.'] if *before != b'.' => {
            [words, &[*before], b" .", closers, b" "].concat()
        }
        _ => text.to_vec(),
    }
}

fn question_mark(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    pad_any(text, at, out, b"?!")
}

fn closing_apostrophe(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    match text[at..] {
        [before, b'\'', b' ', ..] if before != b'\'' => {
            out.extend_from_slice(&[before, b' ', b'\'', b' ']);
            3
        }
        _ => 0,
    }
}

fn bracket(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    pad_any(text, at, out, b"[](){}<>")
}

fn dashes(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    pad(text, at, out, b"--")
}

fn double_quote(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    if text[at] != b'"' {
        return 0;
    }
    out.extend_from_slice(b" '' ");
    1
}

fn glued_quotes(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    match text[at..] {
        [before, b'\'', b'\'', ..] if !is_ascii_space(before) => {
            out.extend_from_slice(&[before, b' ', b'\'', b'\'', b' ']);
            3
        }
        _ => 0,
    }
}

fn short_clitic(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let clitics = ["'s", "'S", "'m", "'M", "'d", "'D", "'"];
    clitic(text, at, out, &clitics)
}

fn long_clitic(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let clitics = ["'ll", "'LL", "'re", "'RE", "'ve", "'VE", "n't", "N'T"];
    clitic(text, at, out, &clitics)
}

/// Cuts one of `clitics` off the word it ends; the byte before it must be no space or apostrophe.
fn clitic(text: &[u8], at: usize, out: &mut Vec<u8>, clitics: &[&str]) -> usize {
    if matches!(text[at], b'\'' | b' ') {
        return 0;
    }
    for clitic in clitics {
        let length = clitic.len();
        let rest = &text[at + 1..];
        if rest.starts_with(clitic.as_bytes()) && rest.get(length) == Some(&b' ') {
            out.extend_from_slice(&[text[at], b' ']);
            out.extend_from_slice(clitic.as_bytes());
            out.push(b' ');
            return length + 2;
        }
    }
    0
}

/// Two words that were written as one.
struct Contraction {
    left: &'static str,
    right: &'static str,
}

impl Contraction {
    /// Cuts the two apart if they stand here.
    fn cut(&self, text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
        let Self { left, right } = *self;
        // the two that begin with an apostrophe take the space before it along
        let space = usize::from(left.starts_with('\''));
        let start = at + space;
        let end = start + left.len() + right.len();
        let Some(found) = text.get(start..end) else {
            return 0;
        };
        let (first, second) = found.split_at(left.len());
        if !first.eq_ignore_ascii_case(left.as_bytes())
            || !second.eq_ignore_ascii_case(right.as_bytes())
        {
            return 0;
        }
        let before_fits = if space == 1 {
            text[at] == b' '
        } else {
            at == 0 || !is_word(text[at - 1])
        };
        // "wanna" is the one that needs a space, and takes it along
        let taken = usize::from(left == "wan");
        let after_fits = match text.get(end) {
            Some(b' ') => true,
            Some(&after) => taken == 0 && !is_word(after),
            None => taken == 0,
        };
        if !before_fits || !after_fits {
            return 0;
        }
        out.push(b' ');
        out.extend_from_slice(first);
        out.push(b' ');
        out.extend_from_slice(second);
        out.push(b' ');
        end + taken - at
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_ascii_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
