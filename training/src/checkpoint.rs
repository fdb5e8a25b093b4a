//! Checkpoints: all that a course of training needs to go on as if it had never been interrupted.
//!
//! One safetensors file beside the weights to be: parameters, both moments of Adam, the best weights so far, and as
//! bytes of JSON the standing and the recipe. What must stay true: the file is either the old one or the new one,
//! whatever happens while it is written, and it is never loaded into a course of another recipe. `course` writes and reads
//! these.

use std::path::PathBuf;

use serde_json::Value;
use tch::{Device, Kind, Tensor, no_grad};

use crate::adam::Adam;
use crate::parameters::Parameters;
use crate::standing::Standing;
use models::{Error, Result, Weights, durable};

/// Where checkpoints of a course go, and when.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// The file.
    pub path: PathBuf,
    /// Updates between two checkpoints.
    pub every: usize,
    /// All that decides the outcome: settings and sums of the data. A checkpoint of another recipe is refused.
    pub recipe: Value,
}

/// The state of a course.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) standing: Standing,
    updates: i64,
    arrays: Vec<(String, Tensor)>,
}

const PARAMETER: &str = "parameter/";
const FIRST: &str = "first/";
const SECOND: &str = "second/";
const BEST: &str = "best/";
/// Name of the array of JSON bytes.
const ABOUT: &str = "about";

impl Keeper {
    /// Whether there is a checkpoint.
    pub fn has_one(&self) -> bool {
        self.path.exists()
    }

    /// The same place for a course of this recipe.
    #[must_use]
    pub fn of(&self, recipe: Value) -> Keeper {
        Keeper {
            recipe,
            ..self.clone()
        }
    }

    /// Removes the checkpoint: the course is over or is begun anew.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn forget(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("remove", &self.path, error))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn load(&self) -> Result<Option<Checkpoint>> {
        if !self.has_one() {
            return Ok(None);
        }
        let broken = |reason: String| Error::format(self.path.display().to_string(), reason);
        let mut arrays = Tensor::read_safetensors(&self.path)
            .map_err(|error| broken(format!("no checkpoint: {}", Error::from(error))))?;
        let about = arrays.iter().position(|(name, _)| name == ABOUT);
        let about = about.ok_or_else(|| broken("no checkpoint: it does not say of what".into()))?;
        let about = Vec::<u8>::try_from(arrays.swap_remove(about).1)?;
        let about: Value =
            serde_json::from_slice(&about).map_err(|error| broken(error.to_string()))?;
        let other = differences(&about["recipe"], &self.recipe);
        if !other.is_empty() {
            return Err(broken(format!(
                "it is the checkpoint of another recipe ({}): give the same flags and data to go on, or --restart to \
                 begin anew",
                other.join("; ")
            )));
        }
        let standing = serde_json::from_value(about["standing"].clone())
            .map_err(|error| broken(error.to_string()))?;
        Ok(Some(Checkpoint {
            standing,
            updates: about["updates"].as_i64().unwrap_or(0),
            arrays,
        }))
    }

    pub(crate) fn save(&self, checkpoint: &Checkpoint) -> Result<()> {
        let about = serde_json::json!({
            "standing": checkpoint.standing, "updates": checkpoint.updates, "recipe": self.recipe,
        });
        let about = Tensor::from_slice(about.to_string().as_bytes());
        let arrays: Vec<(&str, Tensor)> = checkpoint
            .arrays
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.shallow_clone()))
            .chain([(ABOUT, about)])
            .collect();
        durable::replace(&self.path, |draft| {
            Tensor::write_safetensors(&arrays, draft)
                .map_err(|error| Error::format(draft.display().to_string(), error.to_string()))
        })
    }
}

