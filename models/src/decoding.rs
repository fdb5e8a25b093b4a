//! From costs of next words to texts: search, chance, the rules of a story, and the loop that steps a decoder.
//!
//! No network is named here: whatever can be stepped can be searched. `pipeline` says what is wanted.

pub mod beam;
pub mod best_of;
pub mod decode_loop;
pub mod drawing;
pub mod hints;
pub mod hypothesis;
pub mod row_costs;
pub mod rules;
pub mod sampler;
