//! Sentence vectors on held-out text: which of ten sentences comes next, and which sentences lie near each other.
//!
//! `storyteller evaluate sentences` calls it. The choice is by cosine between a sentence's own vector and those of the
//! candidates, once as the vectors are and once after the mean sentence was taken off: recurrent encoders put most of
//! every vector into what all sentences have in common.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use models::SkipThoughts;
use models::networks::skip_thoughts::Encoding;
use models::text::book::Book;

/// Sentences with fewer or more words are left out.
const WORDS: std::ops::RangeInclusive<usize> = 5..=40;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many sentences are asked for their next one.
    pub questions: usize,
    /// How many candidates each question has, the right one among them.
    pub candidates: usize,
    /// Which questions and candidates.
    pub seed: u64,
}

/// How often the next sentence was chosen, in per cent.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct NextSentence {
    /// How many were asked.
    pub questions: usize,
    /// Candidates of each.
    pub candidates: usize,
    /// By chance.
    pub chance: f64,
    /// By the cosine of the vectors.
    pub cosine: f64,
    /// By the cosine of the vectors less the mean vector.
    pub centred: f64,
    /// As `centred`, after every direction was scaled to the same spread.
    pub whitened: f64,
    /// As `whitened`, with all candidates from the same book: topic and manner help less.
    pub whitened_same_book: f64,
}

/// A sentence and the one that lies nearest to it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Near {
    /// The sentence.
    pub sentence: String,
    /// The nearest other one.
    pub nearest: String,
    /// Their cosine, less the mean vector.
    pub cosine: f64,
}

/// Held-out sentences with their vectors.
#[derive(Debug)]
pub struct Sentences {
    texts: Vec<String>,
    books: Vec<usize>,
    /// Whether the sentence after this one in the list is its next one in the book.
    followed: Vec<bool>,
    vectors: Tensor,
    centred: Tensor,
    whitened: Tensor,
}

impl Sentences {
    /// Encodes the sentences of `books`; of long books at most `most` sentences, from their middle.
    pub fn encode(encoder: &SkipThoughts, books: &[Book], most: usize) -> Sentences {
        let _no_grad = tch::no_grad_guard();
        let (mut texts, mut owners, mut followed) = (Vec::new(), Vec::new(), Vec::new());
        for (owner, book) in books.iter().enumerate() {
            let all: Vec<&String> = book.sentences().collect();
            let start = all.len().saturating_sub(most) / 2;
            let some = &all[start..all.len().min(start + most)];
            let fits = |place: usize| {
                let sentence: Option<&&String> = some.get(place);
                sentence.is_some_and(|text| WORDS.contains(&text.split(' ').count()))
            };
            for (place, text) in some.iter().enumerate().filter(|(place, _)| fits(*place)) {
                texts.push((*text).clone());
                owners.push(owner);
                followed.push(fits(place + 1));
            }
        }
        let tokens: Vec<Vec<String>> = texts
            .iter()
            .map(|text| text.split(' ').map(str::to_owned).collect())
            .collect();
        let vectors = encoder.encode(&tokens, Encoding::default(), &mut |_| {});
        let vectors = vectors.to_device(tch::Device::Cpu);
        let mean = vectors.mean_dim([0i64].as_slice(), true, Kind::Float);
        let centred = &vectors - mean;
        Sentences {
            whitened: models::tensors::unit_rows::unit_rows(&whiten(&centred)),
            centred: models::tensors::unit_rows::unit_rows(&centred),
            vectors: models::tensors::unit_rows::unit_rows(&vectors),
            texts,
            books: owners,
            followed,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Lets the vectors choose next sentences; `None` if no sentence has a next one or there are too few.
    pub fn choose_next(&self, settings: Settings) -> Option<NextSentence> {
        let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
        let mut asked: Vec<usize> = (0..self.len()).filter(|&n| self.followed[n]).collect();
        crate::parameters::shuffle(&mut asked, &mut random);
        asked.truncate(settings.questions);
        if asked.is_empty() || self.len() < 4 * settings.candidates {
            return None;
        }
        let anywhere = self.questions(
            &asked,
            settings.candidates,
            &mut |_, random| random.random_range(0..self.len()),
            &mut random,
        );
        let within = self.questions(
            &asked,
            settings.candidates,
            &mut |place, random| {
                // the list goes book by book
                let own = self.books[place];
                let first = self.books.partition_point(|&book| book < own);
                let end = self.books.partition_point(|&book| book <= own);
                random.random_range(first..end)
            },
            &mut random,
        );
        Some(NextSentence {
            questions: asked.len(),
            candidates: settings.candidates,
            chance: 100.0 / settings.candidates as f64,
            cosine: right(&self.vectors, &asked, &anywhere),
            centred: right(&self.centred, &asked, &anywhere),
            whitened: right(&self.whitened, &asked, &anywhere),
            whitened_same_book: right(&self.whitened, &asked, &within),
        })
    }

    /// Candidates of each question, the right one first; neither the sentence itself nor its next one is drawn.
    fn questions(
        &self,
        asked: &[usize],
        candidates: usize,
        draw: &mut dyn FnMut(usize, &mut ChaCha8Rng) -> usize,
        random: &mut ChaCha8Rng,
    ) -> Vec<Vec<i64>> {
        let question = |&place: &usize| {
            let mut own = vec![place as i64 + 1];
            // a book of a handful of sentences may repeat a candidate
            for _ in 0..candidates * 20 {
                let other = draw(place, random);
                if own.len() < candidates && other != place && !own.contains(&(other as i64)) {
                    own.push(other as i64);
                }
            }
            own
        };
        asked.iter().map(question).collect()
    }

    /// `count` sentences drawn by `seed`, each with its nearest neighbour.
    pub fn nearest(&self, count: usize, seed: u64) -> Vec<Near> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let count = if self.len() < 2 { 0 } else { count };
        let near = |_| {
            let place = random.random_range(0..self.len());
            let scores = self.centred.matmul(&self.centred.get(place as i64));
            // the same words are no discovery
            let same: Vec<i64> = (0..self.len())
                .filter(|&other| self.texts[other] == self.texts[place])
                .map(|other| other as i64)
                .collect();
            let scores = scores.index_fill(0, &Tensor::from_slice(&same), -2.0);
            let best = scores.argmax(0, false).int64_value(&[]);
            Near {
                sentence: self.texts[place].clone(),
                nearest: self.texts[best as usize].clone(),
                cosine: scores.double_value(&[best]),
            }
        };
        (0..count).map(near).collect()
    }
}

/// Rows of mean zero, turned and scaled so that no direction outweighs another; directions that are mostly noise stay small.
fn whiten(rows: &Tensor) -> Tensor {
    let spread = rows.tr().matmul(rows) / rows.size()[0].max(1) as f64;
    let (values, directions) = spread.linalg_eigh("L");
    let floor = &values.mean(Kind::Float) * 0.1;
    rows.matmul(&directions) / (values.clamp_min(0.0) + floor).sqrt()
}

/// Per cent of the questions whose first candidate lies nearest.
fn right(vectors: &Tensor, asked: &[usize], candidates: &[Vec<i64>]) -> f64 {
    let chosen = asked.iter().zip(candidates).filter(|(place, own)| {
        let others = vectors.index_select(0, &Tensor::from_slice(own));
        let scores = others.matmul(&vectors.get(**place as i64));
        scores.argmax(0, false).int64_value(&[]) == 0
    });
    100.0 * chosen.count() as f64 / asked.len().max(1) as f64
}
