//! Pictures that nobody took: features for captions of which only the text is known.
//!
//! A caption names classes of the photo network and the detector. Each class has a direction in feature space that raises
//! its score; their sum and a real picture stand for a picture of the caption. So the joint space and the word
//! head hear of pizzas and toilets although no training photo shows one.

use models::tensors::unit_rows::unit_rows;
use models::{Error, Result};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// How much of a real picture is mixed in: all of it made better joint spaces than half.
const PICTURE: f64 = 1.0;
/// How strongly a class is seen: U(0.5, 1.5) of the length of a direction.
const STRENGTH: (f32, f32) = (0.5, 1.5);
/// Ways to go in the direction of a class, see [`Pseudo::new`].
const WAYS: usize = 3;

/// What an update is made of: photos, and captions whose pictures are imagined.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Mixture {
    /// Photos, each with a caption.
    pub batch: usize,
    /// Pseudo pairs.
    pub pseudo: usize,
    /// How much these count.
    pub pseudo_weight: f64,
}

/// Captions with the classes that they name, and the directions of the classes.
#[derive(Debug)]
pub struct Pseudo {
    /// (WAYS × classes, F), each of length √F.
    directions: Tensor,
    classes: usize,
    /// The captions that name something: row and classes.
    named: Vec<(usize, Vec<usize>)>,
}

/// The networks whose classes captions name, in units of standardised features.
#[derive(Debug)]
pub struct Recognition<'a> {
    /// The photo networks' classifiers (1000, 1280): the first over the first features, a second over the last.
    pub classifiers: &'a [Tensor],
    /// How many scores of the detector follow the first.
    pub scores: i64,
    /// The spread of each feature (F).
    pub spread: &'a Tensor,
}

impl Pseudo {
    /// Takes standardised `pictures` (N, F) and for each caption the classes that it names.
    ///
    /// # Errors
    /// When no caption names anything.
    pub fn new(
        pictures: &Tensor,
        recognition: &Recognition,
        named: impl IntoIterator<Item = Vec<usize>>,
    ) -> Result<Self> {
        let named: Vec<(usize, Vec<usize>)> = named
            .into_iter()
            .enumerate()
            .filter(|(_, classes)| !classes.is_empty())
            .collect();
        if named.is_empty() {
            let reason = "none of them names a class of the list of mentions".to_owned();
            return Err(Error::format("the captions without pictures", reason));
        }
        let steepest = recognition.steepest(pictures.size()[1])?;
        // along the steepest way nothing else changes; along C·g other features go with it as they do in real pictures
        let (photos, features) = pictures.size2()?;
        let usual = pictures.matmul(&steepest.tr()).tr().matmul(pictures) / photos as f64;
        let (steepest, usual) = (unit_rows(&steepest), unit_rows(&usual));
        let between = unit_rows(&(&steepest + &usual));
        let directions = Tensor::cat(&[&steepest, &between, &usual], 0) * (features as f64).sqrt();
        Ok(Self {
            classes: steepest.size()[0] as usize,
            directions,
            named,
        })
    }

    /// Draws `count` captions: features (count, F) and the captions' rows.
    pub fn draw(
        &self,
        pictures: &Tensor,
        count: usize,
        random: &mut ChaCha8Rng,
    ) -> (Tensor, Vec<i64>) {
        let (mut places, mut shares, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut rows, mut mixed) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let (row, classes) = &self.named[random.random_range(0..self.named.len())];
            let way = random.random_range(0..WAYS) * self.classes;
            starts.push(places.len() as i64);
            for class in classes {
                places.push((way + class) as i64);
                shares.push(
                    random.random_range(STRENGTH.0..STRENGTH.1) / (classes.len() as f32).sqrt(),
                );
            }
            rows.push(*row as i64);
            mixed.push(random.random_range(0..pictures.size()[0]));
        }
        let (found, ..) = Tensor::embedding_bag(
            &self.directions,
            &Tensor::from_slice(&places),
            &Tensor::from_slice(&starts),
            false,
            0, // sums
            false,
            Some(&Tensor::from_slice(&shares)),
            false,
        );
        let mixed = pictures.index_select(0, &Tensor::from_slice(&mixed));
        (found + mixed * PICTURE, rows)
    }
}

impl Recognition<'_> {
    /// The gradient (classes, F) of each class's score.
    ///
    /// # Errors
    /// When the features have no room for all that the networks say.
    fn steepest(&self, features: i64) -> Result<Tensor> {
        let [photo, seen] = self
            .classifiers
            .first()
            .map_or([0, 0], |first| [first.size()[0], first.size()[1]]);
        let begins = [0, features - seen];
        if self.classifiers.len() > begins.len() || seen + self.scores > features {
            let reason = format!(
                "{features} numbers a picture do not belong to {} classifiers",
                self.classifiers.len()
            );
            return Err(Error::format("the features", reason));
        }
        let steepest = Tensor::zeros(
            [photo + self.scores, features],
            (Kind::Float, tch::Device::Cpu),
        );
        for (begin, classifier) in begins.into_iter().zip(self.classifiers) {
            let rows = classifier * self.spread.narrow(0, begin, seen);
            let place = steepest.narrow(0, 0, photo).narrow(1, begin, seen);
            place.shallow_clone().copy_(&rows);
        }
        let scores = Tensor::eye(self.scores, (Kind::Float, tch::Device::Cpu));
        steepest
            .narrow(0, photo, self.scores)
            .narrow(1, seen, self.scores)
            .copy_(&scores);
        Ok(steepest)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn a_drawn_picture_shows_what_its_caption_names() {
        let pictures = Tensor::zeros([4, 6], (Kind::Float, tch::Device::Cpu));
        let classifier = Tensor::from_slice(&[1f32, 0.0, 0.0, 0.0, 1.0, 0.0]).view([2, 3]);
        let recognition = Recognition {
            classifiers: &[classifier],
            scores: 2,
            spread: &Tensor::ones([6], (Kind::Float, tch::Device::Cpu)),
        };
        let named = [vec![], vec![1], vec![0, 3]];
        // features that go each by itself: then all ways of showing a class are one
        let apart = Tensor::eye(6, (Kind::Float, tch::Device::Cpu));
        let pseudo = Pseudo::new(&apart, &recognition, named).unwrap();
        let (found, rows) = pseudo.draw(&pictures, 60, &mut ChaCha8Rng::seed_from_u64(1));
        assert!(
            !rows.contains(&0),
            "a caption that names nothing has no picture"
        );
        for (n, row) in rows.into_iter().enumerate() {
            let seen = Vec::<f32>::try_from(found.get(n as i64)).unwrap();
            let raised: &[usize] = if row == 1 { &[1] } else { &[0, 4] };
            for (feature, value) in seen.into_iter().enumerate() {
                assert_eq!(
                    value > 0.0,
                    raised.contains(&feature),
                    "feature {feature} of caption {row}"
                );
            }
        }
    }

    #[test]
    fn captions_that_name_nothing_are_refused() {
        let pictures = Tensor::zeros([4, 6], (Kind::Float, tch::Device::Cpu));
        let recognition = Recognition {
            classifiers: &[Tensor::ones([2, 3], (Kind::Float, tch::Device::Cpu))],
            scores: 2,
            spread: &Tensor::ones([6], (Kind::Float, tch::Device::Cpu)),
        };
        assert!(Pseudo::new(&pictures, &recognition, [vec![]]).is_err());
    }
}
