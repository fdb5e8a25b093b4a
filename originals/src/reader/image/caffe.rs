//! VGG-19 as Caffe passed it on: layers `conv1_1` … `fc8`, dense weights (out, in) with legacy extents (1, 1, out, in).
//! Its pictures are those of the original: blue first, the mean taken away.

use std::path::Path;

use crate::formats::{Array, read_caffemodel};
use models::{Error, Result, Weights};

/// Reads the layers as `NAME_W` and `NAME_b`; dense weights become (in, out).
///
/// # Errors
/// When the file is broken or a layer has another form.
pub(super) fn read(file: &Path) -> Result<Weights> {
    let label = file.display().to_string();
    let mut arrays = Vec::new();
    for (name, blobs) in read_caffemodel(file)? {
        let is_ours = name.starts_with("conv") || name.starts_with("fc");
        if !is_ours || name == "fc8" {
            continue;
        }
        let [weight, bias] = <[Array; 2]>::try_from(blobs).map_err(|blobs| {
            let reason = format!(
                "layer `{name}` has {} arrays, not weights and biases",
                blobs.len()
            );
            Error::format(&label, reason)
        })?;
        let mut weight = weight.to_tensor();
        if name.starts_with("fc") {
            let inputs = *weight.size().last().unwrap_or(&1);
            if inputs == 0 {
                return Err(Error::format(&label, format!("layer `{name}` is empty")));
            }
            weight = weight.view([-1, inputs]).tr().contiguous();
        }
        arrays.push((format!("{name}_W"), weight));
        arrays.push((format!("{name}_b"), bias.to_tensor().view([-1])));
    }
    Ok(Weights::from_tensors(label, arrays))
}
