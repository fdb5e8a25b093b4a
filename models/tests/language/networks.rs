//! The networks, number by number.

use super::{CPU, arrays, difference, facts, fetched, smollm, smollm_path, whole};
use models::Weights;
use models::networks::bert::SentenceEncoder;
use models::networks::llama::Llama;
use tch::{Device, Kind, Tensor};

/// The published model.
pub(super) fn llama() -> Llama {
    Llama::open(&smollm_path(), CPU).unwrap()
}

#[test]
fn every_tensor_of_a_file_unpacks_to_its_sums_and_golden_rows_exactly() {
    let (file, golden) = (smollm(), arrays("dequant.safetensors"));
    for said in facts("dequant.json")["tensors"].as_array().unwrap() {
        let name = said["name"].as_str().unwrap();
        let axes = said["shape"].as_array().unwrap().len();
        let tensor = file.tensor(name, &vec![-1; axes]).unwrap();
        for (found, wanted) in [(&tensor, "sum"), (&tensor.abs(), "abs_sum")] {
            let found = found.sum(Kind::Double).double_value(&[]);
            let (wanted, size) = (
                said[wanted].as_f64().unwrap(),
                said["abs_sum"].as_f64().unwrap(),
            );
            assert!(
                (found - wanted).abs() <= 1e-6 * size,
                "{name}: {found} {wanted}"
            );
        }
        if golden.contains(&format!("{name}.values")) {
            let rows = whole(&golden.tensor(&format!("{name}.rows"), &[-1]).unwrap());
            let wanted = golden.tensor(&format!("{name}.values"), &[-1, -1]).unwrap();
            let rows_of = tensor.reshape([-1, wanted.size()[1]]);
            assert!(
                difference(&rows_of.index_select(0, &rows), &wanted) <= 1e-7,
                "{name}"
            );
        }
    }
}

#[test]
fn the_language_model_gives_the_golden_logits_whole_and_step_by_step() {
    let _no_grad = tch::no_grad_guard();
    let (llama, golden) = (llama(), arrays("network.safetensors"));
    for sequence in 0..3 {
        let ids = whole(&golden.tensor(&format!("ids.{sequence}"), &[-1]).unwrap()).unsqueeze(0);
        let hidden = llama.forward(&llama.embed(&ids));
        check_sequence(&llama, &golden, sequence, &hidden);
        // a third at once, the rest token by token
        let length = ids.size()[1];
        let mut cache = llama.cache(1, length);
        let mut parts = vec![llama.extend(&llama.embed(&ids.narrow(1, 0, length / 3)), &mut cache)];
        for place in length / 3..length {
            parts.push(llama.extend(&llama.embed(&ids.narrow(1, place, 1)), &mut cache));
        }
        assert!(
            difference(&Tensor::cat(&parts, 1), &hidden) < 1e-3,
            "sequence {sequence} with a cache"
        );
    }
}

#[test]
fn branches_are_what_each_would_be_alone_beside_a_text_or_as_copies_of_it() {
    check_branches(&llama(), 1e-5);
    // in other numbers than these they are copies, as on a graphics card
    let file = fetched("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
    check_branches(
        &Llama::open(&file, (Kind::BFloat16, Device::Cpu)).unwrap(),
        1e-3,
    );
}

/// `most`: how far the cosine to a branch that is computed alone may be from one.
fn check_branches(llama: &Llama, most: f64) {
    let _no_grad = tch::no_grad_guard();
    let golden = arrays("network.safetensors");
    let apart = |a: &Tensor, b: &Tensor| {
        let (a, b) = (a.to_kind(Kind::Double), b.to_kind(Kind::Double));
        1.0 - a.dot(&b).double_value(&[]) / (a.norm() * b.norm()).double_value(&[])
    };
    let ids = whole(&golden.tensor("ids.0", &[-1]).unwrap());
    let standing = ids.size()[0] / 2;
    let text = llama.embed(&ids.narrow(0, 0, standing).unsqueeze(0));
    let mut cache = llama.cache(1, standing + 4);
    let _ = llama.extend(&text, &mut cache);
    // three ways on from the text, of which the middle one is dropped after two tokens
    let ways = [[5, 70, 900, 33], [4000, 12, 12, 7], [31, 8, 2500, 260i64]];
    let mut branches = llama.branches(&cache, 3, 4);
    let mut rows: Vec<usize> = vec![0, 1, 2];
    for step in 0..4 {
        if step == 2 {
            branches.retain(&[2, 0]);
            rows = vec![2, 0];
        }
        let next: Vec<i64> = rows.iter().map(|&row| ways[row][step]).collect();
        let found = llama.step(&Tensor::from_slice(&next), &mut branches);
        for (place, &row) in rows.iter().enumerate() {
            let added = llama.embed(&Tensor::from_slice(&ways[row][..=step]).unsqueeze(0));
            let whole = llama.forward(&Tensor::cat(&[&text, &added], 1));
            let wanted = whole.get(0).get(-1);
            let apart = apart(&found.get(place as i64), &wanted);
            assert!(apart <= most, "branch {row}, step {step}: {apart}");
        }
    }
    // the dropped one is followed, with another last token than it drew
    let ids = Tensor::from_slice(&[4000, 12, 77i64]);
    let followed = llama.follow(&mut cache, &branches, (1, &ids));
    assert_eq!(cache.length(), standing + 3);
    let all = Tensor::cat(&[&text, &llama.embed(&ids.unsqueeze(0))], 1);
    let wanted = llama.forward(&all).get(0).get(-1);
    let apart = apart(&followed.get(0), &wanted);
    assert!(apart <= most, "followed: {apart}");
}

fn check_sequence(llama: &Llama, golden: &Weights, sequence: usize, hidden: &Tensor) {
    let take = |name: &str| {
        golden
            .tensor(&format!("base.{sequence}.{name}"), &[-1, -1])
            .unwrap()
    };
    let norm = take("norm");
    let rows = whole(
        &golden
            .tensor(&format!("positions.{sequence}"), &[-1])
            .unwrap(),
    );
    let picked = hidden.get(0).index_select(0, &rows);
    assert!(difference(&picked, &norm) < 1e-3, "sequence {sequence}");
    let logits = llama.logits(&picked);
    let top = whole(&take("top_ids"));
    assert!(difference(&logits.gather(1, &top, false), &take("top_values")) < 1e-3);
    let sums = golden
        .tensor(&format!("base.{sequence}.logsumexp"), &[-1])
        .unwrap();
    assert!(difference(&logits.logsumexp([1i64].as_slice(), false), &sums) < 1e-3);
}

#[test]
fn sentences_become_the_golden_thoughts_alone_and_in_any_company() {
    let encoder = SentenceEncoder::open(
        fetched("minilm-l6-v2/model.safetensors").parent().unwrap(),
        Device::Cpu,
    )
    .unwrap();
    let facts = facts("minilm.json");
    let texts: Vec<&str> = facts["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect();
    let wanted = arrays("minilm.safetensors")
        .tensor("vectors", &[25, 384])
        .unwrap();
    let mut done = 0;
    let found = encoder.encode(&texts, &mut |n| done = n).unwrap();
    assert_eq!(done, 25);
    assert!(difference(&found, &wanted) < 1e-5);
    assert!(difference(&encoder.encode_alone(&texts).unwrap(), &wanted) < 1e-5);
    assert_eq!(
        encoder.encode::<&str>(&[], &mut |_| {}).unwrap().size(),
        [0, 384]
    );
}
