//! The networks that look at a picture and tell a story, their weights and their training.
//!
//! The pipeline is that of neural-storyteller (2015): image feature, joint embedding, nearest
//! captions, their skip-thought vectors, a shift from caption style to book style, and a decoder.
//! Nothing here knows of servers, queues or databases.

pub mod artifact;
mod batches;
pub mod beam;
pub mod best_of;
pub mod bundle;
pub mod corpus;
pub mod decoder;
pub mod detokenize;
pub mod device;
pub mod efficientnet;
mod error;
pub mod gallery;
pub mod grammar;
pub mod gru;
pub mod hints;
pub mod import;
pub mod original;
pub mod parity;
pub mod picture;
pub mod rehearsal;
pub mod rows;
pub mod rules;
pub mod sampler;
pub mod skip_thoughts;
pub mod storyteller;
pub mod style;
pub mod tokenize;
pub mod train;
pub mod vgg;
pub mod vocabulary;
pub mod vse;
pub mod weights;
pub mod writing;

pub use beam::Beam;
pub use bundle::Bundle;
pub use decoder::Decoder;
pub use error::{Error, Result};
pub use gallery::Gallery;
pub use gru::Gru;
pub use original::Original;
pub use picture::Picture;
pub use skip_thoughts::SkipThoughts;
pub use storyteller::Storyteller;
pub use style::Styles;
pub use vgg::Vgg;
pub use vocabulary::Vocabulary;
pub use vse::Vse;
pub use weights::Weights;
