//! VGG-19 in the forms it was passed on in (algorithm.md §1.7, §1.8).
//! [`crate::Original`] calls it; whatever the file's layout, the arrays come out under the names that [`crate::Vgg`] expects.

use std::path::Path;

use crate::artifact::Value;
use crate::{Error, Result, Vgg, Weights};

/// Reads VGG-19 as the arrays that [`Vgg::load`] takes. The form is known by the file's ending.
///
/// # Errors
/// When the file is missing, broken, or holds another network.
pub fn read_vgg(file: &Path) -> Result<Weights> {
    let wrong = |reason: &str| Error::format(file.display().to_string(), reason);
    let (value, _) = super::pickle(file)?;
    let list = value.get("param values").or(value.get("values"));
    let list = list
        .and_then(Value::as_items)
        .ok_or_else(|| wrong("it has no list `param values`: a Lasagne VGG-19 is expected"))?;
    let arrays: Option<Vec<_>> = list
        .iter()
        .map(|value| match value {
            Value::Array(array) => Some(array.to_tensor()),
            _ => None,
        })
        .collect();
    let arrays = arrays.ok_or_else(|| wrong("`param values` holds something that is no array"))?;
    Vgg::name_parameters(&file.display().to_string(), arrays)
}
