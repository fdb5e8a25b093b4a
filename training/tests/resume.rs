//! A course that was interrupted ends as one that was not: the same weights, bit for bit, and the same loss curve.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use models::{Error, Result, Vocabulary, Weights};
use tch::{Device, Kind, Tensor};
use training::course::Progress;
use training::recipes::decoder::{self, Passages};
use training::recipes::graph::Half;
use training::recipes::skip_thoughts::{self, Triplet};
use training::recipes::vse::{self, Pair};
use training::{
    AdamKind, Course, Grouping, Keeper, Measured, Observer, Oversight, Parameters, Schedule,
    Settings,
};

const UPDATES: usize = 23;

/// libtorch has one random generator for the whole process: one course at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down the curve; stops after some updates.
struct Notes {
    curve: Vec<(usize, u64)>,
    asked: std::cell::Cell<usize>,
    stop_after: usize,
}

impl Notes {
    fn until(stop_after: usize) -> Notes {
        Notes {
            curve: Vec::new(),
            asked: std::cell::Cell::new(0),
            stop_after,
        }
    }
}

impl Observer for Notes {
    fn report(&mut self, progress: &Progress, _: Option<&Measured>) {
        self.curve.push((progress.update, progress.loss.to_bits()));
    }

    fn measure(&mut self, parameters: &Parameters) -> Option<Measured> {
        let all = parameters
            .tensors()
            .map(|tensor| tensor.abs().sum(Kind::Double));
        let value = all.map(|sum| sum.double_value(&[])).sum();
        Some(Measured {
            value,
            numbers: serde_json::json!({"size": value}),
        })
    }

    fn stops(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.asked.get() == self.stop_after
    }
}

fn course(adam: AdamKind) -> Course {
    Course {
        updates: UPDATES,
        rate: 1e-2,
        schedule: Schedule::Cosine,
        adam,
        clip: 1.0,
        report_every: 4,
        measure_every: 6,
        patience: None,
        seed: 3,
    }
}

type Train<'a> = &'a dyn Fn(Oversight) -> Result<Weights>;

fn overseen<'a>(keeper: Option<&'a Keeper>, observer: &'a mut Notes) -> Oversight<'a> {
    Oversight { keeper, observer }
}

fn keeper(folder: &Path) -> Keeper {
    Keeper {
        path: folder.join("tiny.checkpoint"),
        every: 5,
        recipe: serde_json::Value::Null,
    }
}

