//! What a story is told to speak of: the shifted thought, and the words read out of it.
//!
//! F(x) = μ + (x − c) + s·p·Σ wᵢ(bᵢ − μ)/|bᵢ − μ|: x is the mean thought of the captions, c that of all captions, μ that of
//! prose, b the style's, s the strength. Words of content come from three witnesses: what x − c reads as, what the captions
//! say, and what the word head sees in the picture itself. Words of style are read from the style's own direction, and drawn
//! by the picture, so that no word stands in every story of a style; where a request names the style, none are told.

use super::Language;
use super::asking::{About, says_style, told, unit};
use super::casting::{Cast, cast};
use super::item::{CAPTIONS_OF_A_THOUGHT, Item};
use crate::error::Result;
use crate::networks::word_head::WordHead;
use crate::pipeline::options::Options;
use crate::pipeline::seeing::Look;
use crate::pipeline::verse::STANZA;
use crate::pipeline::writer::told::Heard;
use crate::pipeline::writer::{Prompt, Unit};
use crate::text::sentences::all_sentences;
use crate::text::words::plain_words;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, HashSet};
use tch::{Kind, Tensor};

/// Captions whose words are counted.
const CAPTIONS_HEARD: usize = 20;
/// How much a word counts for each that the captions agree on, the word head sees, or the thought reads as.
const SAID: f64 = 1.0;
const SEEN: f64 = 0.6;
const READ: f64 = 0.35;
/// Of a story that goes on, so many words are read again.
const WORDS_READ_AGAIN: usize = 90;
/// From so many words of a style, nearest first, those of one story are drawn.
const WORDS_OF_A_STYLE: usize = 40;

/// What a story is to be about.
#[derive(Debug)]
pub(super) struct Subject {
    /// The shifted thought (T).
    pub(super) thought: Tensor,
    /// The mean thought of the captions less that of all captions (T).
    pub(super) content: Tensor,
    /// Where the picture itself points (T), of length 1.
    pub(super) picture: Tensor,
    /// The mixed direction of the styles, of length 1 at strength 1 (T); zeros without style.
    pub(super) style: Tensor,
    /// The prefix.
    pub(super) prompt: Prompt,
    /// The words in it, for people.
    pub(super) words: Vec<String>,
    /// Whom it is about.
    pub(super) cast: Cast,
    /// What it is written in.
    pub(super) unit: Unit,
    /// The last sentences or lines of the story that it goes on from.
    pub(super) earlier: Vec<String>,
}

/// A story with all that is known before it is written.
pub(super) struct Ready {
    pub(super) item: Item,
    pub(super) subject: Subject,
}

/// Thinks: shifts the captions' thought into the style and reads the words out of it.
///
/// # Errors
/// When the captions cannot be read.
pub(super) fn think(language: &Language, item: &Item) -> Result<Subject> {
    let asked = item.options.captions.clamp(1, CAPTIONS_OF_A_THOUGHT);
    let used = item.found.iter().take(asked);
    let rows: Vec<i64> = used.map(|found| found.row as i64).collect();
    let thoughts = language
        .thoughts
        .index_select(0, &Tensor::from_slice(&rows));
    let content = thoughts.mean_dim(0i64, false, Kind::Float) - language.styles.caption();
    let style = language.styles.direction(&item.mix, &language.mean);
    let thought = &language.mean + &content + &style * language.part.style_pull;
    let words = words(language, item, &content, &style);
    let heard = Heard {
        thought: thought.shallow_clone(),
        style: style.shallow_clone(),
    };
    let cast = cast(language, item, &(&thought - &language.mean))?;
    let about = About {
        words: &words,
        cast: &cast,
        heard,
    };
    let told = told(language, item, about)?;
    let unit = unit(language, &item.options);
    let earlier = match unit {
        Unit::Sentence => last_sentences(&item.options.before),
        Unit::Line => last_lines(&item.options.before),
    };
    let before = match unit {
        Unit::Sentence => earlier.join(" "),
        Unit::Line => earlier.iter().map(|line| format!("{line}\n")).collect(),
    };
    Ok(Subject {
        thought,
        content,
        picture: language.seeing.direction(&item.look),
        style,
        prompt: Prompt { told, before },
        words: words
            .iter()
            .map(|&word| language.words.word(word).text.clone())
            .collect(),
        cast,
        unit,
        earlier,
    })
}

