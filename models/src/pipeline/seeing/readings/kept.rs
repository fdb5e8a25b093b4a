//! Readings of a gallery in the cache: a megabyte instead of two seconds of a processor at every start.
//!
//! The file's name stands for all that they were read with, so that only its shape has to be looked at.

use std::path::Path;

use tch::{Kind, Tensor};

use super::{Named, Readings};
use crate::error::{Error, Result};
use crate::pipeline::kept;
use crate::pipeline::seeing::Seeing;
use crate::tensors::weights::Weights;

impl Readings {
    /// As [`Readings::read`], from `file` (without its ending) if they are there; the name of the file stands for all that
    /// they were read with.
    pub(in crate::pipeline::seeing) fn recall(
        seeing: &Seeing,
        captions: &[String],
        vectors: Tensor,
        file: &Path,
    ) -> Result<Self> {
        let path = file.with_extension("safetensors");
        let spaces = seeing.joints.len();
        let found = kept::recalled(&path, |kept| {
            from_arrays(kept, &vectors, (spaces, seeing.usual.len()))
        });
        if let Some(readings) = found {
            return Ok(readings);
        }
        let readings = Self::read(seeing, captions, vectors)?;
        kept::keep(&path, Kind::Float, readings.arrays());
        Ok(readings)
    }

    /// What is kept; whole numbers are below 2²⁴, which 32-bit floats hold.
    fn arrays(&self) -> Vec<(String, Tensor)> {
        let whole = |numbers: &mut dyn Iterator<Item = f32>| {
            Tensor::from_slice(&numbers.collect::<Vec<f32>>())
        };
        let named = &self.named;
        let arrays = [
            ("joint_lengths", Tensor::stack(&self.joint_lengths, 0)),
            ("centred_lengths", self.centred_lengths.shallow_clone()),
            ("hub", Tensor::from_slice(&self.hub)),
            ("starts", whole(&mut named.starts.iter().map(|&n| n as f32))),
            (
                "classes",
                whole(&mut named.classes.iter().map(|&n| f32::from(n))),
            ),
        ];
        arrays.map(|(name, array)| (name.to_owned(), array)).into()
    }
}

/// Readings of so many captions as there are vectors, in so many joint spaces, naming classes below that number.
fn from_arrays(
    kept: &Weights,
    vectors: &Tensor,
    (spaces, classes): (usize, usize),
) -> Result<Readings> {
    let rows = vectors.size()[0];
    let lengths = kept.tensor("joint_lengths", &[spaces as i64, rows])?;
    let starts: Vec<f32> = Vec::try_from(kept.tensor("starts", &[rows + 1])?)?;
    let named: Vec<f32> = Vec::try_from(kept.tensor("classes", &[-1])?)?;
    let is_whole = starts.is_sorted()
        && starts.first() == Some(&0.0)
        && starts.last() == Some(&(named.len() as f32))
        && named.iter().all(|&class| (class as usize) < classes);
    if !is_whole {
        let reason = "its lists of classes do not fit together";
        return Err(Error::format(kept.label(), reason));
    }
    Ok(Readings {
        vectors: vectors.shallow_clone(),
        joint_lengths: (0..spaces as i64).map(|space| lengths.get(space)).collect(),
        centred_lengths: kept.tensor("centred_lengths", &[rows])?,
        hub: Vec::try_from(kept.tensor("hub", &[rows])?)?,
        named: Named {
            starts: starts.into_iter().map(|start| start as u32).collect(),
            classes: named.into_iter().map(|class| class as u8).collect(),
        },
    })
}
