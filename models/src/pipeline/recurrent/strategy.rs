//! How a story is to be written: by search or by chance, how long, and what it should speak of.
//!
//! `stages` asks once a request. A strict story follows the original's rules alone.

use crate::decoding::beam::{Beam, BeamOptions, Stop};
use crate::decoding::best_of::BestOf;
use crate::decoding::decode_loop::Strategy;
use crate::decoding::hints::Hints;
use crate::decoding::rules::Rules;
use crate::decoding::sampler::SamplerOptions;
use crate::pipeline::options::{Mode, Options};

/// The longest text that the original's search can write.
const STRICT_LENGTH: usize = 1000;
/// No run of this many words comes twice in a story.
const NO_REPEAT: usize = 4;
/// What each recent use of a word adds to its cost: a search for the likeliest text clings to a few
/// small words otherwise.
const WEARINESS: f32 = 0.3;
/// The same for drawn stories, which hardly cling: more than this costs grammar.
const WEARINESS_OF_CHANCE: f32 = 0.1;

/// The strategy, without a word yet, for such wishes and hints.
pub(super) fn strategy(wishes: &Options, hints: Hints) -> Strategy {
    let rules = Rules {
        hints,
        ..rules(wishes)
    };
    match wishes.mode {
        Mode::Beam => {
            let width = wishes.beam_width;
            Strategy::Beam(Beam::new(BeamOptions {
                width,
                rules,
                stop: Stop::WhenDecided,
            }))
        }
        Mode::Sample {
            temperature,
            top_p,
            seed,
        } => {
            let options = SamplerOptions {
                temperature,
                top_p,
                seed,
                rules,
            };
            Strategy::BestOf(BestOf::new(options, wishes.beam_width))
        }
    }
}

/// The most words that a story may have, marks included.
pub(super) fn longest(options: &Options) -> usize {
    rules(options).max_len
}

/// The rules of a story. One for people has room for marks between its words, and may not end before
/// it has four fifths of the words asked for, marks included: without a least length the likeliest
/// text is a short one.
fn rules(options: &Options) -> Rules {
    if options.strict {
        return Rules::original(STRICT_LENGTH);
    }
    let max_len = options.max_words + options.max_words / 4 + 2;
    let min_len = options.max_words * 4 / 5;
    Rules {
        min_len,
        no_repeat: NO_REPEAT,
        weariness: match options.mode {
            Mode::Beam => WEARINESS,
            Mode::Sample { .. } => WEARINESS_OF_CHANCE,
        },
        ..Rules::original(max_len)
    }
}
