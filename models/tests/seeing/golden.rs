//! The golden files and what all checks need of them.

use models::Weights;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/vision")
}

pub(crate) fn bundle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles/starter")
}

/// A golden file with whole numbers and floats.
pub(crate) struct Golden(Vec<u8>);

impl Golden {
    pub(crate) fn open(name: &str) -> Self {
        Self(std::fs::read(folder().join(name)).unwrap())
    }

    /// An array as it was stored.
    pub(crate) fn array(&self, name: &str) -> Tensor {
        let held = SafeTensors::deserialize(&self.0).unwrap();
        let view = held.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        let kind = match view.dtype() {
            safetensors::Dtype::U8 => Kind::Uint8,
            safetensors::Dtype::I32 => Kind::Int,
            safetensors::Dtype::F32 => Kind::Float,
            other => panic!("{name} is {other:?}"),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        Tensor::from_data_size(view.data(), &shape, kind)
    }
}

pub(crate) fn weights(name: &str) -> Weights {
    Weights::from_safetensors(&bundle().join(name)).unwrap()
}

/// The largest difference is at most `tolerance`.
#[track_caller]
pub(crate) fn assert_close(what: &str, found: &Tensor, wanted: &Tensor, tolerance: f64) {
    assert_eq!(found.size(), wanted.size(), "{what}");
    let error = (found - wanted).abs().max().double_value(&[]);
    assert!(error <= tolerance, "{what} is off by {error:e}");
}
