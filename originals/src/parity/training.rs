//! Training as the original's trainers did it: costs, gradients before and after clipping, Adam's moments after the first
//! update, and every parameter after every update.
//!
//! Gradients are relative to their largest number, but at least to a thousandth of the global norm: what nearly cancels is
//! the rounding of the sum. The gradient of the pictures' bias of the joint space cancels exactly (each caption counts once
//! for and once against), and Adam makes whole steps of the rounding that is left, whichever way it fell: that array can
//! lie apart from the original's by as much as two trainers can go in opposite directions, and by no more.

use std::path::Path;

use tch::{Device, Kind, Tensor, no_grad, with_grad};

use super::facts::{Fact, Facts, Numbers};
use super::leftovers::Files;
use super::{CLOSE, GRADIENT, Group, Report};
use crate::reader::dictionary;
use models::networks::vse::SentenceEncoder;
use models::{Result, Vocabulary, Weights};
use training::recipes::graph::{Graph, Half, Neighbours, Output, Text, decay};
use training::recipes::vse::recall_of;
use training::{Adam, AdamKind, Parameters};

/// The rate of the original's Adam where it ignores the one it is given.
const RATE: f64 = 2e-4;
/// Checks the folder if it holds training runs.
pub(super) fn check(folder: &Path, name: &str, files: &mut Files, report: &mut Report) {
    let networks = [
        ("skip", "skip-thoughts training"),
        ("vse", "joint space training"),
        ("dec", "decoder training"),
    ];
    let device = report.device;
    for (network, title) in networks {
        let index = folder.join(format!("index_{network}.json"));
        if !index.exists() {
            continue;
        }
        let mut runs = Vec::new();
        report.group(
            format!("{name} {title}: costs and parameters"),
            CLOSE,
            |group| {
                let facts = Facts::open(&index)?;
                for case in facts.root().get("cases")?.each()? {
                    if let Some(run) = Run::open(folder, device, &case, files)? {
                        run.check(group, &mut runs)?;
                        files.numbers(&run.file, &run.numbers);
                    } else {
                        group.note(format!(
                            "{} is not in the folder",
                            case.get("name")?.text()?
                        ));
                    }
                    read_by_people(&case);
                }
                files.facts(&index, &facts);
                Ok(())
            },
        );
        report.group(format!("{name} {title}: gradients"), GRADIENT, |group| {
            for (what, error) in runs {
                group.within(&what, error);
            }
            Ok(())
        });
    }
}

/// Where the minibatches came from, and what the trainer said of itself.
fn read_by_people(case: &Fact) {
    let entries = [
        "captions",
        "corpus",
        "inputs",
        "lrate_argument",
        "note",
        "param_order",
        "trainer_maxdiff_params",
    ];
    for entry in entries {
        case.find(entry).iter().for_each(Fact::seen);
    }
    // what the shapes and the names of the arrays say as well
    if let Some(options) = case.find("options") {
        for entry in [
            "decoder",
            "dim",
            "dim_image",
            "dim_word",
            "dimctx",
            "encoder",
        ] {
            options.find(entry).iter().for_each(Fact::seen);
        }
    }
}

/// One training run.
struct Run<'a> {
    name: &'a str,
    file: std::path::PathBuf,
    numbers: Numbers,
    /// The start in the format of finished models.
    init: Numbers,
    words: Vocabulary,
    case: Fact<'a>,
}

impl<'a> Run<'a> {
    fn open(
        folder: &Path,
        device: Device,
        case: &Fact<'a>,
        files: &mut Files,
    ) -> Result<Option<Self>> {
        let name = case.get("name")?.text()?;
        let file = folder.join(format!("{name}.npz"));
        if !file.exists() {
            return Ok(None);
        }
        let beside = |ending: &str| folder.join(format!("{name}.{ending}"));
        for ending in ["init.npz", "dictionary.pkl"] {
            files.read(beside(ending));
        }
        let words = match beside("dictionary.pkl") {
            file if file.exists() => dictionary::read(&file)?,
            _ => words_of(&case.get("worddict")?)?,
        };
        Ok(Some(Self {
            name,
            init: Numbers::open(&beside("init.npz"), device)?,
            words,
            numbers: Numbers::open(&file, device)?,
            file,
            case: case.clone(),
        }))
    }

