//! Training against the numbers that the original's trainers printed: costs, gradients before and after clipping,
//! moments, and every parameter after every update. The data lies in `tests/golden/train`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use models::Weights;
use models::artifact::read_npz;
use models::train::original::{Graph, Neighbours, Output, Text, decay};
use models::train::skip_thoughts::Half;
use models::train::{Adam, AdamKind, Parameters};
use models::vse::SentenceEncoder;
use serde_json::Value;
use tch::{Kind, Tensor, no_grad};

/// The largest differences of a run: relative for gradients, absolute for all else but costs.
#[derive(Debug, Default)]
struct Largest {
    cost: f64,
    gradient: f64,
    moment: f64,
    parameter: f64,
}

struct Case {
    about: Value,
    arrays: BTreeMap<String, Tensor>,
}

fn cases(net: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/train");
    let index = std::fs::read_to_string(folder.join(format!("index_{net}.json"))).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let open = |about: &Value| {
        let name = about["name"].as_str().unwrap();
        let arrays = read_npz(&folder.join(format!("{name}.npz"))).unwrap();
        let arrays = arrays
            .iter()
            .map(|(name, array)| (name.clone(), array.to_tensor()));
        Case {
            about: about.clone(),
            arrays: arrays.collect(),
        }
    };
    index["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(open)
        .collect()
}

impl Case {
    fn number(&self, key: &str) -> f64 {
        self.about[key].as_f64().unwrap()
    }

    fn text(&self, batch: usize, name: &str, mask: &str) -> Text {
        let get = |name: &str| &self.arrays[&format!("b{batch}__{name}")];
        Text::from_tensors(get(name), get(mask))
    }

    fn cost(&self, graph: Graph, batch: usize) -> Tensor {
        let options = &self.about["options"];
        let name = self.about["name"].as_str().unwrap();
        let input = |name: &str| &self.arrays[&format!("b{batch}__{name}")];
        if name.starts_with("skip") {
            let neighbours = Neighbours {
                read: self.text(batch, "x", "x_mask"),
                next: self.text(batch, "y", "y_mask"),
                previous: self.text(batch, "z", "z_mask"),
            };
            return graph.skip_thoughts(Half::Uni, &neighbours);
        }
        let text = self.text(batch, "x", "mask");
        if name.starts_with("vse") {
            let encoder = match options["encoder"].as_str() {
                Some("bow") => SentenceEncoder::Bow,
                _ => SentenceEncoder::Gru,
            };
            let margin = options["margin"].as_f64().unwrap();
            return graph.vse((encoder, margin), &text, input("im"));
        }
        let output = match options["doutput"].as_bool() {
            Some(true) => Output::Deep,
            _ => Output::Plain,
        };
        graph.decoder(output, &text, input("ctx"))
    }

    fn rate(&self) -> f64 {
        // the trainers of skip-thoughts and the decoder ignore the rate that they are given
        let vse = self.about["name"].as_str().unwrap().starts_with("vse");
        if vse {
            self.number("lrate_argument")
        } else {
            2e-4
        }
    }

    fn run(&self) -> Largest {
        let start = self.arrays.iter().filter_map(|(name, tensor)| {
            Some((
                name.strip_prefix("p0__")?.to_owned(),
                tensor.shallow_clone(),
            ))
        });
        let parameters = Parameters::from_weights(&Weights::from_tensors("start", start));
        let mut adam = Adam::new(&parameters, AdamKind::Original, self.number("grad_clip"));
        let graph = Graph {
            parameters: &parameters,
            kind: Kind::Float,
        };
        let mut largest = Largest::default();
        for batch in 0..self.number("n_batches") as usize {
            let cost = self.cost(graph, batch) + decay(&parameters, self.number("decay_c"));
            let wanted = self.about["cost"][batch].as_f64().unwrap();
            let error = (cost.double_value(&[]) - wanted).abs() / wanted.max(1.0);
            largest.cost = largest.cost.max(error);
            cost.backward();
            if batch == 0 {
                largest.gradient = self.gradients(&parameters, "grad0");
                adam.clip(&parameters);
                largest.gradient = largest
                    .gradient
                    .max(self.gradients(&parameters, "gradclip0"));
            } else {
                adam.clip(&parameters);
            }
            adam.apply(&parameters, self.rate());
            if batch == 0 {
                let moments = parameters.names().zip(adam.moments());
                for (name, (first, second)) in moments {
                    let first = apart(first, &self.arrays[&format!("m1__{name}")]);
                    let second = apart(second, &self.arrays[&format!("v1__{name}")]);
                    largest.moment = largest.moment.max(first).max(second);
                }
            }
            for (name, tensor) in parameters.names().zip(parameters.tensors()) {
                let wanted = &self.arrays[&format!("p{}__{name}", batch + 1)];
                // the gradients of the pictures' bias cancel (every caption counts once for and once against), and Adam
                // makes steps of their rounding: the original's own numbers lie 2e-5 from exact arithmetic here
                let share = if name == "ff_image_b" { 0.2 } else { 1.0 };
                largest.parameter = largest.parameter.max(apart(tensor, wanted) * share);
            }
        }
        largest
    }

    fn gradients(&self, parameters: &Parameters, key: &str) -> f64 {
        // what nearly cancels is the rounding of the sum: it is held against the gradient as a whole
        let squares = parameters
            .tensors()
            .map(|tensor| tensor.grad().square().sum(Kind::Double));
        let scale = squares.map(|sum| sum.double_value(&[])).sum::<f64>().sqrt();
        let errors = parameters
            .names()
            .zip(parameters.tensors())
            .map(|(name, tensor)| {
                let wanted = &self.arrays[&format!("{key}__{name}")];
                let size = wanted.abs().max().double_value(&[]).max(1e-3 * scale);
                apart(&tensor.grad(), wanted) / size
            });
        errors.fold(0.0, f64::max)
    }
}

fn apart(one: &Tensor, other: &Tensor) -> f64 {
    assert_eq!(one.size(), other.size());
    no_grad(|| (one - other).abs().max().double_value(&[]))
}

fn all_agree(net: &str) {
    tch::set_num_threads(1);
    for case in cases(net) {
        let largest = case.run();
        let name = case.about["name"].as_str().unwrap();
        let fine = largest.cost < 1e-5
            && largest.gradient < 1e-4
            && largest.moment < 1e-5
            && largest.parameter < 1e-5;
        assert!(fine, "{name}: {largest:?}");
    }
}

#[test]
fn skip_thoughts_learn_as_the_original_did() {
    all_agree("skip");
}

#[test]
fn the_joint_space_learns_as_the_original_did() {
    all_agree("vse");
}

#[test]
fn the_decoder_learns_as_the_original_did() {
    all_agree("dec");
}
