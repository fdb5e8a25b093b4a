//! Judges what was drawn by the text that it is: where a sentence or a line ends, and what its reader makes of it.
//! What must stay true: a sentence is whole only if it ended by itself.

use super::{Reader, Sentence, Unit, Writer};
use crate::decoding::drawing::{Drawn, Ending, Judge};
use crate::error::Result;
use crate::text::sentences::ends_sentence;

/// Tokens of the shortest line that is broken off.
const LEAST_OF_A_LINE: usize = 4;
/// What a line may be broken off after.
const PAUSES: [char; 7] = [',', ';', ':', '.', '!', '?', '—'];

/// Judges tokens by the text that they are.
pub(super) struct InWords<'a> {
    pub(super) writer: &'a Writer,
    pub(super) reader: &'a mut dyn Reader,
}

impl Judge for InWords<'_> {
    fn closes(&self, tokens: &[usize]) -> bool {
        if self.reader.unit() == Unit::Line {
            return tokens
                .last()
                .is_some_and(|&last| self.writer.allowed.breaks(last));
        }
        let may = |&last: &usize| self.writer.allowed.closing[last];
        tokens.last().is_some_and(may)
            && self
                .writer
                .text(tokens)
                .is_ok_and(|text| ends_sentence(&text))
    }

    fn choose(&mut self, sentences: &mut [Drawn]) -> Result<Option<usize>> {
        let lines = self.reader.unit() == Unit::Line;
        let whole: Vec<bool> = sentences
            .iter()
            .map(|drawn| drawn.ending != Ending::Open)
            .collect();
        if lines {
            for drawn in sentences.iter_mut() {
                self.break_off(drawn)?;
            }
        }
        let read = |(drawn, &ended): (&Drawn, &bool)| {
            let text = self.writer.text(&drawn.tokens)?.trim().to_owned();
            let closed = lines || drawn.ending == Ending::Closed || ends_sentence(&text);
            Ok(Sentence {
                whole: closed && ended,
                last: drawn.ending == Ending::OfText,
                fluency: drawn.fluency(),
                text,
            })
        };
        let read = sentences
            .iter()
            .zip(&whole)
            .map(read)
            .collect::<Result<Vec<_>>>()?;
        let chosen = self.reader.choose(&read)?;
        if let Some(chosen) = chosen.filter(|_| lines) {
            self.end_line(&mut sentences[chosen].tokens);
        }
        Ok(chosen)
    }

    fn goes_on(&mut self, end_probability: f64) -> bool {
        self.reader.goes_on(end_probability)
    }
}

impl InWords<'_> {
    /// Makes a line of one that ran on as prose does: up to its last pause, or else its last whole word.
    fn break_off(&self, drawn: &mut Drawn) -> Result<()> {
        if drawn.ending != Ending::Open || drawn.tokens.len() < LEAST_OF_A_LINE {
            return Ok(());
        }
        let all = drawn.tokens.len();
        let kept = match self.last_pause(&drawn.tokens)? {
            Some(kept) => kept,
            None => self.last_word(&drawn.tokens)?,
        };
        // its share of the whole, so that the mean stays what it was
        drawn.log_probability *= kept as f64 / all as f64;
        drawn.tokens.truncate(kept);
        drawn.tokens.extend(self.writer.allowed.lines.first());
        drawn.ending = Ending::Closed;
        Ok(())
    }

    /// How many tokens come before the last pause, with it.
    fn last_pause(&self, tokens: &[usize]) -> Result<Option<usize>> {
        for kept in (LEAST_OF_A_LINE..=tokens.len()).rev() {
            if self.writer.text(&tokens[..kept])?.ends_with(PAUSES) {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }

    /// How many tokens come before the last word, of which there may be more to come; all where that leaves too few.
    fn last_word(&self, tokens: &[usize]) -> Result<usize> {
        for kept in (LEAST_OF_A_LINE..tokens.len()).rev() {
            if self.writer.text(&tokens[kept..=kept])?.starts_with(' ') {
                return Ok(kept);
            }
        }
        Ok(tokens.len())
    }

    /// Lets a line end as its place in the stanza asks for.
    fn end_line(&self, tokens: &mut [usize]) {
        let allowed = &self.writer.allowed;
        let end = if self.reader.stanza_ends() {
            allowed.lines.last()
        } else {
            allowed.lines.first()
        };
        let last = tokens.last_mut().filter(|last| allowed.breaks(**last));
        if let (Some(last), Some(&end)) = (last, end) {
            *last = end;
        }
    }
}