impl Checkpoint {
    pub(crate) fn new(
        standing: Standing,
        parameters: &Parameters,
        adam: &Adam,
        best: Option<&Weights>,
    ) -> Checkpoint {
        let copy =
            |tensor: &Tensor| no_grad(|| tensor.detach().to_device(Device::Cpu).contiguous());
        let mut arrays = Vec::new();
        let state = parameters.names().zip(parameters.tensors());
        for ((name, tensor), (first, second)) in state.zip(adam.moments()) {
            arrays.push((format!("{PARAMETER}{name}"), copy(tensor)));
            arrays.push((format!("{FIRST}{name}"), copy(first)));
            arrays.push((format!("{SECOND}{name}"), copy(second)));
        }
        for (name, tensor) in best.into_iter().flat_map(Weights::iter) {
            arrays.push((format!("{BEST}{name}"), copy(tensor)));
        }
        Checkpoint {
            standing,
            updates: i64::from(adam.updates()),
            arrays,
        }
    }

    /// Overwrites parameters and moments with what was saved.
    pub(crate) fn put_back(&self, parameters: &mut Parameters, adam: &mut Adam) -> Result<()> {
        let moments = self.part(FIRST).zip(self.part(SECOND));
        if let (Some(saved), Some((first, second))) = (self.part(PARAMETER), moments) {
            parameters.load(&saved)?;
            let moments = parameters.names().zip(parameters.tensors());
            let moments = moments.map(|(name, tensor)| {
                let shape = tensor.size();
                let here = |moment: Tensor| moment.to_device(tensor.device());
                let first = here(first.tensor(name, &shape)?);
                Ok((first, here(second.tensor(name, &shape)?)))
            });
            let moments = moments.collect::<Result<Vec<_>>>()?;
            adam.restore(self.updates as i32, moments);
            return Ok(());
        }
        Err(Error::format(
            "the checkpoint",
            "it lacks parameters or moments",
        ))
    }

    /// The best weights, if any were kept.
    pub(crate) fn best(&self) -> Option<Weights> {
        self.part(BEST)
    }

    fn part(&self, beginning: &str) -> Option<Weights> {
        let arrays: Vec<(String, Tensor)> = self
            .arrays
            .iter()
            .filter_map(|(name, tensor)| {
                let name = name.strip_prefix(beginning)?;
                Some((name.to_owned(), tensor.to_kind(Kind::Float)))
            })
            .collect();
        (!arrays.is_empty()).then(|| Weights::from_tensors("the checkpoint", arrays))
    }
}

/// A sum over texts of word ids that tells two sets of data apart.
pub(crate) fn sum_of<'a>(texts: impl Iterator<Item = &'a [i64]>) -> String {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend(text.iter().flat_map(|id| (*id as u32).to_le_bytes()));
        bytes.extend(u32::MAX.to_le_bytes());
    }
    models::bundle::sha256(&bytes)[..16].to_owned()
}

/// What differs between two recipes, for people: «name: then, now».
fn differences(then: &Value, now: &Value) -> Vec<String> {
    if let (Value::Object(then), Value::Object(now)) = (then, now) {
        let names: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        return names
            .into_iter()
            .flat_map(|name| {
                let side = |side: &serde_json::Map<String, Value>| {
                    side.get(name).cloned().unwrap_or(Value::Null)
                };
                let below = differences(&side(then), &side(now));
                below
                    .into_iter()
                    .map(move |what| match what.split_once(' ') {
                        Some((path, rest)) if path.ends_with(':') => {
                            format!("{name}.{path} {rest}")
                        }
                        _ => format!("{name}: {what}"),
                    })
            })
            .collect();
    }
    if then == now {
        return Vec::new();
    }
    vec![format!("then {then}, now {now}")]
}

#[cfg(test)]
mod tests {
    use super::differences;
    use serde_json::json;

    #[test]
    fn what_differs_between_recipes_is_named() {
        let then = json!({"course": {"rate": 0.1, "seed": 1}, "dim": 8});
        let now = json!({"course": {"rate": 0.2, "seed": 1}, "dim": 8});
        assert_eq!(differences(&then, &now), ["course.rate: then 0.1, now 0.2"]);
        assert!(differences(&then, &then).is_empty());
    }
}
