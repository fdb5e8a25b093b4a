//! What trained networks are worth, in numbers: sentence vectors, stories, and what tells styles apart.
//!
//! `storyteller evaluate` prints them, and a bundle's card quotes them. What must stay true: the same inputs and the same
//! seed give the same numbers. Retrieval is measured by [`crate::recipes::vse::recall`], the decoder by
//! [`crate::recipes::decoder::perplexity`].

pub mod copying;
pub mod finding;
pub mod flow;
pub mod probe;
pub mod reading;
pub mod seeing;
pub mod sentences;
pub mod stories;
mod words;
