//! What is trained, and how: the joint space, the sentence encoders, the decoder; modern recipes and the original's.
//!
//! `storyteller train` runs a `Recipe` of one of three; `settings` is what they share. `graph` computes scores and the
//! original's costs, which the parity check compares with what its trainers printed; `costs` are what is minimised.

pub mod adapter;
pub mod captions;
pub mod costs;
pub mod decoder;
pub mod graph;
pub mod joint;
pub mod pseudo;
pub mod settings;
pub mod skip_thoughts;
pub mod vse;
pub mod word_head;
