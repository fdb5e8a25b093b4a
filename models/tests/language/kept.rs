//! Layers that are kept as they are told with: read from their file, a model is the same.

use super::{CPU, smollm_path};
use models::Weights;
use models::networks::llama::{Adapted, Llama};
use std::path::Path;
use tch::Tensor;

/// An adapter of rank 2 for every layer.
fn adapter(layers: &[(String, [i64; 2])]) -> Weights {
    tch::manual_seed(3);
    let arrays = layers.iter().flat_map(|(name, [out, inner])| {
        [
            (
                format!("{name}.lora_a"),
                Tensor::randn([2, *inner], CPU) * 0.01,
            ),
            (
                format!("{name}.lora_b"),
                Tensor::randn([*out, 2], CPU) * 0.01,
            ),
        ]
    });
    Weights::from_tensors("adapter", arrays)
}

fn heard(adapter: Option<&Weights>, kept: Option<&Path>) -> Tensor {
    let adapted = Adapted {
        adapter,
        scale: 2.0,
        kept,
    };
    let llama = Llama::open_for_telling(&smollm_path(), CPU, adapted).unwrap();
    let ids = Tensor::from_slice(&[1i64, 400, 7, 5000]).unsqueeze(0);
    llama.forward(&llama.embed(&ids))
}

#[test]
fn a_model_whose_layers_were_kept_is_the_same_and_damaged_ones_are_made_anew() {
    let _no_grad = tch::no_grad_guard();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("packed/layers.safetensors");
    let plain = Llama::open(&smollm_path(), CPU).unwrap();
    let adapter = adapter(&plain.adaptable());
    let wanted = heard(Some(&adapter), None);
    assert!(heard(Some(&adapter), Some(&file)).equal(&wanted));
    let whole = std::fs::metadata(&file).unwrap().len();
    assert!(heard(Some(&adapter), Some(&file)).equal(&wanted));
    let bytes = std::fs::read(&file).unwrap();
    for damaged in [&bytes[..bytes.len() - 100], b"no arrays at all"] {
        std::fs::write(&file, damaged).unwrap();
        assert!(heard(Some(&adapter), Some(&file)).equal(&wanted));
        assert_eq!(std::fs::metadata(&file).unwrap().len(), whole);
    }
}

#[test]
fn a_model_without_an_adapter_is_told_with_as_it_was_published() {
    let _no_grad = tch::no_grad_guard();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("packed/layers.safetensors");
    let plain = Llama::open(&smollm_path(), CPU).unwrap();
    let published = heard(None, Some(&file));
    assert!(heard(None, Some(&file)).equal(&published));
    let changed = heard(Some(&adapter(&plain.adaptable())), None);
    assert!(!changed.equal(&published));
    let ids = Tensor::from_slice(&[1i64, 400, 7, 5000]).unsqueeze(0);
    let exact = plain.forward(&plain.embed(&ids));
    let alike = |other: &Tensor| Tensor::cosine_similarity(other, &exact, -1, 1e-8).min();
    // packed weights have fewer bits
    assert!(alike(&published).double_value(&[]) > 0.98);
}

#[test]
fn of_kept_models_the_newest_stay_and_a_place_that_cannot_be_written_costs_nothing_but_time() {
    let _no_grad = tch::no_grad_guard();
    let folder = tempfile::tempdir().unwrap();
    let plain = Llama::open(&smollm_path(), CPU).unwrap();
    let adapter = adapter(&plain.adaptable());
    for name in ["a", "b", "c"] {
        std::fs::write(folder.path().join(name).with_extension("safetensors"), name).unwrap();
    }
    let file = folder.path().join("d.safetensors");
    let wanted = heard(Some(&adapter), Some(&file));
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["b.safetensors", "c.safetensors", "d.safetensors"]);
    let nowhere = file.join("below-a-file/e.safetensors");
    assert!(heard(Some(&adapter), Some(&nowhere)).equal(&wanted));
}