/// Trains straight, and in three pieces; compares weights and curve.
fn ends_the_same(train: Train) {
    tch::set_num_threads(1);
    let mut whole = Notes::until(0);
    let wanted = train(overseen(None, &mut whole)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keeper = keeper(folder.path());
    let mut curve = Vec::new();
    for stop_after in [7, 6] {
        let mut piece = Notes::until(stop_after);
        let stopped = train(overseen(Some(&keeper), &mut piece));
        assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
        curve.extend(piece.curve);
    }
    let mut rest = Notes::until(0);
    let found = train(overseen(Some(&keeper), &mut rest)).unwrap();
    curve.extend(rest.curve);
    assert_eq!(curve, whole.curve);
    assert_eq!(found.names().count(), wanted.names().count());
    for (name, tensor) in wanted.iter() {
        let other = found.tensor(name, &tensor.size()).unwrap();
        assert!(other.equal(tensor), "{name} differs after resuming");
    }
}

fn words() -> Vocabulary {
    Vocabulary::from_words((0..30).map(|n| format!("word{n}")).collect())
}

fn text(n: i64) -> Vec<i64> {
    (0..3 + n % 4)
        .map(|place| 2 + (n * 7 + place * 5) % 30)
        .collect()
}

fn captions() -> (Tensor, Vec<Pair>) {
    tch::manual_seed(9);
    let features = Tensor::rand([10, 6], (Kind::Float, Device::Cpu));
    let pairs = (0..40).map(|n| Pair {
        caption: text(n),
        picture: n % 10,
    });
    (features, pairs.collect())
}

fn settings(adam: AdamKind, grouping: Grouping) -> Settings {
    Settings {
        dim_word: 5,
        dim: 8,
        batch: 6,
        grouping,
        dropout: 0.0,
        kind: Kind::Float,
        device: Device::Cpu,
        course: course(adam),
    }
}

fn vse_settings(adam: AdamKind) -> Settings {
    Settings {
        batch: 8,
        dropout: 0.3,
        ..settings(adam, Grouping::Random)
    }
}

#[test]
fn a_resumed_joint_space_is_the_same_with_dropout_too() {
    let _alone = alone();
    let (features, pairs) = captions();
    let recipes = [
        (AdamKind::Textbook, vse::Objective::Contrastive(20.0)),
        (AdamKind::Original, vse::Objective::Margin(0.2)),
    ];
    for (adam, objective) in recipes {
        let recipe = vse::Recipe {
            settings: &vse_settings(adam),
            objective,
            words: &words(),
            features: &features,
            pairs: &pairs,
        };
        ends_the_same(&|oversight| recipe.run(oversight));
    }
}

#[test]
fn a_resumed_sentence_encoder_is_the_same_in_either_recipe() {
    let _alone = alone();
    let triplets: Vec<Triplet> = (0..50)
        .map(|n| Triplet {
            before: text(n),
            middle: text(n + 1),
            after: text(n + 2),
        })
        .collect();
    use skip_thoughts::Objective;
    let recipes = [
        (Half::Uni, Objective::Sampled(6), Grouping::Equal),
        (Half::Bi, Objective::Original, Grouping::Turns),
    ];
    for (half, objective, grouping) in recipes {
        let recipe = skip_thoughts::Recipe {
            settings: &settings(AdamKind::Textbook, grouping),
            half,
            objective,
            words: &words(),
            triplets: &triplets,
        };
        ends_the_same(&|oversight| recipe.run(oversight));
    }
}

#[test]
fn a_resumed_decoder_is_the_same_in_either_recipe() {
    let _alone = alone();
    tch::manual_seed(5);
    let passages = Passages {
        words: (0..30).map(text).collect(),
        thoughts: Tensor::rand([30, 6], (Kind::Float, Device::Cpu)),
    };
    let recipes = [
        (decoder::Objective::Mean, Grouping::Similar, 0.2),
        (decoder::Objective::Original, Grouping::Turns, 0.0),
    ];
    for (objective, grouping, dropout) in recipes {
        let recipe = decoder::Recipe {
            settings: &Settings {
                dropout,
                ..settings(AdamKind::Original, grouping)
            },
            objective,
            words: &words(),
            passages: &passages,
        };
        ends_the_same(&|oversight| recipe.run(oversight));
    }
}

fn joint_space(
    settings: &Settings,
    features: &Tensor,
    pairs: &[Pair],
    oversight: Oversight,
) -> Result<Weights> {
    let recipe = vse::Recipe {
        settings,
        objective: vse::Objective::Margin(0.2),
        words: &words(),
        features,
        pairs,
    };
    recipe.run(oversight)
}

#[test]
fn a_checkpoint_of_another_recipe_is_refused_with_what_differs() {
    let _alone = alone();
    let (features, pairs) = captions();
    let folder = tempfile::tempdir().unwrap();
    let keeper = keeper(folder.path());
    let train = |settings: &Settings, stop: usize| {
        let mut notes = Notes::until(stop);
        let oversight = overseen(Some(&keeper), &mut notes);
        joint_space(settings, &features, &pairs, oversight)
    };
    let mut settings = vse_settings(AdamKind::Textbook);
    assert!(train(&settings, 7).is_err());
    settings.course.rate = 0.5;
    let error = train(&settings, 0).unwrap_err().to_string();
    for part in [
        "course.rate: then 0.01, now 0.5",
        "--restart",
        "tiny.checkpoint",
    ] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    std::fs::write(&keeper.path, b"half a checkpo").unwrap();
    let error = train(&settings, 0).unwrap_err().to_string();
    assert!(error.contains("no checkpoint"), "{error}");
}

#[test]
fn without_anything_better_training_stops_and_the_best_weights_stay() {
    let _alone = alone();
    let (features, pairs) = captions();
    let mut settings = vse_settings(AdamKind::Textbook);
    settings.course.patience = Some(1);
    let mut notes = Notes::until(0);
    // weights only grow at this rate, and what is measured is their size: the first measurement is the best
    settings.course.rate = 0.1;
    let trained = joint_space(&settings, &features, &pairs, overseen(None, &mut notes)).unwrap();
    assert_eq!(notes.curve.last().unwrap().0, 12, "{:?}", notes.curve);
    let mut settings = settings.clone();
    settings.course.patience = None;
    let mut first = Notes::until(0);
    settings.course.measure_every = 6;
    let size = |weights: &Weights| -> f64 {
        weights
            .iter()
            .map(|(_, t)| t.abs().sum(Kind::Double).double_value(&[]))
            .sum()
    };
    let whole = joint_space(&settings, &features, &pairs, overseen(None, &mut first)).unwrap();
    assert!(size(&trained) < size(&whole));
}