/// The last whole sentences of a text, as many as are read again.
fn last_sentences(text: &str) -> Vec<String> {
    let mut room = WORDS_READ_AGAIN;
    let mut last: Vec<String> = all_sentences(text)
        .into_iter()
        .rev()
        .map(|sentence| sentence.split_whitespace().collect::<Vec<_>>().join(" "))
        .take_while(|sentence| {
            let words = sentence.split(' ').count();
            let fits = words <= room;
            room = room.saturating_sub(words);
            fits
        })
        .collect();
    last.reverse();
    last
}

/// The last stanza of a song.
fn last_lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    lines[lines.len().saturating_sub(STANZA)..].to_vec()
}

/// The words of a story, content first.
fn words(language: &Language, item: &Item, content: &Tensor, style: &Tensor) -> Vec<usize> {
    let of_style = if says_style(language, &item.mix) {
        0
    } else {
        words_of_style_told(language, &item.options)
    };
    let mut words = words_of_content(language, item, content, language.part.words_told - of_style);
    if of_style > 0 {
        let near = words_of_style(language, style, &words);
        words.extend(drawn_by_the_picture(item, &near, of_style));
    }
    words
}

/// How many words say the style where nothing else does.
fn words_of_style_told(language: &Language, options: &Options) -> usize {
    let part = &language.part;
    let strength = if options.style.is_empty() {
        0.0
    } else {
        f64::from(options.style_strength.clamp(0.0, 2.0))
    };
    let of_style = (part.words_of_style as f64 * strength).round() as usize;
    of_style.min(part.words_told.saturating_sub(1))
}

/// Words that the witnesses agree on most.
fn words_of_content(
    language: &Language,
    item: &Item,
    content: &Tensor,
    count: usize,
) -> Vec<usize> {
    let mut weights: BTreeMap<usize, f64> = BTreeMap::new();
    let heard = item.found.iter().take(CAPTIONS_HEARD);
    for (place, found) in heard.enumerate() {
        // the first captions agree best with all others
        let weight = SAID / (1.0 + place as f64 / 4.0);
        for word in distinct_words(language, &language.captions[found.row]) {
            *weights.entry(word).or_default() += weight / CAPTIONS_OF_A_THOUGHT as f64;
        }
    }
    for (word, probability) in likely(&language.word_head, &item.look) {
        if let Some(word) = language.words.find(&word) {
            *weights.entry(word).or_default() += SEEN * probability;
        }
    }
    for (place, word) in language
        .words
        .read(content, count, &mut HashSet::new())
        .into_iter()
        .enumerate()
    {
        *weights.entry(word).or_default() += READ / (1.0 + place as f64 / 4.0);
    }
    let mut order: Vec<(usize, f64)> = weights.into_iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut taken = HashSet::new();
    let fresh = order
        .into_iter()
        .filter(|&(word, _)| taken.insert(language.words.word(word).stem()));
    fresh.map(|(word, _)| word).take(count).collect()
}

/// The likeliest words of a picture.
fn likely(head: &WordHead, look: &Look) -> Vec<(String, f64)> {
    let found = head.likeliest(&look.features(), 12);
    found
        .into_iter()
        .map(|(word, probability)| (word.to_owned(), f64::from(probability)))
        .collect()
}

/// The words of the list that a caption says, each once.
fn distinct_words(language: &Language, caption: &str) -> HashSet<usize> {
    let lower = caption.to_lowercase();
    let said = plain_words(&lower);
    said.filter_map(|word| language.words.find(word)).collect()
}

/// The words nearest to a style, but for the stems that are told already; none where there is no style.
fn words_of_style(language: &Language, style: &Tensor, told: &[usize]) -> Vec<usize> {
    if style.abs().max().double_value(&[]) == 0.0 {
        return Vec::new();
    }
    let stems = told.iter().map(|&word| language.words.word(word).stem());
    let mut taken = stems.map(str::to_owned).collect();
    language.words.read(style, WORDS_OF_A_STYLE, &mut taken)
}

/// Some of these words; which ones, the picture decides.
fn drawn_by_the_picture(item: &Item, words: &[usize], count: usize) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(item.seed(0));
    words.choose_multiple(&mut rng, count).copied().collect()
}
