//! Text to tokens and back: books, sentences, words and their numbers, and text as people write it.
//!
//! The trained weights fit one way of cutting only, so whoever reads text for a network comes through here.

pub mod book;
pub mod detokenize;
pub mod encoding;
pub mod pieces;
pub mod rhyme;
pub mod sentences;
pub mod tokenize;
pub mod usage;
pub mod vocabulary;
pub mod wording;
pub mod words;