    fn check(&self, group: &mut Group, gradients: &mut Vec<(String, f64)>) -> Result<()> {
        let parameters = self.start()?;
        self.beginning(&parameters, group)?;
        let number = |entry: &str| self.case.get(entry)?.number();
        let (decay_rate, batches) = (number("decay_c")?, number("n_batches")? as usize);
        let mut adam = Adam::new(&parameters, AdamKind::Original, number("grad_clip")?);
        let list = |entry: &str| self.case.get(entry)?.numbers();
        let (costs, plain, after) = (list("cost")?, list("cost_no_decay")?, list("cost_after")?);
        let (squares, printed) = (list("g2")?, list("trainer_printed_costs")?);
        // how far any parameter can be from the start
        let mut reach = 0.0;
        for batch in 0..batches {
            let at = |what: &str| format!("{} batch {batch}: {what}", self.name);
            let cost = with_grad(|| self.cost(&parameters, batch))?;
            let whole = with_grad(|| &cost + decay(&parameters, decay_rate));
            let wanted = |list: &[f64]| list.get(batch).copied().unwrap_or(f64::NAN);
            group.near(
                &at("cost without decay"),
                cost.double_value(&[]),
                wanted(&plain),
            );
            group.near(&at("cost"), whole.double_value(&[]), wanted(&costs));
            group.near(
                &at("cost as printed"),
                whole.double_value(&[]),
                wanted(&printed),
            );
            whole.backward();
            if batch == 0 {
                self.gradients(&parameters, "grad0", gradients)?;
            }
            let norm = adam.clip(&parameters);
            let error = (norm * norm - wanted(&squares)).abs() / wanted(&squares).max(1.0);
            gradients.push((at("squared norm"), error));
            if batch == 0 {
                self.gradients(&parameters, "gradclip0", gradients)?;
            }
            reach += adam.reach() * self.rate()?;
            adam.apply(&parameters, self.rate()?);
            if batch == 0 {
                self.moments(&parameters, &adam, group)?;
            }
            self.parameters(&parameters, batch, reach, group)?;
            let cost = self.cost(&parameters, batch)?;
            group.near(
                &at("cost afterwards"),
                cost.double_value(&[]),
                wanted(&after),
            );
        }
        group.near("updates", f64::from(adam.updates()), number("adam_i")?);
        self.rank(group)
    }

    fn start(&self) -> Result<Parameters> {
        let names: Vec<&str> = self.numbers.names("p0__").collect();
        let start = names.into_iter().map(|name| {
            let array = self.numbers.get(&format!("p0__{name}"))?;
            Ok((name.to_owned(), array))
        });
        let start = start.collect::<Result<Vec<_>>>()?;
        Ok(Parameters::from_weights(&Weights::from_tensors(
            self.name, start,
        )))
    }

    /// The start as a model file, and the minibatches as words.
    fn beginning(&self, parameters: &Parameters, group: &mut Group) -> Result<()> {
        for (name, tensor) in parameters.names().zip(parameters.tensors()) {
            let error = apart(tensor, &self.init.get(name)?);
            group.within(&format!("{}.init.npz {name}", self.name), error);
        }
        let known = self.case.get("options")?.get("n_words")?.whole()? as i64;
        for (batch, given) in self
            .case
            .get("minibatch_sentences")?
            .each()?
            .iter()
            .enumerate()
        {
            let columns = match self.name.starts_with("skip") {
                true => vec!["x", "y", "z"],
                false => vec!["x"],
            };
            for (place, column) in columns.iter().enumerate() {
                let texts = match columns.len() {
                    1 => given.texts()?,
                    _ => given.each()?[place].texts()?,
                };
                let ids = self.numbers.get(&format!("b{batch}__{column}"))?;
                let found = ids.transpose(0, 1).to_kind(Kind::Int64);
                for (row, text) in (0i64..).zip(&texts) {
                    let read = text
                        .split_whitespace()
                        .map(|word| self.words.id(word, known));
                    let read: Vec<i64> = read.collect();
                    let mut wanted: Vec<i64> = Vec::try_from(found.get(row))?;
                    wanted.truncate(read.len());
                    group.same(
                        &format!("{} batch {batch} {column}", self.name),
                        read,
                        wanted,
                    );
                }
            }
        }
        Ok(())
    }

    fn rate(&self) -> Result<f64> {
        match self.name.starts_with("vse") {
            true => self.case.get("lrate_argument")?.number(),
            false => Ok(RATE),
        }
    }

