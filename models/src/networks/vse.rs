//! The joint space of pictures and sentences (visual-semantic embedding, algorithm.md §3).
//!
//! A picture's feature goes through one affine map, a sentence through a GRU (or a bag of words);
//! both end as unit vectors whose dot product says how well they match. Trainers and the gallery
//! use it too. Sentences are split at white space only: captions come pre-tokenised.

use crate::error::{Error, Result};
use crate::networks::batches::{AT_ONCE, by_length};
use crate::networks::gru::Gru;
use crate::tensors::unit_rows::unit_rows;
use crate::tensors::weights::Weights;
use crate::text::vocabulary::{EOS, Vocabulary};
use tch::{Device, Kind, Tensor};

/// How a sentence becomes a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SentenceEncoder {
    /// The last state of a GRU.
    #[default]
    Gru,
    /// The sum of the word vectors.
    Bow,
}

/// The joint embedding; F is the size of a picture's feature, D that of the space.
#[derive(Debug)]
pub struct Vse {
    vocabulary: Vocabulary,
    words: i64,
    table: Tensor,
    encoder: Option<Gru>,
    image_w: Tensor,
    image_b: Tensor,
}

impl Vse {
    /// Takes `Wemb` (V, E), the GRU `encoder`, `ff_image_W` (F, D) and `ff_image_b` (D). `words` is
    /// the number of ids the network knows (V or fewer).
    ///
    /// # Errors
    /// When an array is missing or the shapes do not fit each other or `words`.
    pub fn new(
        weights: &Weights,
        vocabulary: Vocabulary,
        words: usize,
        encoder: SentenceEncoder,
    ) -> Result<Self> {
        let table = weights.tensor("Wemb", &[-1, -1])?;
        let (rows, word_size) = table.size2()?;
        if words < 2 || words as i64 > rows {
            let reason = format!("it has {rows} word vectors, but {words} words are declared");
            return Err(Error::format(weights.label(), reason));
        }
        let encoder = match encoder {
            SentenceEncoder::Gru => Some(Gru::new(weights, "encoder")?),
            SentenceEncoder::Bow => None,
        };
        let size = encoder.as_ref().map_or(word_size, Gru::state_size);
        if let Some(gru) = encoder.as_ref().filter(|gru| gru.input_size() != word_size) {
            let reason = format!(
                "words have {word_size} numbers, `encoder` reads {}",
                gru.input_size()
            );
            return Err(Error::format(weights.label(), reason));
        }
        let image_w = weights.tensor("ff_image_W", &[-1, size])?;
        let image_b = weights.tensor("ff_image_b", &[size])?;
        Ok(Self {
            vocabulary,
            words: words as i64,
            table,
            encoder,
            image_w,
            image_b,
        })
    }

    /// The size F of the picture feature it expects.
    pub fn image_size(&self) -> i64 {
        self.image_w.size()[0]
    }

    /// The size D of the joint space.
    pub fn size(&self) -> i64 {
        self.image_w.size()[1]
    }

    /// Features (N, F) as an image encoder yields them to unit vectors (N, D): they are brought to
    /// unit length first (§2, step 6).
    pub fn embed_images(&self, features: &Tensor) -> Tensor {
        self.project_images(&unit_rows(features))
    }

    /// Features (N, F) that have their final length to unit vectors (N, D) (§3.3).
    pub fn project_images(&self, features: &Tensor) -> Tensor {
        unit_rows(&self.image_b.addmm(features, &self.image_w))
    }

    /// Sentences to unit vectors (N, D) (§3.2); `progress` learns how many are done.
    pub fn embed_sentences(&self, sentences: &[&str], progress: &mut dyn FnMut(usize)) -> Tensor {
        let ids: Vec<Vec<i64>> = sentences
            .iter()
            .map(|sentence| self.ids(sentence))
            .collect();
        let kind = (Kind::Float, self.table.device());
        let mut out = Tensor::zeros([ids.len() as i64, self.size()], kind);
        let mut done = 0;
        for (length, batch) in by_length(ids.iter().map(Vec::len), AT_ONCE) {
            let rows = self.encode(&ids, &batch, length);
            let places: Vec<i64> = batch.iter().map(|&i| i as i64).collect();
            let places = Tensor::from_slice(&places).to_device(self.table.device());
            let _ = out.index_copy_(0, &places, &rows);
            done += batch.len();
            progress(done);
        }
        out
    }

    /// The ids of a sentence, the end mark included: unlike skip-thoughts, this network reads it.
    fn ids(&self, sentence: &str) -> Vec<i64> {
        let words = sentence
            .split_whitespace()
            .map(|word| self.vocabulary.id(word, self.words));
        words.chain([EOS]).collect()
    }

    fn encode(&self, ids: &[Vec<i64>], batch: &[usize], length: usize) -> Tensor {
        let flat: Vec<i64> = batch.iter().flat_map(|&i| ids[i].iter().copied()).collect();
        let flat = Tensor::from_slice(&flat).to_device(self.table.device());
        let x = self.table.index_select(0, &flat);
        let x = x
            .view([batch.len() as i64, length as i64, -1])
            .transpose(0, 1)
            .contiguous();
        let raw = match &self.encoder {
            Some(gru) => gru.run(&x, None, None).select(0, length as i64 - 1),
            None => x.sum_dim_intlist(0i64, false, Kind::Float),
        };
        unit_rows(&raw)
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.table.device()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn weights(rows: i64) -> Weights {
        let float = (Kind::Float, Device::Cpu);
        let ramp = |shape: &[i64]| {
            let n: i64 = shape.iter().product();
            ((Tensor::arange(n, float) * 0.7).sin()).view(shape)
        };
        let arrays = [
            ("Wemb", ramp(&[rows, 4])),
            ("ff_image_W", ramp(&[3, 4])),
            ("ff_image_b", ramp(&[4])),
        ];
        Weights::from_tensors("bow", arrays.map(|(n, t)| (n.to_owned(), t)))
    }

    fn words() -> Vocabulary {
        Vocabulary::from_words(vec!["a".to_owned(), "dog".to_owned()])
    }

    #[test]
    fn a_bag_of_words_is_the_unit_sum_with_the_end_mark() {
        let vse = Vse::new(&weights(4), words(), 4, SentenceEncoder::Bow).unwrap();
        let out = vse.embed_sentences(&["dog a", "cat"], &mut |_| {});
        let table = weights(4).tensor("Wemb", &[4, 4]).unwrap();
        let sum = |ids: [i64; 3]| ids.iter().map(|&i| table.get(i)).sum::<Tensor>();
        let first = sum([3, 2, 0]);
        let first = &first / first.norm();
        assert!(out.get(0).allclose(&first, 1e-6, 1e-6, false));
        let second = table.get(1) + table.get(0);
        assert!(
            out.get(1)
                .allclose(&(&second / second.norm()), 1e-6, 1e-6, false)
        );
    }

    #[test]
    fn a_dark_feature_gives_no_nan() {
        let vse = Vse::new(&weights(4), words(), 4, SentenceEncoder::Bow).unwrap();
        let out = vse.embed_images(&Tensor::zeros([1, 3], (Kind::Float, Device::Cpu)));
        assert_eq!(out.isnan().any().int64_value(&[]), 0);
    }

    #[test]
    fn more_words_than_vectors_are_refused() {
        let error = Vse::new(&weights(3), words(), 4, SentenceEncoder::Bow).unwrap_err();
        assert!(error.to_string().contains("3 word vectors"), "{error}");
    }
}
