//! How large a bundle of random weights is.
//! Tests take the tiny one; measurements of memory and time take the one that is as large as the original.

use tch::Kind;

/// The sizes of all parts.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Channels of the five blocks of VGG-19.
    pub channels: [i64; 5],
    /// A picture's feature.
    pub feature: i64,
    /// The joint space.
    pub joint: i64,
    /// Words of the joint space, and the size of one's vector.
    pub vse_words: usize,
    /// See `vse_words`.
    pub vse_word: i64,
    /// Words of the tables of the text encoders, without `<eos>` and `UNK`.
    pub table_words: usize,
    /// A word's vector there.
    pub word: i64,
    /// The state of the one-way encoder.
    pub uni: i64,
    /// The state of each half of the two-way encoder.
    pub bi: i64,
    /// Words of the decoder.
    pub decoder_words: usize,
    /// A word's vector there.
    pub decoder_word: i64,
    /// The decoder's state.
    pub state: i64,
    /// How many captions there are.
    pub captions: usize,
    /// Whether their embeddings are in the bundle, as after an import.
    pub vectors: bool,
    /// How numbers are stored.
    pub kind: Kind,
}

impl Sizes {
    /// Made and loaded in a moment.
    pub fn tiny() -> Self {
        Self {
            channels: [4; 5],
            feature: 32,
            joint: 24,
            vse_words: 36,
            vse_word: 12,
            table_words: 36,
            word: 12,
            uni: 20,
            bi: 10,
            decoder_words: 36,
            decoder_word: 12,
            state: 28,
            captions: 300,
            vectors: false,
            kind: Kind::Half,
        }
    }

    /// As large as the published models, 8 GB; the decoder's sizes are a guess, because nobody has written them down
    /// (algorithm.md §12).
    pub fn original() -> Self {
        Self {
            channels: [64, 128, 256, 512, 512],
            feature: 4096,
            joint: 1024,
            vse_words: 10_000,
            vse_word: 300,
            table_words: 930_911,
            word: 620,
            uni: 2400,
            bi: 1200,
            decoder_words: 20_000,
            decoder_word: 620,
            state: 1600,
            captions: 413_915,
            vectors: true,
            kind: Kind::Float,
        }
    }
}
