//! The trainer of language models against numbers of the reference in PyTorch (`golden/adapter.*`, 32-bit floats): what
//! the prefix becomes, what every token costs, and the gradients of all 246 arrays that learn.
//!
//! The arrays are filled by a formula, so that no weights need to lie here: value k of an array is a·sin(0.7391·(k mod
//! 1009) + s). The network is the one that `make setup` fetches.

use std::path::{Path, PathBuf};

use models::Weights;
use models::networks::llama::Llama;
use models::networks::prefix::Spread;
use models::pipeline::writer::told::{Heard, Told};
use models::text::pieces::Pieces;
use tch::{Device, Kind, Tensor};
use training::Parameters;
use training::recipes::adapter::Learner;

use crate::tiny::base;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// The formula above.
fn filled(shape: &[i64], amplitude: f64, start: f64) -> Tensor {
    let count: i64 = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|k| (amplitude * (0.7391 * (k % 1009) as f64 + start).sin()) as f32)
        .collect();
    Tensor::from_slice(&values).view(shape)
}

fn parameters(llama: &Llama) -> Parameters {
    let mut parameters = Parameters::new();
    for (number, (name, [out, inner])) in llama.adaptable().into_iter().enumerate() {
        let start = number as f64;
        let a = filled(&[16, inner], 1.4 / (inner as f64).sqrt(), start);
        parameters.add(&format!("{name}.lora_a"), a);
        let b = filled(&[out, 16], 0.004, start + 0.5);
        parameters.add(&format!("{name}.lora_b"), b);
    }
    let shapes: [(&str, &[i64], f64); 6] = [
        ("linear.weight", &[2304, 768], 0.006),
        ("linear.bias", &[2304], 0.05),
        ("hidden.weight", &[384, 768], 0.02),
        ("hidden.bias", &[384], 0.02),
        ("out.weight", &[2304, 384], 0.006),
        ("out.bias", &[2304], 0.01),
    ];
    for (number, (name, shape, amplitude)) in shapes.into_iter().enumerate() {
        let array = filled(shape, amplitude, number as f64);
        parameters.add(&format!("prefix.{name}"), array);
    }
    parameters
}

fn whole(tensor: &Tensor) -> Vec<i64> {
    Vec::try_from(tensor.to_kind(Kind::Int64)).unwrap()
}

/// The four passages of the golden file: what each is told, and its tokens.
fn passages(golden: &Weights, pieces: &Pieces) -> (Vec<Told>, Vec<Vec<i64>>) {
    let take = |name: &str| golden.tensor(name, &[4, -1]).unwrap();
    let styles = filled(&[4, 384], 0.05, 3.0);
    let told = (0..4).map(|row| {
        let heard = Heard {
            thought: take("thoughts").get(row),
            style: styles.get(row),
        };
        Told::learnt(pieces, heard, &whole(&take("words").get(row))).unwrap()
    });
    let tokens = (0..4).map(|row| {
        let real = whole(&take("real").get(row)).into_iter().sum::<i64>();
        whole(&take("ids").get(row).narrow(0, 0, real))
    });
    (told.collect(), tokens.collect())
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

#[test]
fn losses_and_gradients_of_a_language_model_are_the_references() {
    let golden_arrays = Weights::from_safetensors(&golden("adapter.safetensors")).unwrap();
    let facts: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(golden("adapter.json")).unwrap()).unwrap();
    let base = base();
    let (pieces, llama) = (
        Pieces::of_model(&base).unwrap(),
        Llama::open(&base, (Kind::Float, Device::Cpu)).unwrap(),
    );
    let parameters = parameters(&llama);
    let (told, tokens) = passages(&golden_arrays, &pieces);
    let mut allowed: Vec<i64> = (0..llama.config().vocabulary).step_by(2).collect();
    allowed.extend(tokens.iter().flatten());
    allowed.sort_unstable();
    allowed.dedup();
    let spread = Spread::load(&golden_arrays, 384).unwrap();
    let learner = Learner::new(llama, &parameters, &spread, &allowed).unwrap();
    let prefix = [learner.prefix(&told[0]), learner.prefix(&told[1])];
    let prefix = Tensor::cat(&prefix, 0).detach();
    let wanted = golden_arrays.tensor("prefix", &[2, 13, 576]).unwrap();
    assert!(largest_difference(&prefix, &wanted) < 1e-4);
    let tokens: Vec<&[i64]> = tokens.iter().map(Vec::as_slice).collect();
    let losses = learner.losses(&told, &tokens);
    let wanted = golden_arrays.tensor("losses", &[354]).unwrap();
    assert!(largest_difference(&losses.detach(), &wanted) < 1e-3);
    let loss = losses.mean(Kind::Float);
    assert!((loss.double_value(&[]) - facts["loss"].as_f64().unwrap()).abs() < 1e-4);
    loss.backward();
    for (name, tensor) in parameters.names().zip(parameters.tensors()) {
        let gradient = tensor.grad();
        let norm = gradient.norm().double_value(&[]);
        let wanted = facts["gradient_norms"][name].as_f64().unwrap();
        assert!(
            (norm - wanted).abs() <= 1e-3 * wanted,
            "{name}: {norm} {wanted}"
        );
        if let Ok(some) = golden_arrays.tensor(&format!("gradient.{name}"), &[256]) {
            let start = if name.starts_with("prefix") {
                100_000
            } else {
                0
            };
            let found = gradient.flatten(0, -1).narrow(0, start, 256);
            assert!(largest_difference(&found, &some) <= 1e-3 * wanted, "{name}");
        }
    }
}

