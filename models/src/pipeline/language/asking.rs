//! Says in words what a story is to be: whose manner, which picture, which words of the shifted thought.
//!
//! An instruction-tuned model understands a plain request better than soft tokens alone; an adapter that learnt behind the same
//! request makes its prose that of novels, and may hear soft tokens in it. The bundle holds the wording, marks of the model's
//! conversation included ([`wording`]). What must stay true: nothing of a caller's gets into it.

use super::Language;
use super::casting::Cast;
use super::item::Item;
use crate::bundle::styles::Mix;
use crate::error::Result;
use crate::pipeline::options::{Form, Options};
use crate::pipeline::writer::Unit;
use crate::pipeline::writer::told::{Heard, Told};
use crate::text::wording::{self, ADDED_MANNER, NO_MANNER, ask};

/// Of so many captions, the best first, the most fluent is told: captions made of short runs of words can be poor English, and
/// a model goes on as it is spoken to.
const CAPTIONS_READ: usize = 6;
/// Styles of a mix that are named, the weightiest first.
const MANNERS: usize = 2;

/// What a story is to be about, beside its captions.
pub(super) struct About<'a> {
    /// Words, by their places in the list.
    pub(super) words: &'a [usize],
    pub(super) cast: &'a Cast,
    pub(super) heard: Heard,
}

/// What the model is told for one story: a request where the bundle has a wording, else what its adapter was taught with.
///
/// # Errors
/// When the captions cannot be read.
pub(super) fn told(language: &Language, item: &Item, about: About) -> Result<Told> {
    let wording = match unit(language, &item.options) {
        Unit::Sentence => &language.part.request,
        Unit::Line => &language.part.lyrics_request,
    };
    let pieces = language.writer.pieces();
    let words = about.words.iter().map(|&word| language.words.word(word));
    let Some(wording) = wording else {
        let tokens: Vec<i64> = words.map(|word| word.token).collect();
        return Told::learnt(pieces, about.heard, &tokens);
    };
    let asked = ask(
        wording,
        &wording::Subject {
            manner: &manner(language, &item.mix),
            caption: most_fluent(language, item)?,
            words: &words.map(|word| word.text.clone()).collect::<Vec<_>>(),
            hero: &about.cast.hero,
            turn: &about.cast.turn,
        },
    );
    Told::asked(pieces, &asked, about.heard)
}

/// What a story is written in: lines where lyrics are asked for, and the bundle has a wording for them and its model ends of lines.
pub(super) fn unit(language: &Language, options: &Options) -> Unit {
    let has_wording = language.part.lyrics_request.is_some() && language.writer.writes_lines();
    if options.form == Form::Lyrics && has_wording {
        Unit::Line
    } else {
        Unit::Sentence
    }
}

/// Whether a request says all that the styles of a mix are: then no words of theirs need to be told.
pub(super) fn says_style(language: &Language, mix: &Mix) -> bool {
    let mut names = mix.names_by_weight();
    language.part.request.is_some() && names.all(|name| language.manners.contains_key(name))
}

/// The best caption to speak of.
fn most_fluent<'a>(language: &'a Language, item: &Item) -> Result<&'a str> {
    let read = item.options.captions.clamp(1, CAPTIONS_READ);
    let best = item.found.iter().take(read);
    let captions: Vec<&str> = best
        .map(|found| language.captions[found.row].as_str())
        .collect();
    let fluency = language.writer.fluency(&captions)?;
    let best = captions
        .into_iter()
        .zip(fluency)
        .max_by(|(_, a), (_, b)| a.total_cmp(b));
    Ok(best.map_or("", |(caption, _)| caption))
}

/// How the styles of a mix are named.
fn manner(language: &Language, mix: &Mix) -> String {
    let own = |name| language.manners.get(name).map(String::as_str);
    let mut manners: Vec<&str> = mix
        .names_by_weight()
        .take(MANNERS)
        .map(|name| own(name).unwrap_or(ADDED_MANNER))
        .collect();
    manners.dedup();
    if manners.is_empty() {
        return NO_MANNER.to_owned();
    }
    manners.join(" that is also ")
}
