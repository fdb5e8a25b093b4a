//! From costs of next words to texts: search, chance, the rules of a story, and the loop that steps a decoder.
//!
//! Nothing here knows what a story is about; `pipeline` says what is wanted.

pub mod beam;
pub mod best_of;
pub mod decode_loop;
pub mod hints;
pub mod rules;
pub mod sampler;