mod learning {
    //! A tiny network of the same family learns: held-out passages cost less with their own thoughts, and a course that was
    //! stopped goes on to the same weights.

    use std::collections::BTreeMap;

    use super::filled;
    use crate::tiny::base;
    use crate::tiny::{generator, llama};
    use models::networks::prefix::Spread;
    use models::text::pieces::Pieces;
    use models::text::words::{Word, WordList};
    use models::{Error, Result, Weights};
    use tch::{Device, Kind, Tensor};
    use training::passages::Passage;
    use training::recipes::adapter::lessons::{Asking, Lessons, Reading, Surroundings};
    use training::recipes::adapter::{self, Learner, Recipe, Settings};
    use training::{
        AdamKind, Course, Keeper, Measured, Observer, Oversight, Parameters, Progress, Schedule,
    };

    const THINGS: [&str; 4] = ["dog", "boat", "tree", "house"];

    /// Passages that each speak of one thing, and thoughts that point to it.
    fn passages() -> (Vec<Passage>, Tensor) {
        let one = |n: usize| {
            let thing = THINGS[n % 4];
            let number = ["one", "two", "three", "four", "five", "six"][n / 4];
            Passage {
                style: Some("calm".to_owned()),
                book: "book.txt".to_owned(),
                held_out: false,
                verse: false,
                sentences: vec![
                    format!("There was a {thing} by the road."),
                    format!("We saw the {thing} {number} times."),
                    format!("Nobody knew whose {thing} it was."),
                ],
            }
        };
        let passages: Vec<Passage> = (0..24).map(one).collect();
        let thought = |n: usize| directions().get((n % 4) as i64);
        let rows: Vec<Tensor> = (0..24)
            .flat_map(|n| [thought(n), thought(n), thought(n)])
            .collect();
        (passages, Tensor::stack(&rows, 0))
    }

    fn directions() -> Tensor {
        Tensor::eye(8, (Kind::Float, Device::Cpu)).narrow(0, 0, 4)
    }

    struct Stops {
        after: usize,
        seen: usize,
    }

    impl Observer for Stops {
        fn report(&mut self, progress: &Progress, _measured: Option<&Measured>) {
            self.seen = progress.update;
        }
        fn measure(&mut self, _: &Parameters) -> Option<Measured> {
            None
        }
        fn stops(&self) -> bool {
            self.seen >= self.after
        }
    }

    struct World {
        pieces: Pieces,
        words: WordList,
        zero: Tensor,
        styles: BTreeMap<String, Tensor>,
        captions: Tensor,
    }

    fn world() -> World {
        let pieces = Pieces::of_model(&base()).unwrap();
        let token = |word: &str| pieces.encode_plain(&format!(" {word}")).unwrap()[0];
        let words = THINGS.map(|word| Word::new(word, token(word), true));
        let calm = Tensor::eye(8, (Kind::Float, Device::Cpu)).get(6);
        World {
            words: WordList::new(words.to_vec(), directions()),
            zero: Tensor::zeros([8], (Kind::Float, Device::Cpu)),
            styles: BTreeMap::from([("calm".to_owned(), calm)]),
            captions: filled(&[9, 8], 0.1, 1.0),
            pieces,
        }
    }

