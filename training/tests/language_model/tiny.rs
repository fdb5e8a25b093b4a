//! A language model small enough to learn in a test, and the published one whose tokenizer it is read with.
//! Both tests of recipes for language models use them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use models::Weights;
use models::networks::llama::{Config, Llama};
use tch::{Device, Kind, Tensor};

const WIDTH: i64 = 48;

/// Held by a test while it draws random numbers: libtorch has one generator for all threads.
pub(crate) fn generator() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The published model that `make setup` fetches.
pub(crate) fn base() -> PathBuf {
    let home =
        || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache/storyteller");
    let cache = std::env::var_os("STORYTELLER_CACHE").map_or_else(home, PathBuf::from);
    let path = cache.join("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
    assert!(
        path.exists(),
        "{} is not there: run `make setup`",
        path.display()
    );
    path
}

/// A network of the llama family with random weights, the same every time.
pub(crate) fn llama(vocabulary: i64) -> Llama {
    let config = Config {
        width: WIDTH,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head: 12,
        feed_forward: 64,
        vocabulary,
        context: 256,
        norm_eps: 1e-5,
        rope_base: 1e4,
    };
    let mut arrays: BTreeMap<String, Tensor> = BTreeMap::new();
    let mut add = |name: String, shape: &[i64], spread: f64| {
        let random = Tensor::randn(shape, (Kind::Float, Device::Cpu)) * spread;
        arrays.insert(name + ".weight", random);
    };
    tch::manual_seed(1);
    add("model.embed_tokens".to_owned(), &[vocabulary, WIDTH], 0.3);
    for layer in 0..2 {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        for (part, shape) in [
            ("self_attn.q_proj", [48, WIDTH]),
            ("self_attn.k_proj", [24, WIDTH]),
            ("self_attn.v_proj", [24, WIDTH]),
            ("self_attn.o_proj", [WIDTH, 48]),
            ("mlp.gate_proj", [64, WIDTH]),
            ("mlp.up_proj", [64, WIDTH]),
            ("mlp.down_proj", [WIDTH, 64]),
        ] {
            add(name(part), &shape, 0.15);
        }
    }
    for norm in [
        "model.norm",
        "model.layers.0.input_layernorm",
        "model.layers.0.post_attention_layernorm",
        "model.layers.1.input_layernorm",
        "model.layers.1.post_attention_layernorm",
    ] {
        let ones = Tensor::ones([WIDTH], (Kind::Float, Device::Cpu));
        arrays.insert(format!("{norm}.weight"), ones);
    }
    let weights = Weights::from_tensors("tiny", arrays);
    Llama::from_weights(&weights, config, (Kind::Float, Device::Cpu)).unwrap()
}
