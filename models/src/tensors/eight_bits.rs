//! Matrices in 8 bits a number: whole numbers from −127 to 127, and for each row the step that they count in.
//!
//! For maps whose rounding nobody can tell (the joint spaces, the word head): a row's direction turns by half a degree at
//! most. In a file the steps of `NAME` are called `NAME.steps`; whoever reads the file gets floats.

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

const STEPS: &str = ".steps";
const MOST: f64 = 127.0;
/// Shorter rows would not be smaller by much with a step each.
const LEAST_COLUMNS: i64 = 64;

/// An array under its name, as two if it is a matrix with long rows.
pub(super) fn rounded(name: &str, array: &Tensor) -> Vec<(String, Tensor)> {
    let long = matches!(array.size()[..], [_, columns] if columns >= LEAST_COLUMNS);
    if !long {
        return vec![(name.to_owned(), array.to_kind(Kind::Float).contiguous())];
    }
    let array = array.to_kind(Kind::Float);
    let largest = array.abs().amax([1i64].as_slice(), true);
    // a row of zeros counts in whatever step
    let steps = (largest / MOST).clamp_min(f64::from(f32::MIN_POSITIVE));
    let whole = (array / &steps).round().to_kind(Kind::Int8);
    vec![
        (name.to_owned(), whole),
        (format!("{name}{STEPS}"), steps.squeeze_dim(1)),
    ]
}

/// Floats instead of each pair of whole numbers and steps that a file held.
///
/// # Errors
/// When there are steps for an array that is missing, or not one for each of its rows.
pub(super) fn widened(
    label: &str,
    arrays: BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, Tensor>> {
    let (steps, mut arrays): (BTreeMap<_, _>, BTreeMap<_, _>) = arrays
        .into_iter()
        .partition(|(name, _)| name.ends_with(STEPS));
    for (name, steps) in steps {
        let of = name.trim_end_matches(STEPS);
        let wrong = |reason: &str| Error::format(label, format!("array `{name}`: {reason} `{of}`"));
        let array = arrays
            .get_mut(of)
            .ok_or_else(|| wrong("there is no array"))?;
        if array.dim() != 2 || steps.size() != array.size()[..1] {
            return Err(wrong("there is not one step for each row of"));
        }
        *array = &*array * steps.unsqueeze(1);
    }
    Ok(arrays)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn steps_without_their_rows_are_refused_by_name() {
        let steps = |rows| {
            (
                "W.steps".to_owned(),
                Tensor::ones([rows], (Kind::Float, Device::Cpu)),
            )
        };
        let matrix = (
            "W".to_owned(),
            Tensor::ones([2, 3], (Kind::Float, Device::Cpu)),
        );
        for arrays in [vec![steps(2)], vec![matrix, steps(3)]] {
            let error = widened("a file", arrays.into_iter().collect()).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("a file") && text.contains("`W.steps`"),
                "{text}"
            );
        }
    }
}