    fn settings() -> Settings {
        Settings {
            rank: 8,
            soft_tokens: 2,
            batch: 8,
            at_once: 3,
            nearest: 1.0,
            course: Course {
                updates: 60,
                rate: 1e-2,
                schedule: Schedule::Cosine,
                adam: AdamKind::Textbook,
                clip: 1.0,
                report_every: 5,
                measure_every: 60,
                patience: None,
                seed: 4,
            },
        }
    }

    /// Trains to the end, or stops after some updates; returns the weights and what the passages cost then.
    fn train(
        world: &World,
        asking: Asking,
        keeper: Option<&Keeper>,
        stop_after: usize,
    ) -> (Result<Weights>, adapter::HeldOut) {
        let _generator = generator();
        let around = Surroundings {
            words: &world.words,
            mean: &world.zero,
            caption: &world.zero,
            captions: &world.captions,
            styles: &world.styles,
            pull: 0.5,
            told: (3, 1),
            asking,
        };
        let (passages, thoughts) = passages();
        let some: Vec<&Passage> = passages.iter().collect();
        let end = world.pieces.id("<|im_end|>").unwrap();
        let is_seen = |word: &str| THINGS.contains(&word);
        let reading = Reading {
            pieces: &world.pieces,
            end,
            is_seen: &is_seen,
            device: Device::Cpu,
            share: 1.0,
        };
        let lessons = Lessons::new(&some, &thoughts, &around, &reading).unwrap();
        let mut allowed: Vec<i64> = lessons.written().collect();
        allowed.sort_unstable();
        allowed.dedup();
        let settings = settings();
        let llama = llama(world.pieces.size() as i64);
        let parameters = adapter::initial(&llama, &settings, 8);
        let spread = Spread {
            mean: world.zero.shallow_clone(),
            std: world.zero.ones_like(),
        };
        let learner = Learner::new(llama, &parameters, &spread, &allowed).unwrap();
        let mut observer = Stops {
            after: stop_after,
            seen: 0,
        };
        let recipe = Recipe {
            settings: &settings,
            lessons: &lessons,
            learner: &learner,
            about: serde_json::Value::Null,
        };
        let oversight = Oversight {
            keeper,
            observer: &mut observer,
        };
        let trained = recipe.run(parameters, oversight);
        (trained, adapter::held_out(&learner, &lessons, 5).unwrap())
    }

    #[test]
    fn a_tiny_model_learns_to_listen_and_goes_on_where_it_was_stopped() {
        let world = world();
        let (whole, found) = train(&world, Asking::default(), None, usize::MAX);
        let whole = whole.unwrap();
        assert!(found.own < 2.0, "{found:?}");
        let folder = tempfile::tempdir().unwrap();
        let keeper = Keeper {
            path: folder.path().join("checkpoint"),
            every: 1,
            recipe: serde_json::Value::Null,
        };
        let (stopped, early) = train(&world, Asking::default(), Some(&keeper), 20);
        assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
        assert!(early.own > found.own, "{early:?} {found:?}");
        let (again, _) = train(&world, Asking::default(), Some(&keeper), usize::MAX);
        let again = again.unwrap();
        for (name, array) in whole.iter() {
            let other = again.tensor(name, &array.size()).unwrap();
            assert!(array.equal(&other), "{name} differs");
        }
    }

    #[test]
    fn a_model_that_is_asked_in_words_learns_behind_the_words_of_its_bundle() {
        let world = world();
        let captions: Vec<String> = (0..9)
            .map(|n| format!("A {} by a road.", THINGS[n % 4]))
            .collect();
        let asking = |prose: &str| Asking {
            prose: Some(prose.to_owned()),
            verse: None,
            manners: BTreeMap::from([("calm".to_owned(), "a calm tale".to_owned())]),
            captions: &captions,
        };
        let wordings = [
            "<|im_start|>Write {manner} about {caption}: {words}.{thought}<|im_end|>\n",
            "<|im_start|>Write {manner} about {caption}: {words}.<|im_end|>\n",
        ];
        for wording in wordings {
            let (trained, found) = train(&world, asking(wording), None, usize::MAX);
            let map = trained
                .unwrap()
                .tensor("prefix.out.weight", &[-1, -1])
                .unwrap();
            let learnt = map.abs().max().double_value(&[]) > 0.0;
            // soft tokens learn only where they are heard
            assert_eq!(learnt, wording.contains("{thought}"));
            assert!(found.own < 2.0, "{wording}: {found:?}");
        }
    }
}
