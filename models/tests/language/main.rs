//! The language model, the sentence encoder and their tokenizers against numbers of the reference in PyTorch
//! (`golden/lm`, 32-bit floats). They need what `scripts/setup-language.sh` fetches.

#![allow(clippy::unwrap_used)]

mod kept;
mod networks;
mod together;
mod tokenizers;
mod writer;

use models::Weights;
use models::tensors::gguf::Gguf;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

/// A fetched file.
fn fetched(name: &str) -> PathBuf {
    let home =
        || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache/storyteller");
    let cache = std::env::var_os("STORYTELLER_CACHE").map_or_else(home, PathBuf::from);
    let path = cache.join(name);
    assert!(
        path.exists(),
        "{} is not there: run `make setup`",
        path.display()
    );
    path
}

fn smollm_path() -> PathBuf {
    fetched("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf")
}

fn smollm() -> Gguf {
    Gguf::open(&smollm_path()).unwrap()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/lm")
        .join(name)
}

fn arrays(name: &str) -> Weights {
    Weights::from_safetensors(&golden(name)).unwrap()
}

fn facts(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(golden(name)).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<i64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_i64().unwrap())
        .collect()
}

fn whole(tensor: &Tensor) -> Tensor {
    tensor.to_kind(Kind::Int64)
}

/// The largest difference between two tensors of one shape.
fn difference(found: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(found.size(), wanted.size());
    (found.to_kind(Kind::Float) - wanted)
        .abs()
        .max()
        .double_value(&[])
}

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);
