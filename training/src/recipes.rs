//! What is trained, and how: the joint space, the sentence encoders, the decoder; modern recipes and the original's.
//!
//! `storyteller train` calls the `run` function of each. `graph` holds the original's costs, which the parity check
//! compares with what its trainers printed.

pub mod decoder;
pub mod graph;
pub mod skip_thoughts;
pub mod vse;
