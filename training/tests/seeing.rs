//! What sees is trained on small data of which the answer is known: pairs that are linear in each other, words that follow
//! from one feature.
#![allow(clippy::unwrap_used)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use models::networks::joint::Joint;
use models::networks::word_head::WordHead;
use models::{Result, Weights};
use tch::{Device, Kind, Tensor};
use training::course::Progress;
use training::recipes::joint::{self, Material};
use training::recipes::pseudo::{Mixture, Pseudo, Recognition};
use training::recipes::word_head::{self, LabelledPhotos};
use training::{AdamKind, Course, Measured, Observer, Oversight, Parameters, Schedule};

/// libtorch has one random generator for the whole process: one course at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Nobody;

impl Observer for Nobody {
    fn report(&mut self, _progress: &Progress, _measured: Option<&Measured>) {}
    fn measure(&mut self, _parameters: &Parameters) -> Option<Measured> {
        None
    }
}

const PHOTOS: i64 = 60;

fn course(updates: usize) -> Course {
    Course {
        updates,
        rate: 1e-2,
        schedule: Schedule::Cosine,
        adam: AdamKind::Textbook,
        clip: 0.0,
        report_every: updates,
        measure_every: updates,
        patience: None,
        seed: 3,
    }
}

fn noise(shape: [i64; 2]) -> Tensor {
    Tensor::randn(shape, (Kind::Float, Device::Cpu))
}

/// Sixty photos of 12 numbers and a caption each that is linear in them.
fn material() -> Material {
    tch::manual_seed(5);
    let features = noise([PHOTOS, 12]);
    let vectors = features.matmul(&noise([12, 8]));
    let length = vectors
        .square()
        .sum_dim_intlist(1i64, true, Kind::Float)
        .sqrt();
    Material {
        vectors: vectors / length,
        captions: (0..PHOTOS).map(|row| vec![row]).collect(),
        features,
    }
}

fn trained(material: &Material, pseudo: Option<(&Pseudo, &Tensor)>) -> Result<Weights> {
    let settings = joint::Settings {
        dim: 16,
        mixture: Mixture {
            batch: 20,
            pseudo: 8,
            pseudo_weight: 0.2,
        },
        dropout: [0.1, 0.1],
        bank: 10,
        course: course(150),
    };
    joint::run(
        &settings,
        material,
        pseudo,
        Oversight {
            keeper: None,
            observer: &mut Nobody,
        },
    )
}

#[test]
fn a_joint_space_finds_the_captions_of_photos_and_repeats_exactly() {
    let _alone = alone();
    let material = material();
    let weights = trained(&material, None).unwrap();
    assert_eq!(weights.tensor("bank", &[10, 16]).unwrap().size(), [10, 16]);
    let network = Joint::load(&weights).unwrap();
    let scores = network
        .image(&material.features)
        .matmul(&network.text(&material.vectors).tr());
    let own = Tensor::arange(PHOTOS, (Kind::Int64, Device::Cpu));
    let first = scores
        .argmax(1, false)
        .eq_tensor(&own)
        .sum(Kind::Int64)
        .int64_value(&[]);
    assert!(first > 45, "{first} of {PHOTOS} find their caption first");
    let again = trained(&material, None).unwrap();
    for (name, array) in weights.iter() {
        assert_eq!(array, &again.tensor(name, &array.size()).unwrap(), "{name}");
    }
}

#[test]
fn a_question_asks_what_the_product_of_both_sides_says() {
    let _alone = alone();
    let material = material();
    let network = Joint::load(&trained(&material, None).unwrap()).unwrap();
    let image = network.image(&material.features).get(7);
    let question = network.question(&image);
    let lengths = network.text_with_lengths(&material.vectors).1;
    let asked = (material.vectors.mv(&question.direction) + question.constant) / lengths;
    let told = network.text(&material.vectors).mv(&image);
    assert!((asked - told).abs().max().double_value(&[]) < 1e-5);
}

#[test]
fn captions_without_photos_are_learnt_from_what_they_name() {
    let _alone = alone();
    let material = material();
    let recognition = Recognition {
        classifiers: &[Tensor::eye(6, (Kind::Float, Device::Cpu))],
        scores: 2,
        spread: &Tensor::ones([12], (Kind::Float, Device::Cpu)),
    };
    let named = (0..PHOTOS as usize).map(|row| vec![row % 8]);
    let pseudo = Pseudo::new(&material.features, &recognition, named).unwrap();
    let with = trained(&material, Some((&pseudo, &material.vectors))).unwrap();
    let without = trained(&material, None).unwrap();
    let map = |weights: &Weights| weights.tensor("image.weight", &[16, 12]).unwrap();
    assert!(!map(&with).allclose(&map(&without), 1e-3, 1e-3, false));
    assert!(
        with.iter()
            .all(|(_, array)| array.isfinite().all().int64_value(&[]) == 1)
    );
}

#[test]
fn too_few_photos_for_a_batch_are_refused() {
    let _alone = alone();
    let mut material = material();
    material.captions.truncate(9);
    assert!(trained(&material, None).is_err());
}

#[test]
fn a_word_head_says_the_word_that_a_feature_stands_for() {
    let _alone = alone();
    tch::manual_seed(6);
    let pictures = noise([PHOTOS, 5]);
    let words = (0..PHOTOS)
        .map(|row| vec![(i64::from(pictures.double_value(&[row, 2]) > 0.0), 1.0)])
        .collect();
    let photos = LabelledPhotos {
        words,
        imagined: Vec::new(),
        count: 2,
        pictures,
    };
    let settings = word_head::Settings {
        rank: 3,
        mixture: Mixture {
            batch: 20,
            pseudo: 0,
            pseudo_weight: 0.0,
        },
        dropout: 0.1,
        course: course(150),
    };
    let maps = word_head::run(
        &settings,
        &photos,
        None,
        Oversight {
            keeper: None,
            observer: &mut Nobody,
        },
    )
    .unwrap();
    let held = maps
        .iter()
        .map(|(name, array)| (name.to_owned(), array.shallow_clone()));
    let standard = [
        (
            "feature_mean",
            Tensor::zeros([5], (Kind::Float, Device::Cpu)),
        ),
        ("feature_sd", Tensor::ones([5], (Kind::Float, Device::Cpu))),
    ];
    let standard = standard.map(|(name, array)| (name.to_owned(), array));
    let whole = Weights::from_tensors("head", held.chain(standard));
    let head = WordHead::load(&whole, vec!["left".to_owned(), "right".to_owned()]).unwrap();
    for (value, word) in [(-2f32, "left"), (2.0, "right")] {
        let found = head.likeliest(&Tensor::from_slice(&[0.0, 0.0, value, 0.0, 0.0]), 1);
        assert!(found[0].0 == word && found[0].1 > 0.8, "{found:?}");
    }
}
