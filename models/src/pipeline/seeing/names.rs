//! Names of what is recognised: a thousand classes of the photo network and eighty of the detector, as sentence vectors.
//!
//! A picture becomes the sum of the names of what the networks are sure of, so that a caption may say it in words that no
//! training caption used (Norouzi et al. 2014). An unsure network says little: nothing here is brought to unit length.

use crate::error::Result;
use crate::tensors::weights::Weights;
use tch::Tensor;

/// How many of the photo network's classes count.
const BEST: i64 = 10;
/// The probability of its best class from which on the photo network counts as sure.
const SURELY: f64 = 0.8;
/// A score below this is no sighting, whatever is usual for its class.
const FLOOR: f64 = 0.4;
/// Scores reach from the floor to about .9: this brings a sure sighting to about 1.
const SURE: f64 = 2.0;

/// The vectors of the names.
#[derive(Debug)]
pub struct Names {
    photo: Tensor,
    detector: Tensor,
    floor: Tensor,
}

impl Names {
    /// Takes `centred` (1080, T), unit vectors less their mean, and `q90` (80), the usual strength of each detector class.
    ///
    /// # Errors
    /// When an array is missing or has another shape.
    pub fn load(weights: &Weights, texts: i64) -> Result<Self> {
        let usual = weights.tensor("q90", &[-1])?;
        let classes = usual.size()[0];
        let all = weights.tensor("centred", &[-1, texts])?;
        let photo = all.size()[0] - classes;
        Ok(Self {
            photo: all.narrow(0, 0, photo),
            detector: all.narrow(0, photo, classes),
            floor: usual.clamp_min(FLOOR),
        })
    }

    /// How many classes the detector has.
    pub(super) fn detector_classes(&self) -> i64 {
        self.floor.size()[0]
    }

    /// What the photo networks recognise, from how likely each class is (N, 1000): the ten likeliest names by their
    /// probability (N, T).
    /// Of a picture whose best class has probability p, all counts times `unsure` + (1 − `unsure`) s², where s is p as a share of
    /// what a network has that is sure, at most 1.
    pub fn recognised(&self, likely: &Tensor, unsure: f64) -> Tensor {
        let (best, _) = likely.topk(BEST, 1, true, true);
        let least = best.narrow(1, BEST - 1, 1);
        let kept = likely.where_scalarother(&likely.ge_tensor(&least), 0.0);
        let sure = (best.narrow(1, 0, 1) / SURELY).clamp_max(1.0).square();
        kept.matmul(&self.photo) * (sure * (1.0 - unsure) + unsure)
    }

    /// What the detector sees with more than its usual strength, from its scores (N, 80): names by the excess (N, T).
    pub fn detected(&self, scores: &Tensor) -> Tensor {
        ((scores - &self.floor).clamp_min(0.0) * SURE).matmul(&self.detector)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::tensors::floats::floats;
    use tch::Kind;

    #[test]
    fn what_a_sure_network_recognises_counts_wholly_and_what_an_unsure_one_does_less() {
        const CLASSES: i64 = 12;
        let centred = Tensor::eye(CLASSES + 1, (Kind::Float, tch::Device::Cpu));
        let arrays = [
            ("centred".to_owned(), centred),
            ("q90".to_owned(), Tensor::from_slice(&[0.5f32])),
        ];
        let names = Names::load(&Weights::from_tensors("names", arrays), CLASSES + 1).unwrap();
        // of the first class, when it has this probability and the others share the rest
        let first = |probability: f64, unsure: f64| {
            let rest = (1.0 - probability) / (CLASSES - 1) as f64;
            let mut all = [rest as f32; CLASSES as usize];
            all[0] = probability as f32;
            let likely = Tensor::from_slice(&all).unsqueeze(0);
            f64::from(floats(&names.recognised(&likely, unsure).get(0))[0])
        };
        for (probability, share) in [(0.95, 1.0), (0.8, 1.0), (0.4, 0.55), (0.2, 0.4375)] {
            let counted = first(probability, 0.4);
            assert!(
                (counted - probability * share).abs() < 1e-5,
                "{probability}: {counted}"
            );
            assert!((first(probability, 1.0) - probability).abs() < 1e-5);
        }
    }
}