    fn cost(&self, parameters: &Parameters, batch: usize) -> Result<Tensor> {
        let graph = Graph::of_the_original(parameters);
        let input = |name: &str| self.numbers.get(&format!("b{batch}__{name}"));
        let text = |ids: &str, mask: &str| -> Result<Text> {
            Ok(Text::from_tensors(&input(ids)?, &input(mask)?))
        };
        let options = self.case.get("options")?;
        if self.name.starts_with("skip") {
            let neighbours = Neighbours {
                read: text("x", "x_mask")?,
                next: text("y", "y_mask")?,
                previous: text("z", "z_mask")?,
            };
            return Ok(graph.skip_thoughts(Half::Uni, &neighbours));
        }
        let read = text("x", "mask")?;
        if self.name.starts_with("vse") {
            let encoder = match options.get("encoder")?.text()? {
                "bow" => SentenceEncoder::Bow,
                _ => SentenceEncoder::Gru,
            };
            let margin = options.get("margin")?.number()?;
            return Ok(graph.vse(encoder, margin, &read, &input("im")?));
        }
        let output = match options.get("doutput")?.holds() {
            true => Output::Deep,
            false => Output::Plain,
        };
        Ok(graph.decoder(output, &read, &input("ctx")?))
    }

    fn gradients(
        &self,
        parameters: &Parameters,
        key: &str,
        found: &mut Vec<(String, f64)>,
    ) -> Result<()> {
        let squares = parameters
            .tensors()
            .map(|tensor| tensor.grad().square().sum(Kind::Double).double_value(&[]));
        let norm = squares.sum::<f64>().sqrt();
        for (name, tensor) in parameters.names().zip(parameters.tensors()) {
            let wanted = self.numbers.get(&format!("{key}__{name}"))?;
            let scale = largest(&wanted).max(1e-3 * norm);
            let error = apart(&tensor.grad(), &wanted) / scale;
            found.push((format!("{} {key}__{name}", self.name), error));
        }
        Ok(())
    }

    fn moments(&self, parameters: &Parameters, adam: &Adam, group: &mut Group) -> Result<()> {
        for (name, (first, second)) in parameters.names().zip(adam.moments()) {
            for (key, moment) in [("m1", first), ("v1", second)] {
                let key = format!("{key}__{name}");
                let wanted = self.numbers.get(&key)?;
                group.within(&format!("{} {key}", self.name), apart(moment, &wanted));
            }
        }
        Ok(())
    }

    fn parameters(
        &self,
        parameters: &Parameters,
        batch: usize,
        reach: f64,
        group: &mut Group,
    ) -> Result<()> {
        for (name, tensor) in parameters.names().zip(parameters.tensors()) {
            let key = format!("p{}__{name}", batch + 1);
            let error = apart(tensor, &self.numbers.get(&key)?);
            let what = format!("{} {key}", self.name);
            if name == "ff_image_b" {
                group.within_of(&what, error, 2.0 * reach);
            } else {
                group.within(&what, error);
            }
        }
        Ok(())
    }

    /// The recall that the trainer measured on its development set.
    fn rank(&self, group: &mut Group) -> Result<()> {
        let Some(rank) = self.case.find("rank") else {
            return Ok(());
        };
        let rows = |entry: &str| -> Result<Tensor> {
            let rows = rank
                .get(entry)?
                .each()?
                .into_iter()
                .map(|row| row.numbers());
            let rows = rows.collect::<Result<Vec<_>>>()?;
            Ok(Tensor::from_slice2(&rows).to_kind(Kind::Float))
        };
        let (captions, images) = (rows("captions")?, rows("images")?);
        // five captions a picture, which stands there five times
        let pictures = images.slice(0, 0, None, 5);
        let owners: Vec<i64> = (0..captions.size()[0]).map(|caption| caption / 5).collect();
        let found = recall_of(&pictures.matmul(&captions.tr()), &owners);
        for (entry, recalls, median) in [
            ("i2t", found.picture_to_caption, found.caption_median),
            ("t2i", found.caption_to_picture, found.picture_median),
        ] {
            let mut ours = recalls.to_vec();
            ours.push(median as f64);
            for (ours, theirs) in ours.into_iter().zip(rank.get(entry)?.numbers()?) {
                group.near(&format!("{} {entry}", self.name), ours, theirs);
            }
        }
        Ok(())
    }
}

/// The words of an index entry, by their numbers.
fn words_of(fact: &Fact) -> Result<Vocabulary> {
    let pairs = fact.entries().into_iter();
    let mut pairs = pairs
        .map(|(word, id)| Ok((id.whole()?, word.to_owned())))
        .collect::<Result<Vec<_>>>()?;
    pairs.sort();
    Ok(Vocabulary::from_words(
        pairs.into_iter().map(|(_, word)| word).collect(),
    ))
}

fn largest(array: &Tensor) -> f64 {
    array.abs().max().double_value(&[])
}

fn apart(one: &Tensor, other: &Tensor) -> f64 {
    match one.size() == other.size() {
        true => no_grad(|| largest(&(one - other))),
        false => f64::NAN,
    }
}
