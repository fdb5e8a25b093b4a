//! The networks that look at a picture and tell a story, their weights and their training.
//!
//! The pipeline is that of neural-storyteller (2015): image feature, joint embedding, nearest
//! captions, their skip-thought vectors, a shift from caption style to book style, and a decoder.
//! Nothing here knows of servers, queues or databases.

pub mod detokenize;
mod error;
pub mod gru;
pub mod tokenize;
pub mod vocabulary;
pub mod weights;

pub use error::{Error, Result};
pub use gru::Gru;
pub use vocabulary::Vocabulary;
pub use weights::Weights;
