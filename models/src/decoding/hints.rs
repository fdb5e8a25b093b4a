//! Words that a story should find room for: what the picture's captions speak of.
//!
//! A decoder trained on novels knows the mood of a caption better than its things. So each content word of the captions
//! costs a little less until the story has used it once (a soft form of lexically constrained decoding). The storyteller
//! makes the hints, `writing` takes them off the costs, `rules` puts them back once used. Strict stories have none.

use std::collections::HashMap;
use std::sync::Arc;

use tch::{Device, Tensor};

use crate::text::vocabulary::{EOS, UNK, Vocabulary};

/// What a word saves (in nats) if every caption has it. Chosen by reading: at 8 the words come where they make no sense,
/// at 3 they hardly come.
const FULL: f32 = 6.0;
/// The decoder's commonest words are no hints: they stand in every story anyway.
const COMMON: i64 = 150;

/// What each word saves while it is not used yet, by the decoder's ids.
#[derive(Clone, Debug, Default)]
pub struct Hints(Arc<HashMap<i64, f32>>);

impl Hints {
    /// The content words of captions; a word saves the more, the more captions have it.
    pub fn from_captions<'a>(
        captions: impl Iterator<Item = &'a str>,
        vocabulary: &Vocabulary,
        words: i64,
    ) -> Self {
        let mut counts: HashMap<i64, f32> = HashMap::new();
        let mut all = 0.0;
        for caption in captions {
            all += 1.0;
            let mut ids: Vec<i64> = caption
                .split(|c: char| !c.is_alphanumeric())
                .map(|word| vocabulary.id(&word.to_lowercase(), words))
                .filter(|&id| id != EOS && id != UNK && id > COMMON)
                .collect();
            ids.sort_unstable();
            ids.dedup();
            ids.into_iter()
                .for_each(|id| *counts.entry(id).or_default() += 1.0);
        }
        // the root: a thing that a quarter of the captions name is worth half
        counts
            .values_mut()
            .for_each(|count| *count = FULL * (*count / all).sqrt());
        Self(Arc::new(counts))
    }

    /// What `word` saves while it is not used.
    pub(crate) fn worth(&self, word: i64) -> f32 {
        self.0.get(&word).copied().unwrap_or(0.0)
    }

    /// The same as a row (1, V); `None` when there are no hints.
    pub(crate) fn row(&self, words: i64, device: Device) -> Option<Tensor> {
        if self.0.is_empty() {
            return None;
        }
        let mut row = vec![0f32; words as usize];
        for (&id, &worth) in self.0.iter() {
            row[id as usize] = worth;
        }
        Some(Tensor::from_slice(&row).unsqueeze(0).to_device(device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_more_captions_name_saves_more_and_common_words_save_nothing() {
        let mut words: Vec<String> = (0..COMMON).map(|i| format!("common{i}")).collect();
        words.extend(["dog", "fence"].map(str::to_owned));
        let (dog, fence) = (COMMON + 2, COMMON + 3);
        let vocabulary = Vocabulary::from_words(words);
        let captions = [
            "A Dog, a dog.",
            "a dog at a fence",
            "common3 dog",
            "dog runs",
        ];
        let hints = Hints::from_captions(captions.into_iter(), &vocabulary, fence + 1);
        assert_eq!(hints.worth(dog), FULL);
        assert_eq!(hints.worth(fence), FULL / 2.0);
        assert_eq!(hints.worth(5), 0.0);
        let unknown = Hints::from_captions(captions.into_iter(), &vocabulary, fence);
        assert_eq!(
            unknown.worth(fence),
            0.0,
            "the network does not know this word"
        );
        assert!(Hints::default().row(9, Device::Cpu).is_none());
    }
}
