//! The layers of a model as they are told with, kept in a file: unpacking, adapting and packing them takes most of a start.
//!
//! What must stay true: a model that is read from there is the same bit for bit, and a file that is damaged, or another
//! model's, is put aside and made anew. `loading` reads and writes it; its name says what it was made from.

use super::{ADAPTED, Block, Config};
use crate::durable;
use crate::error::{Error, Result};
use crate::networks::projection::Projection;
use crate::tensors::device::copied::copied;
use crate::tensors::device::mapped::Mapped;
use crate::tensors::device::packed::Packed;
use crate::tensors::floats::floats;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use tch::{Kind, Tensor};

/// Models whose layers are kept; those that were made before them go.
const MOST: usize = 3;

/// The layers in `file`, if it has them and they are those of such a model.
pub(super) fn recalled(config: &Config, file: &Path) -> Option<Vec<Block>> {
    if !file.exists() {
        return None;
    }
    match read(config, file) {
        Ok(blocks) => Some(blocks),
        Err(error) => {
            tracing::warn!("{error}: it will be made anew");
            let _ = std::fs::remove_file(file);
            None
        }
    }
}

/// Keeps layers that are packed; a file that cannot be written costs time at the next start, nothing else.
pub(super) fn keep(blocks: &[Block], file: &Path) {
    let folder = file.parent().unwrap_or(Path::new("."));
    let written = std::fs::create_dir_all(folder)
        .map_err(|error| Error::file("create", folder, error))
        .and_then(|()| write(blocks, file));
    match written {
        Ok(()) => forget_old_ones(folder),
        Err(error) => tracing::debug!("the next start packs the language model again: {error}"),
    }
}

fn write(blocks: &[Block], file: &Path) -> Result<()> {
    let mut arrays: Vec<(String, Dtype, Cow<[u8]>)> = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        for (name, gain) in NORMS.into_iter().zip(block.norms()) {
            arrays.push((of(index, name), Dtype::F32, bytes(&floats(gain)).into()));
        }
        for (name, part) in ADAPTED.into_iter().zip(block.parts()) {
            let Some(packed) = part.packed() else {
                return Ok(());
            };
            let (weights, scales) = packed.parts();
            arrays.push((of(index, name), Dtype::I8, weights.into()));
            arrays.push((scales_of(index, name), Dtype::F32, bytes(scales).into()));
        }
    }
    let wrong = |error: safetensors::SafeTensorError| {
        Error::format(file.display().to_string(), error.to_string())
    };
    let views = arrays.iter().map(|(name, kind, bytes)| {
        let size = if *kind == Dtype::F32 { 4 } else { 1 };
        let view = TensorView::new(*kind, vec![bytes.len() / size], bytes);
        view.map(|view| (name.as_str(), view)).map_err(wrong)
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    durable::replace(file, |draft| {
        safetensors::serialize_to_file(views, None, draft).map_err(wrong)
    })
}

fn read(config: &Config, file: &Path) -> Result<Vec<Block>> {
    let mapped = Arc::new(Mapped::open(file)?);
    let wrong = |reason: String| Error::format(file.display().to_string(), reason);
    let held =
        SafeTensors::deserialize(mapped.bytes()).map_err(|error| wrong(error.to_string()))?;
    let array = |name: &str, kind: Dtype| {
        let view = held.tensor(name).ok().filter(|view| view.dtype() == kind);
        view.ok_or_else(|| wrong(format!("it has no `{name}`")))
    };
    let numbers = |name: &str, count: i64| -> Result<Tensor> {
        let view = array(name, Dtype::F32)?;
        if view.shape() != [count as usize] {
            return Err(wrong(format!("`{name}` is another model's")));
        }
        Ok(copied(view.data(), &[count], Kind::Float))
    };
    let start = mapped.bytes().as_ptr() as usize;
    let part = |index: usize, name: &str, [out, inner]: [i64; 2]| -> Result<Projection> {
        let scales = floats(&numbers(&scales_of(index, name), out)?);
        let weights = array(&of(index, name), Dtype::I8)?.data();
        let place = weights.as_ptr() as usize - start;
        let place = place..place + weights.len();
        let packed = Packed::kept(&mapped, place, scales, inner as usize);
        let packed =
            packed.ok_or_else(|| wrong(format!("`{}` is another model's", of(index, name))));
        packed.map(Projection::from_packed)
    };
    let block = |index: usize| -> Result<Block> {
        let norm = |name: &str| numbers(&of(index, name), config.width);
        let [qkv, o, gate_up, down] = config.extents();
        Ok(Block {
            attention_norm: norm(NORMS[0])?,
            qkv: part(index, ADAPTED[0], qkv)?,
            o: part(index, ADAPTED[1], o)?,
            feed_forward_norm: norm(NORMS[1])?,
            gate_up: part(index, ADAPTED[2], gate_up)?,
            down: part(index, ADAPTED[3], down)?,
        })
    };
    (0..config.layers).map(block).collect()
}

/// What the norms of a layer are called.
const NORMS: [&str; 2] = ["attention_norm", "feed_forward_norm"];

fn of(index: usize, name: &str) -> String {
    format!("blocks.{index}.{name}")
}

fn scales_of(index: usize, name: &str) -> String {
    format!("{}.scales", of(index, name))
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

/// Leaves the newest files.
fn forget_old_ones(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .filter(|(_, path)| {
            path.extension()
                .is_some_and(|ending| ending == "safetensors")
        })
        .collect();
    files.sort();
    let old = files.len().saturating_sub(MOST);
    for (_, path) in files.drain(..old) {
        // whoever has it open keeps what it holds
        let _ = std::fs::remove_file(path);
    }
}
